"""Remote: what all commands of the client share: their common options, the local store, and how failures end them.

Exit codes: 0 done; 1 something else failed; 2 the command line, a name or a credential file is wrong; 3 a login is
needed or was refused; 4 the image, tag or repository is not there; 5 the registry refuses; 6 the registry can not be
reached or is overloaded; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from havre.errors import (
    BlobUnknown,
    ConfigError,
    Denied,
    HavreError,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    TooManyRequests,
    Unauthorized,
)
from havre.oci.descriptor import Descriptor, Platform

if TYPE_CHECKING:
    from havre.client import Client
    from havre.client.references import RemoteImage
    from havre.images.layout import Layout

T = TypeVar("T")

Insecure = Annotated[
    bool, typer.Option("--insecure", help="Accept any certificate, and plain HTTP where there is no TLS.")
]
Authority = Annotated[
    Path | None, typer.Option("--ca", help="Trust the certificates in this PEM file too.", metavar="FILE")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the bare result.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
PlatformOption = Annotated[
    str | None,
    typer.Option("--platform", help="Which image of several: os/architecture[/variant].", metavar="PLATFORM"),
]

_EXITS: tuple[tuple[type[HavreError], int], ...] = (
    (ConfigError, 2),
    (NameInvalid, 2),
    (Unauthorized, 3),
    (NameUnknown, 4),
    (ManifestUnknown, 4),
    (BlobUnknown, 4),
    (Denied, 5),
    (TooManyRequests, 6),
)

_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "i686": "386",
    "i386": "386",
}


def command() -> typer.Typer:
    """The frame of a module with one command."""
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; a failure becomes a sentence and an exit code."""
    try:
        return asyncio.run(work)
    except HavreError as error:
        fail(error)
    except KeyboardInterrupt:
        print("havre: interrupted", file=sys.stderr)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has enough of it, as in: havre tags NAME | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    except OSError as error:
        print(f"havre: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        raise typer.Exit(1) from error


def fail(error: HavreError) -> NoReturn:
    """End the command with the sentence of an error and the exit code of its kind."""
    print(f"havre: {error.message}", file=sys.stderr)
    raise typer.Exit(next((code for kind, code in _EXITS if isinstance(error, kind)), 1)) from error


def connect(insecure: bool, authority: Path | None, *registries: str) -> Client:
    """A client with the person's logins. ``registries`` are those that ``insecure`` is about."""
    from havre.client import Client
    from havre.client.certificates import folders
    from havre.client.references import registry_name
    from havre.client.transport import TransportSettings

    allowed = {registry_name(name) for name in os.environ.get("HAVRE_INSECURE_REGISTRIES", "").split(",") if name}
    if insecure:
        allowed |= {registry_name(name) for name in registries}
    if authority and not authority.is_file():
        raise ConfigError(f"--ca: there is no file {authority}")
    settings = TransportSettings(
        insecure=frozenset(allowed), ca_file=str(authority or ""), certificate_folders=folders(os.environ)
    )
    return Client(settings, default_registry=default_registry())


def default_registry() -> str:
    """Where short names lead: ``HAVRE_REGISTRY``, else Docker Hub. Raises NameInvalid."""
    from havre.client.references import HUB, registry_name

    chosen = os.environ.get("HAVRE_REGISTRY", "")
    return registry_name(chosen) if chosen else HUB


def parse_image(text: str) -> RemoteImage:
    """An image's name with all that was left out of it. Raises NameInvalid or DigestInvalid."""
    from havre.client.references import RemoteImage

    return RemoteImage.parse(text, default_registry())


def local_store() -> Layout:
    """The folder of this person's images."""
    from havre.images.layout import Layout, store_path

    return Layout(store_path(os.environ))


def local_names(incomplete: str) -> list[str]:
    """The local images whose names begin so, for shells that complete them; none where anything is wrong."""
    from havre.client.references import familiar

    try:
        names = [familiar(entry.name) for entry in local_store().entries() if entry.name]
    except (HavreError, OSError):
        return []
    return sorted(name for name in names if name.startswith(incomplete))


def find_local(store: Layout, text: str) -> tuple[str, Descriptor]:
    """An image of the local store by its name, or by the first digits of its ID. Raises ManifestUnknown."""
    from havre.client.references import HUB, RemoteImage, familiar

    entries = store.entries()
    by_name = {entry.name: entry.descriptor for entry in entries}
    digits = text.removeprefix("sha256:")
    if len(digits) >= 4 and set(digits) <= set("0123456789abcdef"):
        fitting = {
            entry.descriptor.digest: entry for entry in entries if entry.descriptor.digest.encoded.startswith(digits)
        }
        if len(fitting) > 1:
            raise ManifestUnknown(f"several local images have an ID that begins with {digits}: write more of it")
        for entry in fitting.values():
            return entry.name, entry.descriptor
    if text.startswith("sha256:"):
        raise ManifestUnknown(f"no local image has the ID {text}; havre images lists them")
    # Archives name their images as docker does, whatever registry is the default here.
    names = [str(RemoteImage.parse(text, registry)) for registry in (default_registry(), HUB)]
    for name in names:
        if name in by_name:
            return name, by_name[name]
    raise ManifestUnknown(
        f"an image does not exist locally with the tag: {familiar(names[0])}; havre images lists them"
    )


def chosen_platform(text: str | None) -> Platform:
    """The platform that was asked for, else the one that containers on this machine have. Raises NameInvalid."""
    if text is None:
        machine = platform.machine().lower()
        text = f"linux/{_ARCHITECTURES.get(machine, machine)}"
    parts = text.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise NameInvalid(f"invalid platform {text!r}: write os/architecture[/variant], such as linux/arm64")
    return Platform(*parts)
