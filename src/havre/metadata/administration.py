"""What administrators look at, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)

from havre.access.administration_ports import (
    Account,
    AnyRepository,
    ContentCount,
    Counts,
    RepositoryOrder,
    Shown,
    UserOrder,
)
from havre.metadata.quotas import DEFAULT_PLAN, PRIVATE_USED, STORED
from havre.metadata.schema import (
    blobs,
    namespaces,
    plans,
    repositories,
    repository_blobs,
    settings,
    uploads,
    users,
)
from havre.metadata.statements import contains, insert
from havre.registry.records import Visibility

_REMEMBERED = "content_count"
_ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def _how_many(column: ColumnElement[Any], *where: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(column.table).where(*where).scalar_subquery()


_ALIVE = repositories.c.deleted.is_(None)
_PRIVATE = repositories.c.visibility == literal(Visibility.PRIVATE.value, literal_execute=True)
_COUNTS = select(
    _how_many(users.c.id, users.c.closed.is_(None)),
    _how_many(users.c.id, users.c.is_admin),
    _how_many(users.c.id, users.c.disabled, users.c.closed.is_(None)),
    _how_many(repositories.c.id, _ALIVE),
    _how_many(repositories.c.id, _PRIVATE, _ALIVE),
    _how_many(repositories.c.id, repositories.c.deleted.is_not(None)),
    _how_many(uploads.c.id),
    select(func.coalesce(func.sum(uploads.c.size), 0)).scalar_subquery(),
)
_SLICE = (
    select(
        blobs.c.id,
        blobs.c.size,
        exists().where(repository_blobs.c.blob_id == blobs.c.id).label("linked"),
        exists()
        .where(repository_blobs.c.blob_id == blobs.c.id)
        .where(repositories.c.id == repository_blobs.c.repository_id, _ALIVE)
        .label("alive"),
    )
    .where(blobs.c.id > bindparam("after"))
    .order_by(blobs.c.id)
    .limit(bindparam("limit"))
    .subquery()
)


def _bytes_if(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, _SLICE.c.size), else_=0)), 0)


_CONTENT = select(
    func.max(_SLICE.c.id),
    func.count(),
    func.coalesce(func.sum(_SLICE.c.size), 0),
    _bytes_if(~_SLICE.c.linked),
    _bytes_if(_SLICE.c.linked & ~_SLICE.c.alive),
)
_ACCOUNT = (
    select(
        users.c.id,
        users.c.name,
        users.c.email,
        users.c.is_admin,
        users.c.disabled,
        plans.c.title,
        PRIVATE_USED,
        STORED,
        users.c.created,
        users.c.closed,
    )
    .join_from(users, namespaces, namespaces.c.user_id == users.c.id)
    .outerjoin(plans, plans.c.id == func.coalesce(users.c.plan_id, DEFAULT_PLAN))
)
_REPOSITORY = select(
    repositories.c.path,
    repositories.c.visibility,
    repositories.c.storage,
    repositories.c.pulls,
    repositories.c.updated,
    repositories.c.deleted,
    repositories.c.deleted_path,
    repositories.c.archived,
)
_USER_ORDERS: dict[UserOrder, tuple[ColumnElement[Any], ...]] = {
    UserOrder.NAME: (users.c.name.asc(),),
    UserOrder.NEWEST: (users.c.id.desc(),),
    UserOrder.STORAGE: (namespaces.c.storage.desc(), namespaces.c.id.desc()),
}
_REPOSITORY_ORDERS: dict[RepositoryOrder, tuple[ColumnElement[Any], ...]] = {
    RepositoryOrder.NAME: (repositories.c.path.asc(),),
    RepositoryOrder.STORAGE: (repositories.c.storage.desc(), repositories.c.id.desc()),
    RepositoryOrder.PUSHED: (repositories.c.updated.desc(), repositories.c.id.desc()),
    RepositoryOrder.PULLS: (repositories.c.pulls.desc(), repositories.c.id.desc()),
}
_ADMINISTRATORS = select(func.count()).select_from(users).where(users.c.is_admin, users.c.disabled.is_(False))


def _account(row: Sequence[Any]) -> Account:
    identity, name, email, is_admin, disabled, plan, private_used, stored, created, closed = row
    shown = "" if is_admin or plan is None else plan
    return Account(
        identity,
        name,
        email,
        bool(is_admin),
        bool(disabled),
        shown,
        private_used,
        int(stored),
        created,
        closed is not None,
    )


def _repository(row: Sequence[Any]) -> AnyRepository:
    path, visibility, storage, pulls, updated, deleted, deleted_path, archived = row
    shown = deleted_path or path
    return AnyRepository(shown, Visibility(visibility), storage, pulls, updated, deleted, archived is not None)


class AdministrationRows:
    """See ``havre.access.administration_ports.AdministrationRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def counts(self) -> Counts:
        """How much there is."""
        dialect = self._connection.dialect
        version = ".".join(map(str, dialect.server_version_info or ()))
        users_, admins, disabled, alive, private, deleted, count, size = self._connection.execute(_COUNTS).one()
        schema = self._connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        engine = f"{_ENGINES.get(dialect.name, dialect.name)} {version}"
        return Counts(users_, admins, disabled, alive, private, deleted, count, int(size), schema, engine)

    def content(self, after: int, limit: int) -> tuple[int, ContentCount] | None:
        """The next ``limit`` blobs after an id, counted, and the last id; None when there are no more."""
        last, *numbers = self._connection.execute(_CONTENT, {"after": after, "limit": limit}).one()
        return None if last is None else (last, ContentCount(0, *map(int, numbers)))

    def users(self, text: str, order: UserOrder, offset: int, limit: int) -> tuple[Sequence[Account], int]:
        """Accounts whose name or address contains ``text``, and how many there are."""
        count: Select[Any] = select(func.count()).select_from(users)
        page = _ACCOUNT
        if text:
            matches = or_(
                contains(self._connection, users.c.name, text), contains(self._connection, users.c.email, text)
            )
            count, page = count.where(matches), page.where(matches)
        total = self._connection.execute(count).scalar_one()
        found = self._connection.execute(page.order_by(*_USER_ORDERS[order]).offset(offset).limit(limit))
        return [_account(row) for row in found], total

    def user(self, name: str) -> Account | None:
        """One of them."""
        row = self._connection.execute(_ACCOUNT.where(users.c.name == name)).first()
        return _account(row) if row else None

    def repositories(
        self, text: str, shown: Shown, order: RepositoryOrder, offset: int, limit: int
    ) -> tuple[Sequence[AnyRepository], int]:
        """Repositories whose path contains ``text``, and how many there are."""
        matches: list[ColumnElement[bool]] = [_ALIVE if shown is not Shown.DELETED else ~_ALIVE]
        if shown in {Shown.PUBLIC, Shown.PRIVATE}:
            matches.append(repositories.c.visibility == shown.value)
        if text:
            path = repositories.c.deleted_path if shown is Shown.DELETED else repositories.c.path
            matches.append(contains(self._connection, path, text))
        count = select(func.count()).select_from(repositories).where(*matches)
        total = self._connection.execute(count).scalar_one()
        page = _REPOSITORY.where(*matches).order_by(*_REPOSITORY_ORDERS[order]).offset(offset).limit(limit)
        return [_repository(row) for row in self._connection.execute(page)], total

    def change(self, user_id: int, is_admin: bool) -> None:
        """Make an account an administrator, or an ordinary one."""
        self._connection.execute(update(users).where(users.c.id == user_id).values(is_admin=is_admin))

    def administrators(self) -> int:
        """How many administrators could sign in."""
        return self._connection.execute(_ADMINISTRATORS).scalar_one()

    def remember(self, count: ContentCount | None) -> ContentCount | None:
        """Keep what was counted, in place of the last count; None only asks for that."""
        if count is not None:
            value = orjson.dumps(asdict(count)).decode()
            statement = insert(self._connection, settings).values(key=_REMEMBERED, value=value)
            self._connection.execute(
                statement.on_conflict_do_update(index_elements=[settings.c.key], set_={"value": value})
            )
            return count
        known = self._connection.execute(select(settings.c.value).where(settings.c.key == _REMEMBERED)).scalar()
        return ContentCount(**orjson.loads(known)) if known else None
