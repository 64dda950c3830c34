"""Giving up what root may: the port and the certificate are opened as root, all else is done as an ordinary account.

Nothing is left that leads back: the groups, the group and the user are set for good, and the parent forks its workers
only afterwards.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from havre.errors import ConfigError


def drop(user: str, data: Path) -> None:
    """Become ``user``, to whom a new ``data`` folder is given. Nothing happens if we are that user already.

    Raises ConfigError if there is no such account, if it is root, or if we are neither root nor that account.
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
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if 0 in {*os.getresuid(), *os.getresgid()}:
        raise ConfigError(f"user is {user!r}, but this process could not become it for good")
    os.environ["HOME"] = account.pw_dir


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
