"""Rows: the stores of all nouns over one connection, each made when it is first asked for."""

from __future__ import annotations

from functools import cached_property

from sqlalchemy import Connection

from havre.metadata.access_tokens import AccessTokenRows
from havre.metadata.accounts import AccountRows
from havre.metadata.audit import AuditRows
from havre.metadata.blobs import BlobRows
from havre.metadata.login_failures import LoginFailureRows
from havre.metadata.manifests import ManifestRows
from havre.metadata.readmes import ReadmeRows
from havre.metadata.repositories import RepositoryRows
from havre.metadata.sessions import SessionRows
from havre.metadata.settings import SettingRows
from havre.metadata.tags import TagRows
from havre.metadata.uploads import UploadRows


class Rows:
    """One unit of work. A store keeps nothing between units, so the same ``Rows`` serves a connection for life."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        """For what no store offers, such as maintenance."""

    @cached_property
    def repositories(self) -> RepositoryRows:
        """Repositories and namespaces."""
        return RepositoryRows(self.connection)

    @cached_property
    def readmes(self) -> ReadmeRows:
        """Overviews of repositories."""
        return ReadmeRows(self.connection)

    @cached_property
    def blobs(self) -> BlobRows:
        """Content and its links."""
        return BlobRows(self.connection)

    @cached_property
    def manifests(self) -> ManifestRows:
        """Manifests and what they point at."""
        return ManifestRows(self.connection)

    @cached_property
    def tags(self) -> TagRows:
        """Tags and their moves."""
        return TagRows(self.connection)

    @cached_property
    def uploads(self) -> UploadRows:
        """Uploads in flight."""
        return UploadRows(self.connection)

    @cached_property
    def accounts(self) -> AccountRows:
        """Accounts."""
        return AccountRows(self.connection)

    @cached_property
    def sessions(self) -> SessionRows:
        """Browsers that are signed in."""
        return SessionRows(self.connection)

    @cached_property
    def access_tokens(self) -> AccessTokenRows:
        """Personal access tokens."""
        return AccessTokenRows(self.connection)

    @cached_property
    def login_failures(self) -> LoginFailureRows:
        """Wrong passwords, counted."""
        return LoginFailureRows(self.connection)

    @cached_property
    def settings(self) -> SettingRows:
        """What the instance knows about itself."""
        return SettingRows(self.connection)

    @cached_property
    def audit(self) -> AuditRows:
        """Who did what."""
        return AuditRows(self.connection)
