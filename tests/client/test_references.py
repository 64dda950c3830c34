"""Names as people type them, written out in full as docker does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.client.references import HUB_KEY, RemoteImage, credential_key, familiar, is_loopback, registry_name
from havre.errors import HavreError, NameInvalid

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("marin/app", "docker.io/marin/app:latest"),
        ("library/alpine", "docker.io/library/alpine:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}"),
        (f"alpine:3@{DIGEST}", f"docker.io/library/alpine:3@{DIGEST}"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("[::1]:5000/app:2", "[::1]:5000/app:2"),
        ("hub.example.org/library/app", "hub.example.org/library/app:latest"),
        ("hub.example.org/a/b/c:x", "hub.example.org/a/b/c:x"),
    ],
)
def test_short_names_expand_as_dockers_do(typed: str, full: str) -> None:
    assert str(RemoteImage.parse(typed)) == full


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("marin/app", "localhost:5000/marin/app:latest"),
        ("alpine", "localhost:5000/alpine:latest"),
        ("quay.io/marin/app:1", "quay.io/marin/app:1"),
    ],
)
def test_another_registry_may_be_the_default(typed: str, full: str) -> None:
    assert str(RemoteImage.parse(typed, "localhost:5000")) == full


@pytest.mark.parametrize("typed", ["", "UPPER/case", "a//b", "a:", "a@sha256:12", "-.example.org:x/a", "a b"])
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(HavreError):
        RemoteImage.parse(typed)


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("docker.io/library/python:3", "python:3"),
        ("docker.io/marin/app:1", "marin/app:1"),
        ("docker.io/library/a/b:1", "library/a/b:1"),
        ("hub.example.org/library/python:3", "hub.example.org/library/python:3"),
    ],
)
def test_the_familiar_form_leaves_out_what_docker_adds(full: str, short: str) -> None:
    assert familiar(full) == short


_COMPONENT = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@given(st.lists(_COMPONENT, min_size=1, max_size=3), st.from_regex(r"[a-z][a-z0-9.]{0,8}", fullmatch=True))
def test_the_familiar_form_means_the_same_image(components: list[str], tag: str) -> None:
    image = RemoteImage.parse(f"docker.io/{'/'.join(components)}:{tag}")
    assert RemoteImage.parse(image.familiar) == image


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("localhost:5000", "localhost:5000"),
        ("http://localhost:5000", "localhost:5000"),
        ("https://hub.example.org/v2/", "hub.example.org"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("hub", "hub"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_registries_are_known_by_their_host(typed: str, name: str) -> None:
    assert registry_name(typed) == name


@pytest.mark.parametrize("typed", ["", "a b", "-x", "host:port", "user@host"])
def test_what_is_no_registry_is_refused(typed: str) -> None:
    with pytest.raises(NameInvalid):
        registry_name(typed)


def test_docker_hub_has_an_old_name_in_credential_files() -> None:
    assert credential_key("docker.io") == HUB_KEY
    assert credential_key("quay.io") == "quay.io"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.1", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("hub.localhost:80", True),
        ("10.0.0.1:5000", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_only_this_machine_may_go_without_encryption(host: str, local: bool) -> None:
    assert is_loopback(host) is local
