"""Giving up what root may: the port and the certificate are opened as root, all else is done as an ordinary account.

Nothing is left that leads back: the groups, the group and the user are set for good, and the parent forks its workers
only afterwards.
"""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from havre.errors import ConfigError


def drop(user: str, data: Path) -> None:
    """Become ``user``, to whom a new ``data`` folder is given. Nothing happens if we are that user already.

    Raises ConfigError if there is no such account, if it is root, if we are neither root nor that account, or if that
    account can not read Python and Havre.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"user is {user!r}, but this machine has no such account") from None
    if account.pw_uid == 0:
        raise ConfigError("user is root: name an account that may do less, or leave it out to serve as root")
    if os.geteuid() == account.pw_uid:
        return
    if os.geteuid() != 0:
        raise ConfigError(f"user is {user!r}, but only root can become someone else: start as root, or as {user}")
    if not data.exists():
        data.mkdir(mode=0o700, parents=True)
        os.chown(data, account.pw_uid, account.pw_gid)
    modules = [place for place in sys.path if os.path.exists(place)]  # noqa: PTH110 (entries need not be paths)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if 0 in {*os.getresuid(), *os.getresgid()}:
        raise ConfigError(f"user is {user!r}, but this process could not become it for good")
    os.environ["HOME"] = account.pw_dir
    _check_reach(user, modules)


def _check_reach(user: str, places: list[str]) -> None:
    # An interpreter in root's home would fail at the first module not loaded yet, in the middle of a request.
    for place in places:
        if not os.access(place, os.R_OK):
            raise ConfigError(
                f"user is {user!r}, but that account can not read {place}, where a part of Havre's Python is: "
                "install Havre with a Python that everyone on this machine can read, for example the system's"
            )


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where certificate and key are read from: their files, or copies in memory where only root reads those."""

    chain: Path
    key: Path
    copies: tuple[int, int] | None = None
    """Descriptors of what was read as root."""

    def kept(self) -> Certificate:
        """The same with copies in memory, for who can not read the files any more."""
        return Certificate(self.chain, self.key, (_copy(self.chain), _copy(self.key)))

    def places(self) -> tuple[str, str]:
        """What to load now: the files if both can be read, so that a renewed certificate is found; else the copies."""
        readable = os.access(self.chain, os.R_OK) and os.access(self.key, os.R_OK)
        if self.copies is None or readable:
            return str(self.chain), str(self.key)
        return f"/proc/self/fd/{self.copies[0]}", f"/proc/self/fd/{self.copies[1]}"


def _copy(path: Path) -> int:
    descriptor = os.memfd_create(path.name[:200], os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as stream:
        stream.write(path.read_bytes())
    return descriptor
