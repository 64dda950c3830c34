"""The shapes of the JSON API. Times are RFC 3339 in UTC, sizes are bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from havre.access.actors import Action, Grant
from havre.access.records import AccessToken, User
from havre.registry.records import Collaborator, DeletedRepository, Instant, Page, Repository, Role, Visibility
from havre.registry.repositories import CATEGORIES, MAX_DESCRIPTION, MAX_README


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text without null characters and half surrogates")
    return text


Text = Annotated[str, AfterValidator(_storable)]


class Strict(BaseModel):
    """What callers send: a misspelt field is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


class UserOut(BaseModel):
    """The account that calls."""

    name: str
    email: str
    is_admin: bool
    default_visibility: Visibility
    created: datetime

    @classmethod
    def of(cls, user: User) -> UserOut:
        """From the record."""
        return cls(
            name=user.name,
            email=user.email,
            is_admin=user.is_admin,
            default_visibility=user.default_visibility,
            created=moment(user.created),
        )


class GrantModel(Strict):
    """Actions on the repositories whose path matches a pattern; ``*`` stands for any characters."""

    pattern: Text = Field(max_length=255, examples=["marin/*"])
    actions: set[Action] = Field(min_length=1)

    def grant(self) -> Grant:
        """As a checked value; raises InputInvalid."""
        return Grant.parse(self.pattern, frozenset(self.actions))


class AccessTokenIn(Strict):
    """A personal access token to be made."""

    label: Text = Field(max_length=100)
    grants: list[GrantModel] = Field(min_length=1, max_length=32)
    expires: AwareDatetime | None = Field(None, description="With a time zone; left out, the token does not expire.")


class AccessTokenOut(BaseModel):
    """A personal access token, without its secret."""

    uid: str
    label: str
    hint: str = Field(description="The last four characters of the secret.")
    grants: list[GrantModel]
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    last_address: str
    last_client: str

    @classmethod
    def of(cls, token: AccessToken) -> AccessTokenOut:
        """From the record."""
        return cls(
            uid=token.uid,
            label=token.label,
            hint=token.hint,
            grants=[GrantModel(pattern=one.pattern, actions=set(one.actions)) for one in token.grants],
            created=moment(token.created),
            expires=moment(token.expires) if token.expires is not None else None,
            last_used=moment(token.last_used) if token.last_used is not None else None,
            last_address=token.last_address,
            last_client=token.last_client,
        )


class AccessTokenMade(BaseModel):
    """A new token with its secret, which can never be read again."""

    secret: str
    token: AccessTokenOut


class RepositoryOut(BaseModel):
    """A repository."""

    name: str
    visibility: Visibility
    description: str
    pulls: int
    stars: int
    archived: datetime | None = Field(description="Since when it can only be read.")
    categories: list[str]
    created: datetime
    updated: datetime = Field(description="The last push.")

    @classmethod
    def of(cls, repository: Repository) -> RepositoryOut:
        """From the record."""
        return cls(
            name=repository.name,
            visibility=repository.visibility,
            description=repository.description,
            pulls=repository.pulls,
            stars=repository.stars,
            archived=moment(repository.archived) if repository.archived is not None else None,
            categories=list(repository.categories),
            created=moment(repository.created),
            updated=moment(repository.updated),
        )


class RepositoryChange(Strict):
    """What to change; what is left out stays as it is."""

    description: Text | None = Field(None, max_length=MAX_DESCRIPTION)
    readme: Text | None = Field(None, max_length=MAX_README)
    visibility: Visibility | None = None
    categories: list[Text] | None = Field(None, max_length=len(CATEGORIES), examples=[["databases"]])
    archived: bool | None = Field(None, description="Whether it can only be read.")
    name: Text | None = Field(
        None, max_length=255, description="Within its namespace. The old name leads to the new one. For owners."
    )


class RoleIn(Strict):
    """What a collaborator may do."""

    role: Role


class CollaboratorOut(BaseModel):
    """Someone with a role in the repository."""

    name: str
    role: Role
    created: datetime

    @classmethod
    def of(cls, one: Collaborator) -> CollaboratorOut:
        """From the record."""
        return cls(name=one.name, role=one.role, created=moment(one.created))


class DeletedOut(BaseModel):
    """A repository that was deleted and can still come back."""

    id: int
    name: str
    visibility: Visibility
    deleted: datetime
    until: datetime = Field(description="When it is removed for good.")

    @classmethod
    def of(cls, one: DeletedRepository, until: Instant) -> DeletedOut:
        """From the record."""
        return cls(
            id=one.id, name=one.name, visibility=one.visibility, deleted=moment(one.deleted), until=moment(until)
        )


class RepositoryWhole(RepositoryOut):
    """A repository with its overview."""

    readme: str = Field(description="The overview, in Markdown.")

    @classmethod
    def whole(cls, repository: Repository, readme: str) -> RepositoryWhole:
        """From the record and its text."""
        return cls(**RepositoryOut.of(repository).model_dump(), readme=readme)


class RepositoryPage(BaseModel):
    """One page of repositories."""

    total: int
    page: int
    per_page: int
    repositories: list[RepositoryOut]

    @classmethod
    def of(cls, page: Page[Repository]) -> RepositoryPage:
        """From a page of records."""
        found = [RepositoryOut.of(one) for one in page.items]
        return cls(total=page.total, page=page.number, per_page=page.per_page, repositories=found)


def moment(instant: Instant) -> datetime:
    """An instant as the API writes it."""
    return datetime.fromtimestamp(instant / 1000, UTC)
