"""Settings: where they come from, which wins, and what is said about one that can not work."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.config import DEFAULTS, SETTINGS, environment_name, load, load_with_sources, unknown_variables
from havre.errors import ConfigError


def test_everything_has_a_default_that_keeps_its_own_rule() -> None:
    for name, setting in SETTINGS.items():
        default = DEFAULTS[name]
        if default is not None:
            written = str(default) if isinstance(default, Path) else list(default) if default == () else default
            assert setting.read(written) is not None, name


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "havre.toml"
    file.write_text('listen = "0.0.0.0:1"\nworkers = 3\nsignup = "closed"\n')
    environ = {"HAVRE_LISTEN": "0.0.0.0:2", "HAVRE_WORKERS": "4"}
    config, sources = load_with_sources({"listen": "0.0.0.0:3", "data": None}, environ, file)
    assert (config.listen, config.workers, config.signup) == ("0.0.0.0:3", 4, "closed")
    assert sources["listen"] == "flag --listen"
    assert sources["workers"] == "environment variable HAVRE_WORKERS"
    assert sources["signup"] == f"file {file}"
    assert sources["log_level"] == "default"


def test_an_empty_variable_is_not_set() -> None:
    assert load({}, {"HAVRE_LISTEN": ""}).listen == "127.0.0.1:5000"


def test_a_variable_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "havre.toml"
    file.write_text("workers = 7\n")
    assert load({}, {"HAVRE_CONFIG": str(file)}).workers == 7


def test_database_and_storage_follow_the_data_folder(tmp_path: Path) -> None:
    config = load({"data": str(tmp_path / "a b%c")})
    assert config.database_url == f"sqlite:///{tmp_path}/a%20b%25c/havre.db"
    assert config.storage_url == f"file://{tmp_path}/a%20b%25c"


def test_a_relative_data_folder_becomes_absolute() -> None:
    assert load({"data": "somewhere"}).data == Path.cwd() / "somewhere"


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:5000", "127.0.0.1", 5000), ("[::]:0", "::", 0), ("hub.example.org:443", "hub.example.org", 443)],
)
def test_listen_is_taken_apart(listen: str, host: str, port: int) -> None:
    config = load({"listen": listen})
    assert (config.host, config.port) == (host, port)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("listen", "5000", "HOST:PORT"),
        ("listen", "::1:5000", "HOST:PORT"),
        ("listen", "127.0.0.1:70000", "HOST:PORT"),
        ("workers", "0", "from 1 to 64"),
        ("workers", "two", "from 1 to 64"),
        ("workers", "2.5", "from 1 to 64"),
        ("signup", "perhaps", "open, invite, closed"),
        ("log_format", "xml", "text, json"),
        ("external_url", "hub.example.org", "http://"),
        ("external_url", "https://hub.example.org/havre", "no path"),
        ("external_url", "https://user:pw@hub.example.org", "http://"),
        ("external_url", "https://hub.example.org:99999", "http://"),
        ("trusted_proxies", "10.0.0.1/8", "networks"),
        ("trusted_proxies", "everyone", "networks"),
        ("session_days", "366", "from 1 to 365"),
        ("storage_url", "ftp://somewhere", "file:///"),
        ("log_level", "in\x00fo", "debug, info"),
    ],
)
def test_a_value_against_the_rule_is_named_with_its_source_and_the_rule(name: str, value: str, rule: str) -> None:
    variable = environment_name(name)
    with pytest.raises(ConfigError) as caught:
        load({}, {variable: value})
    assert caught.value.message.startswith(f"{name} (environment variable {variable})")
    assert rule in caught.value.message


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        load({}, {"HAVRE_DATABASE_URL": "mysql://havre:hunter2@db/havre"})
    assert "hunter2" not in caught.value.message
    assert caught.value.message.startswith("database_url (environment variable")


@pytest.mark.parametrize("value", ["true", "2.0", '"many"', "[1]"])
def test_a_value_of_another_kind_in_the_file_is_refused(tmp_path: Path, value: str) -> None:
    file = tmp_path / "havre.toml"
    file.write_text(f"workers = {value}\n")
    with pytest.raises(ConfigError, match="workers"):
        load({}, {}, file)


def test_networks_may_be_a_list_or_one_string(tmp_path: Path) -> None:
    file = tmp_path / "havre.toml"
    file.write_text('trusted_proxies = ["10.0.0.0/8", "::1"]\n')
    networks = (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert load({}, {}, file).trusted_proxies == networks
    assert load({}, {"HAVRE_TRUSTED_PROXIES": "10.0.0.0/8,::1"}).trusted_proxies == networks


def test_a_misspelt_key_in_the_file_is_refused_with_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "havre.toml"
    file.write_text('singup = "closed"\n')
    with pytest.raises(ConfigError, match=r"singup .* did you mean signup\?"):
        load({}, {}, file)


def test_a_misspelt_variable_is_pointed_out_and_other_programs_are_left_alone() -> None:
    environ = {"HAVRE_SINGUP": "closed", "HAVRE_CONFIG": "x", "HAVRE_DATA": "y", "PATH": "z"}
    assert unknown_variables(environ) == ["HAVRE_SINGUP (environment) is not a setting; did you mean HAVRE_SIGNUP?"]


@pytest.mark.parametrize("content", [b"workers = ", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "havre.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="is not TOML"):
        load({}, {}, file)


def test_a_missing_or_huge_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can not be read"):
        load({}, {}, tmp_path / "absent.toml")
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (1 << 21))
    with pytest.raises(ConfigError, match="more than"):
        load({}, {}, huge)


def test_certificate_and_key_go_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="go together"):
        load({"tls_certificate": str(tmp_path / "c.pem")})
    both = load({"tls_certificate": "/c.pem", "tls_key": "/k.pem"})
    assert (both.tls_certificate, both.tls_key) == (Path("/c.pem"), Path("/k.pem"))


@given(st.sampled_from(sorted(SETTINGS)), st.text(max_size=60))
def test_any_text_is_a_value_or_a_sentence(name: str, text: str) -> None:
    sentence = ""
    try:
        load({name: text})
    except ConfigError as error:
        sentence = error.message
    assert not sentence or sentence.startswith((name, "tls_certificate"))
