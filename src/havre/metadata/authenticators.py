"""The rows of second factors and of the recovery codes beside them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from havre.access.records import Authenticator, AuthenticatorKey, Factor
from havre.errors import Conflict
from havre.metadata.schema import authenticators, recovery_codes
from havre.metadata.statements import insert_new
from havre.registry.records import Instant


class AuthenticatorRows:
    """See ``havre.access.ports.AuthenticatorRows``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        user_id: int,
        kind: Factor,
        label: str,
        key: bytes,
        at: Instant,
        credential: bytes = b"",
        counter: int = 0,
        confirmed: Instant | None = None,
    ) -> Authenticator:
        """Remember a new one. Raises Conflict if the passkey with this ``credential`` is known already."""
        statement = insert_new(self._connection, authenticators).returning(authenticators.c.id)
        values = {
            "user_id": user_id,
            "kind": kind.value,
            "label": label,
            "credential": credential or None,
            "key": key,
            "counter": counter,
            "confirmed": confirmed,
            "created": at,
        }
        made = self._connection.execute(statement, values).scalar_one_or_none()
        if made is None:
            raise Conflict("this passkey is in use already: choose another device or key")
        return Authenticator(made, user_id, kind, label, at, confirmed)

    def of(self, user_id: int) -> Sequence[AuthenticatorKey]:
        """An account's, confirmed or not, the oldest first."""
        statement = (
            select(authenticators).where(authenticators.c.user_id == user_id).order_by(authenticators.c.id).limit(100)
        )
        return [
            AuthenticatorKey(
                Authenticator(
                    row.id, row.user_id, Factor(row.kind), row.label, row.created, row.confirmed, row.last_used
                ),
                bytes(row.key),
                bytes(row.credential or b""),
                row.counter,
            )
            for row in self._connection.execute(statement)
        ]

    def use(self, authenticator_id: int, counter: int, at: Instant) -> bool:
        """Move the counter on and confirm what was not; False if ``counter`` is no step forward."""
        table = authenticators.c
        statement = (
            update(authenticators)
            .where(table.id == authenticator_id, or_(table.counter < counter, table.counter + counter == 0))
            .values(counter=counter, last_used=at, confirmed=func.coalesce(table.confirmed, at))
        )
        return self._connection.execute(statement).rowcount > 0

    def delete(self, user_id: int, authenticator_id: int) -> bool:
        """Forget one of this account's; False if there was none."""
        mine = (authenticators.c.user_id == user_id, authenticators.c.id == authenticator_id)
        return self._connection.execute(delete(authenticators).where(*mine)).rowcount > 0

    def delete_all(self, user_id: int) -> int:
        """Forget all of an account's, with its recovery codes; returns how many authenticators there were."""
        self._connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
        return self._connection.execute(delete(authenticators).where(authenticators.c.user_id == user_id)).rowcount

    def replace_codes(self, user_id: int, hashes: Sequence[bytes]) -> None:
        """Give an account new recovery codes in place of the old ones."""
        self._connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
        if hashes:
            values = [{"user_id": user_id, "code_hash": one} for one in hashes]
            self._connection.execute(insert(recovery_codes), values)

    def use_code(self, user_id: int, code_hash: bytes, at: Instant) -> bool:
        """Use a recovery code up; False if it is none, or was used before."""
        table = recovery_codes.c
        statement = (
            update(recovery_codes)
            .where(table.user_id == user_id, table.code_hash == code_hash, table.used.is_(None))
            .values(used=at)
        )
        return self._connection.execute(statement).rowcount > 0

    def codes_left(self, user_id: int) -> int:
        """How many recovery codes have not been used."""
        table = recovery_codes.c
        statement = select(func.count()).where(table.user_id == user_id, table.used.is_(None))
        return int(self._connection.execute(statement).scalar_one())
