"""Certificates: what people have put aside for single registries, in the folders where docker and podman look.

For ``hub.example.org:5000`` that is a folder of this name in ``/etc/docker/certs.d``, ``~/.docker/certs.d``,
``/etc/containers/certs.d`` or ``~/.config/containers/certs.d``. In it ``*.crt`` are authorities to trust beside the
system's, and a pair ``NAME.cert`` and ``NAME.key`` is shown to a registry that asks who calls.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from havre.errors import ConfigError

MAX_FILES = 100
"""Files of one registry's folder that are looked at."""


@dataclass(frozen=True, slots=True)
class HostCertificates:
    """What counts for one registry beside the settings for all."""

    authorities: tuple[Path, ...] = ()
    pair: tuple[Path, Path] | None = None
    """A certificate and its key."""

    def load_into(self, context: ssl.SSLContext) -> None:
        """Raises ConfigError, which names the file, when one can not be used."""
        for path in self.authorities:
            try:
                context.load_verify_locations(path)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"{path} holds no certificate that can be read ({error}); repair or remove it"
                ) from error
        if self.pair:
            certificate, key = self.pair
            try:
                context.load_cert_chain(certificate, key)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"{certificate} and {key} are no certificate and its key: {error}") from error


def folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where docker and podman look, a person's own folders first."""
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return (
        Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "certs.d",
        config / "containers/certs.d",
        config / "docker/certs.d",
        Path("/etc/containers/certs.d"),
        Path("/etc/docker/certs.d"),
    )


def find(host: str, places: Sequence[Path]) -> HostCertificates:
    """What the first folder for ``host[:port]`` holds. Raises ConfigError for a certificate without its key."""
    if not host or "/" in host or host.startswith("."):
        return HostCertificates()
    for place in places:
        folder = place / host
        try:
            files = sorted(folder.iterdir())[:MAX_FILES]
        except OSError:
            continue
        pair = None
        for path in files:
            if path.suffix == ".cert":
                key = path.with_suffix(".key")
                if not key.exists():
                    raise ConfigError(f"{path} has no key beside it: put it into {key}")
                pair = pair or (path, key)
        return HostCertificates(tuple(path for path in files if path.suffix == ".crt"), pair)
    return HostCertificates()
