"""Referrers: the manifests whose subject is a digest (distribution spec, "Listing Referrers")."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from havre.errors import ManifestInvalid, NameUnknown
from havre.oci.digest import Digest
from havre.oci.manifest import parse
from havre.oci.names import RepositoryName, Tag
from havre.registry.naming import follow
from havre.registry.ports import Metadata, Rows
from havre.registry.records import Instant, ManifestRecord

ATTACHED = 100
"""Referrers of one manifest that people are shown."""

_SUFFIXES = {".sig": "signature", ".att": "attestation", ".sbom": "sbom"}
"""What cosign appends to the digest of an image to name what it says about it."""

_WORDS = (
    ("signature", "signature"),
    ("cosign.artifact.sig", "signature"),
    ("sigstore.bundle", "signature"),
    ("spdx", "sbom"),
    ("cyclonedx", "sbom"),
    ("syft", "sbom"),
    ("sbom", "sbom"),
    ("in-toto", "attestation"),
    ("slsa", "attestation"),
    ("attestation", "attestation"),
)


@dataclass(frozen=True, slots=True)
class Attached:
    """Something that was said about a manifest: by a referrer, by a tag of cosign's, or within its index."""

    digest: Digest
    kind: str
    """``signature``, ``attestation``, ``sbom`` or ``other``."""
    type: str
    """The artifact type, or the types of the statements within; empty if unknown."""
    size: int
    created: Instant
    tag: Tag | None = None
    """The tag that names it, when it is found by one."""


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

    async def attached(
        self, name: RepositoryName, subjects: Collection[Digest], within: Collection[Digest] = ()
    ) -> Sequence[Attached]:
        """What is said about any of ``subjects``, and by the manifests ``within`` their index; newest last.

        Raises NameUnknown. At most ATTACHED by the referrers of one subject.
        """

        def work(rows: Rows) -> list[Attached]:
            repository = follow(rows, name)
            found: dict[Digest, Attached] = {}
            for digest in within:
                record = rows.manifests.get(repository.id, digest)
                if record is not None:
                    found[digest] = _said_by(record)
            for subject in subjects:
                for record in rows.manifests.referrers(repository.id, subject, (), "", ATTACHED):
                    found.setdefault(record.digest, _said_by(record))
                for suffix, kind in _SUFFIXES.items():
                    tag = Tag(str(subject).replace(":", "-", 1) + suffix)
                    record = rows.manifests.tagged(repository.id, tag)
                    if record is not None:
                        said = _said_by(record)
                        found[record.digest] = Attached(
                            record.digest, kind, said.type, record.total_size, record.created, tag
                        )
            return sorted(found.values(), key=lambda one: (one.created, one.digest))

        return await self._metadata.read(work)


def kind_of(types: Iterable[str]) -> str:
    """What media types or predicates amount to."""
    found = {next((kind for word, kind in _WORDS if word in named.lower()), "other") for named in types}
    # What says several things, as a bill of materials with how it was built, is an attestation of them all.
    return found.pop() if len(found) == 1 else "attestation" if found else "other"


def _said_by(record: ManifestRecord) -> Attached:
    types = [record.artifact_type] if record.artifact_type else []
    if record.content:
        try:
            manifest = parse(record.media_type, record.content)
        except ManifestInvalid:
            manifest = None
        predicates = (
            [one.annotations.get("in-toto.io/predicate-type", "") for one in manifest.layers] if manifest else []
        )
        types = list(dict.fromkeys(one for one in predicates if one)) or types
    return Attached(record.digest, kind_of(types), ", ".join(types)[:300], record.total_size, record.created)
