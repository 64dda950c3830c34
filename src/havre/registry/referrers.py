"""Referrers: the manifests whose subject is a digest (distribution spec, "Listing Referrers")."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from havre.errors import NameUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.naming import follow
from havre.registry.ports import Metadata, Rows
from havre.registry.records import ManifestRecord


class Referrers:
    """Lists signatures, attestations and whatever else points at a manifest."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    async def page(
        self, name: RepositoryName, subject: Digest, artifact_types: Collection[str], after: str, limit: int
    ) -> Sequence[ManifestRecord]:
        """At most ``limit`` referrers by digest after ``after``, of these artifact types (of any if empty).

        The subject need not exist, nor the repository: clients take a 404 to mean that there is no such API, and would
        write a tag for every referrer instead.
        """

        def work(rows: Rows) -> Sequence[ManifestRecord]:
            try:
                repository = follow(rows, name)
            except NameUnknown:
                return ()
            return rows.manifests.referrers(repository.id, subject, artifact_types, after, limit)

        return await self._metadata.read(work)
