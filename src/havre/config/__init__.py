"""The one table of settings: what each is called, what it may be, and what it is without being set.

Precedence: flag, ``HAVRE_*`` environment variable, TOML file, default. Everything about a setting stands in its line of
``Config``; the flags of ``havre serve``, ``havre config``, the JSON schema and ``docs/reference/configuration.md`` are
read from there. Only the command line and the composition root load it.
"""

# ruff: noqa: RUF009 - `setting` and its kin make dataclass fields, and nothing else
from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from havre.config.kinds import (
    Networks,
    Setting,
    address,
    limit,
    matching,
    networks,
    option,
    optional_path,
    path,
    redirecting,
    setting,
    sinks,
    store_address,
    web_address,
)
from havre.errors import ConfigError

__all__ = [
    "CLIENT_VARIABLES",
    "CONFIG_VARIABLE",
    "DEFAULTS",
    "SETTINGS",
    "Config",
    "Networks",
    "environment_name",
    "load",
    "load_with_sources",
    "unknown_variables",
]

CONFIG_VARIABLE = "HAVRE_CONFIG"
"""Names the settings file when no flag does."""

CLIENT_VARIABLES = ("HAVRE_REGISTRY", "HAVRE_IMAGES", "HAVRE_INSECURE_REGISTRIES")
"""What the client's commands read from the environment (docs/reference/cli.md): no settings of the server."""

MAX_FILE = 1024 * 1024
"""Bytes of a settings file."""


# ---------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, checked. Made by ``load``; a test may make one with the values it needs."""

    listen: str = setting("127.0.0.1:5000", address, "Address and port to serve on.")
    data: Path = setting(Path("data"), path, "Folder of everything Havre keeps: database, blobs and uploads.")
    external_url: str = setting(
        "",
        web_address,
        "Address by which people and clients reach this registry; pages show it, tokens are fetched from it.",
        shown_default="the host that each request names",
    )
    database_url: str = setting(
        "",
        matching("must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME", r"(?:sqlite|postgresql):///?.+"),
        "Where the rows are: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
        secret=True,
        shown_default="havre.db in the data folder",
    )
    database_connections: int = limit(
        8, 1, 200, "Connections of each worker to PostgreSQL; one more watches for changes."
    )
    database_wait_seconds: int = limit(
        10, 1, 300, "Seconds for which a request waits for one of them, if all are busy."
    )
    database_statement_seconds: int = limit(
        30, 1, 3600, "Seconds after which PostgreSQL ends a statement of a request."
    )
    storage_url: str = setting(
        "",
        matching(
            "must be file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX",
            r"file:///.*|(?:s3|gs|az)://[^@?#]+",
        ),
        "Where the bytes are: file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX.",
        secret=True,
        shown_default="the data folder",
    )
    storage_endpoint: str = setting(
        "",
        store_address,
        "Address of the object store, for s3:// that is not Amazon's.",
        shown_default="Amazon's, Google's or Azure's own",
    )
    storage_region: str = setting(
        "",
        matching("must be the name of a region, such as eu-central-1", r"[A-Za-z0-9-]{1,64}"),
        "Region of the bucket.",
        shown_default="what AWS_REGION says, else us-east-1",
    )
    storage_addressing: str = option(
        "auto",
        ("auto", "path", "virtual"),
        "Does the bucket stand in the path of the store's addresses, or in their host? auto: in the host at Amazon's alone.",
    )
    storage_redirect: str = setting(
        "redirect",
        redirecting,
        "Who downloads content from the object store itself, and to whom this server sends it: redirect or stream, with"
        " networks behind it for which alone that holds, such as stream 10.0.0.0/8.",
    )
    workers: int = limit(2, 1, 64, "Processes that serve requests.")
    signup: str = option(
        "open",
        ("open", "invite", "closed"),
        "Who may make an account: anyone (open), or only whom an administrator adds (closed, and invite as long as there are"
        " no invitations).",
    )
    default_visibility: str = option(
        "public", ("public", "private"), "What new accounts begin with for repositories that a first push creates."
    )
    sparse_manifests: str = option(
        "reject", ("reject", "accept"), "Manifests that point at content this registry does not hold."
    )
    session_days: int = limit(30, 1, 365, "Days after which a browser that was not seen has to sign in again.")
    signups_per_address: int = limit(20, 1, 10_000, "Accounts that one address may ask for in a quarter of an hour.")
    manifest_max: int = limit(4 * 1024 * 1024, 64 * 1024, 32 * 1024 * 1024, "Largest manifest accepted, in bytes.")
    audit_days: int = limit(365, 1, 3650, "Days for which the audit trail is kept.")
    audit_sinks: str = setting(
        "",
        sinks,
        "Where the audit trail is told as well, as lines of JSON: file:///PATH, syslog:///dev/log, syslog://HOST:514,"
        " syslog+tcp://HOST:601 or https://USER:PASSWORD@HOST/PATH; several with spaces between them.",
        secret=True,
        shown_default="nowhere",
    )
    undo_days: int = limit(7, 1, 90, "Days for which a deleted repository can be restored.")
    gc_hours: int = limit(24, 0, 7 * 24, "Hours from one collection of content to the next; 0: none by itself.")
    gc_grace_hours: int = limit(24, 1, 365 * 24, "Hours for which unneeded content stays, in each of two steps.")
    gc_pace: int = limit(300, 0, 10_000, "Rest after each step of collection, in per cent of the step's time.")
    untagged_days: int = limit(0, 0, 3650, "Days after which images without a tag are removed; 0: they stay.")
    readme_pictures: str = option(
        "fetch",
        ("fetch", "link"),
        "Pictures in overviews: fetched by this server and shown from its own address (fetch), or shown as links (link).",
    )
    outbound_networks: Networks = setting(
        (),
        networks,
        "Private networks that this server may fetch from when people name addresses in them, pictures say.",
        {"type": ["array", "string"], "items": {"type": "string"}},
        shown_default="none",
    )
    fsck_days: int = limit(30, 0, 3650, "Days after which all content is read again and compared; 0: never.")
    fsck_rate: int = limit(20, 1, 100_000, "Megabytes a second that this reads at most.")
    upload_expiry_hours: int = limit(24, 1, 24 * 30, "Hours after which an upload that nobody goes on with goes.")
    uploads_per_account: int = limit(100, 1, 10_000, "Uploads that one account may have in flight at once.")
    upload_bytes_per_account: int = limit(
        2**40, 2**20, 2**60, "Bytes of unfinished uploads that one account may have at once."
    )
    requests_per_address: int = limit(
        30_000, 0, 10**9, "Requests a minute from one address (an IPv6 /64 is one) to each worker; 0: any number."
    )
    requests_per_account: int = limit(
        60_000, 0, 10**9, "Requests a minute by one account to each worker; 0: any number."
    )
    pulls_per_address: int = limit(
        0, 0, 10**9, "Manifests an address may get in six hours without signing in; 0: any number."
    )
    pulls_per_account: int = limit(0, 0, 10**9, "Manifests that one account may get in six hours; 0: any number.")
    slowest_client: int = limit(
        256, 0, 10**6, "Bytes a second below which a body or an answer is given up after a minute; 0: any pace."
    )
    smtp_url: str = setting(
        "",
        matching("must be smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST", r"smtps?://[^\s/]+/?"),
        "Mail server for letters to people: smtp:// (with STARTTLS where it is offered) or smtps://. Needs external_url.",
        secret=True,
        shown_default="letters lie in the folder outbox of the data folder",
    )
    mail_from: str = setting(
        "",
        matching(
            "must be an address such as havre@example.org", r"(?:[^<>@]{1,60}<[^@\s<>]+@[^@\s<>]+>|[^@\s<>]+@[^@\s<>]+)"
        ),
        "Sender of letters: an address, or a name with an address in angle brackets.",
        shown_default="havre at the host of external_url",
    )
    tls_certificate: Path | None = setting(
        None, optional_path, "PEM file of the certificate and its chain.", shown_default="plain HTTP"
    )
    tls_key: Path | None = setting(
        None, optional_path, "PEM file of the certificate's private key.", shown_default="plain HTTP"
    )
    trusted_proxies: Networks = setting(
        (),
        networks,
        "Networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        {"type": ["array", "string"], "items": {"type": "string"}},
        shown_default="none",
    )
    user: str = setting(
        "",
        matching("must be the name of an account of this machine", r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"),
        "Account of this machine to serve as, after the port and the certificate were opened as root.",
        shown_default="the one that starts the server",
    )
    traces_url: str = setting(
        "",
        matching("must be http:// or https:// with the host of a collector", r"https?://[^\s/?#]+(?:/[^\s?#]*)?"),
        "Collector of OpenTelemetry (OTLP over HTTP) that traces of requests are sent to: http://HOST:4318 or"
        " https://USER:PASSWORD@HOST/PATH.",
        secret=True,
        shown_default="nothing is traced",
    )
    traces_percent: int = limit(
        10, 0, 100, "Requests of a hundred that are traced; of those that a caller traces, the caller decides."
    )
    log_format: str = option("text", ("text", "json"), "Lines for people, or one JSON object per line.")
    log_level: str = option("info", ("debug", "info", "warning", "error"), "The least serious of what is logged.")

    @property
    def host(self) -> str:
        """Address to serve on, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Port to serve on; 0 lets the system choose."""
        return int(self.listen.rpartition(":")[2])


SETTINGS: Mapping[str, Setting] = {one.name: one.metadata["setting"] for one in dataclasses.fields(Config)}
"""The table, by name."""

DEFAULTS: Mapping[str, Any] = {one.name: one.default for one in dataclasses.fields(Config)}


def environment_name(name: str) -> str:
    """The environment variable of a setting."""
    return f"HAVRE_{name.upper()}"


# ---------------------------------------------------------------- loading


def load(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, file: str | Path | None = None
) -> Config:
    """Read, check and complete the settings. A flag that is None was not given.

    Raises ConfigError, whose sentence names the setting, where its value came from and the rule it breaks.
    """
    return load_with_sources(flags, environ, file)[0]


def load_with_sources(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, file: str | Path | None = None
) -> tuple[Config, Mapping[str, str]]:
    """As ``load``; also where each value came from, in words."""
    environ = environ or {}
    path = file or environ.get(CONFIG_VARIABLE) or None
    in_file = _read_file(Path(path)) if path else {}
    _refuse_unknown(in_file, str(path))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in SETTINGS:
        variable = environment_name(name)
        if flags and flags.get(name) is not None:
            found, source = flags[name], f"flag --{name.replace('_', '-')}"
        elif environ.get(variable):
            found, source = environ[variable], f"environment variable {variable}"
        elif name in in_file:
            found, source = in_file[name], f"file {path}"
        else:
            sources[name] = "default"
            continue
        sources[name] = source
        values[name] = _checked(name, found, source)
    return _completed(Config(**values)), sources


def _checked(name: str, found: object, source: str) -> Any:
    setting = SETTINGS[name]
    try:
        return setting.read(found)
    except (ValueError, RuntimeError) as error:
        shown = "" if setting.secret else f" is {str(found)[:80]!r} but"
        raise ConfigError(f"{name} ({source}){shown} {error}") from error


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise ConfigError(f"the settings file {path} has more than {MAX_FILE} bytes")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError(f"the settings file {path} can not be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the settings file {path} is not TOML: {error}") from error


def _refuse_unknown(in_file: Mapping[str, Any], path: str) -> None:
    for name in in_file:
        if name not in SETTINGS:
            raise ConfigError(f"{name[:80]} (file {path}) is not a setting{_suggestion(name, SETTINGS)}")


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Sentences about ``HAVRE_*`` variables that are no settings: perhaps a slip, perhaps another program's."""
    known = [environment_name(name) for name in SETTINGS]
    strange = [
        name
        for name in environ
        if name.startswith("HAVRE_") and name not in (*known, *CLIENT_VARIABLES, CONFIG_VARIABLE)
    ]
    return [f"{name} (environment) is not a setting{_suggestion(name, known)}" for name in sorted(strange)]


def _suggestion(name: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]}?" if close else "; see havre config schema"


def _completed(config: Config) -> Config:
    """Fill in what follows from other settings, and check what they must be together."""
    if (config.tls_certificate is None) != (config.tls_key is None):
        raise ConfigError("tls_certificate and tls_key go together: set both for HTTPS, or neither")
    if config.smtp_url and not config.external_url:
        # Links in letters must not lead where the visitor who asks for them says we are.
        raise ConfigError("smtp_url needs external_url, so that links in letters lead here: set both")
    data = config.data.expanduser().absolute()
    return dataclasses.replace(
        config,
        data=data,
        database_url=config.database_url or f"sqlite:///{quote(str(data / 'havre.db'))}",
        storage_url=config.storage_url or f"file://{quote(str(data))}",
    )
