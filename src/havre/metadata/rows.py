"""Rows: the stores of all nouns over one connection, each made when it is first asked for."""

from __future__ import annotations

from functools import cached_property

from sqlalchemy import Connection

from havre.metadata.access_tokens import AccessTokenRows
from havre.metadata.accounts import AccountRows
from havre.metadata.administration import AdministrationRows
from havre.metadata.audit import AuditRows
from havre.metadata.audit_sinks import AuditSinkRows
from havre.metadata.authenticators import AuthenticatorRows
from havre.metadata.belongings import BelongingRows
from havre.metadata.blobs import BlobRows
from havre.metadata.checks import CheckRows
from havre.metadata.collaborators import CollaboratorRows
from havre.metadata.garbage import GarbageRows
from havre.metadata.holders import HolderRows
from havre.metadata.jobs import JobRows
from havre.metadata.live import LiveRows
from havre.metadata.login_failures import LoginFailureRows
from havre.metadata.mailed_links import MailedLinkRows
from havre.metadata.manifests import ManifestRows
from havre.metadata.moves import MoveRows
from havre.metadata.plans import PlanRows
from havre.metadata.pull_counts import PullCountRows
from havre.metadata.pulls import PullRows
from havre.metadata.quotas import QuotaRows
from havre.metadata.readmes import ReadmeRows
from havre.metadata.redirects import RedirectRows
from havre.metadata.repositories import RepositoryRows
from havre.metadata.search import SearchRows
from havre.metadata.sessions import SessionRows
from havre.metadata.settings import SettingRows
from havre.metadata.stars import StarRows
from havre.metadata.tag_lists import TagListRows
from havre.metadata.tag_removal import RemovalRows
from havre.metadata.tags import TagRows
from havre.metadata.transfers import TransferRows
from havre.metadata.trees import TreeRows
from havre.metadata.untagged import UntaggedRows
from havre.metadata.uploads import UploadRows
from havre.metadata.usage import UsageRows


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
    def moves(self) -> MoveRows:
        """Repositories that change their name, or go and come back."""
        return MoveRows(self.connection)

    @cached_property
    def redirects(self) -> RedirectRows:
        """Former names of repositories."""
        return RedirectRows(self.connection)

    @cached_property
    def transfers(self) -> TransferRows:
        """Repositories offered to other accounts."""
        return TransferRows(self.connection)

    @cached_property
    def collaborators(self) -> CollaboratorRows:
        """Who has a role in whose repository."""
        return CollaboratorRows(self.connection)

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
    def tag_lists(self) -> TagListRows:
        """Sorted lists of tags."""
        return TagListRows(self.connection)

    @cached_property
    def removal(self) -> RemovalRows:
        """What goes with tags."""
        return RemovalRows(self.connection)

    @cached_property
    def live(self) -> LiveRows:
        """What happens right now."""
        return LiveRows(self.connection)

    @cached_property
    def pulls(self) -> PullRows:
        """Pulls by day."""
        return PullRows(self.connection)

    @cached_property
    def uploads(self) -> UploadRows:
        """Uploads in flight."""
        return UploadRows(self.connection)

    @cached_property
    def jobs(self) -> JobRows:
        """Work that must be done once."""
        return JobRows(self.connection)

    @cached_property
    def garbage(self) -> GarbageRows:
        """Links and content that may be garbage."""
        return GarbageRows(self.connection)

    @cached_property
    def holders(self) -> HolderRows:
        """Who has what, and what needs it."""
        return HolderRows(self.connection)

    @cached_property
    def untagged(self) -> UntaggedRows:
        """Manifests that no tag points at."""
        return UntaggedRows(self.connection)

    @cached_property
    def checks(self) -> CheckRows:
        """Everything, for who checks it."""
        return CheckRows(self.connection)

    @cached_property
    def trees(self) -> TreeRows:
        """What is inside layers and images."""
        return TreeRows(self.connection)

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
    def authenticators(self) -> AuthenticatorRows:
        """Second factors and recovery codes."""
        return AuthenticatorRows(self.connection)

    @cached_property
    def mailed_links(self) -> MailedLinkRows:
        """Links that were mailed."""
        return MailedLinkRows(self.connection)

    @cached_property
    def belongings(self) -> BelongingRows:
        """Everything that is held about an account."""
        return BelongingRows(self.connection)

    @cached_property
    def login_failures(self) -> LoginFailureRows:
        """Wrong passwords, counted."""
        return LoginFailureRows(self.connection)

    @cached_property
    def pull_counts(self) -> PullCountRows:
        """Pulls within six hours."""
        return PullCountRows(self.connection)

    @cached_property
    def settings(self) -> SettingRows:
        """What the instance knows about itself."""
        return SettingRows(self.connection)

    @cached_property
    def audit(self) -> AuditRows:
        """Who did what."""
        return AuditRows(self.connection)

    @cached_property
    def audit_sinks(self) -> AuditSinkRows:
        """How far the audit trail was told elsewhere."""
        return AuditSinkRows(self.connection)

    @cached_property
    def quotas(self) -> QuotaRows:
        """What namespaces may hold."""
        return QuotaRows(self.connection)

    @cached_property
    def search(self) -> SearchRows:
        """Repositories by their words and what they hold."""
        return SearchRows(self.connection)

    @cached_property
    def stars(self) -> StarRows:
        """Who starred what."""
        return StarRows(self.connection)

    @cached_property
    def plans(self) -> PlanRows:
        """Plans, and who has which."""
        return PlanRows(self.connection)

    @cached_property
    def usage(self) -> UsageRows:
        """What namespaces use."""
        return UsageRows(self.connection)

    @cached_property
    def administration(self) -> AdministrationRows:
        """Everything, for administrators."""
        return AdministrationRows(self.connection)
