"""Ports of what can be watched as it happens. Part of the unit of work of ``ports``, and under its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from havre.oci.names import RepositoryName
from havre.registry.records import UploadInFlight


class LiveRows(Protocol):
    """Uploads in flight, for who watches them."""

    def uploads(self, name: RepositoryName, limit: int) -> Sequence[UploadInFlight]:
        """At most ``limit`` uploads to this repository, in the order they began."""

    def report(self, sizes: Mapping[str, int]) -> None:
        """Note how many bytes of these uploads have arrived so far; uploads that ended meanwhile are left out."""
