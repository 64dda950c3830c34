"""Small content for the stores: people, digests and manifests, made in one line."""

from havre.metadata import Rows
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.records import BlobRecord, ManifestRecord, Repository, Visibility


def digest(text: object) -> Digest:
    """The digest of some text."""
    return Digest.of(str(text).encode())


def person(rows: Rows, name: str, *, is_admin: bool = False) -> int:
    """An account with its namespace; returns its id."""
    return rows.accounts.add(name, f"{name}@example.org", "$argon2id$", is_admin, Visibility.PUBLIC, 1).id


def repository(rows: Rows, name: str, visibility: Visibility = Visibility.PUBLIC) -> Repository:
    """A repository; the namespace must exist."""
    return rows.repositories.add(RepositoryName(name), visibility, 10)


def linked_blob(rows: Rows, repository_id: int, text: object) -> BlobRecord:
    """Content known and linked to a repository."""
    blob = rows.blobs.add(BlobRecord(digest(text), len(str(text)), f"blobs/{text}"), 10)
    rows.blobs.link(repository_id, blob.digest, 11)
    return blob


def manifest(text: object, **fields: object) -> ManifestRecord:
    """A manifest whose content is ``text``."""
    content = str(text).encode()
    values = {"media_type": "application/vnd.oci.image.manifest.v1+json", "created": 20, **fields}
    return ManifestRecord(digest=digest(text), content=content, size=len(content), **values)  # type: ignore[arg-type]
