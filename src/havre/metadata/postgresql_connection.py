"""Connections to PostgreSQL that wait for nothing without end: not for a statement, a lock, or a network that swallows.

A server that is there is told how long a statement may take, and ends it itself. One that has gone without a word, or
that a network has cut off, is noticed by the kernel (no packet acknowledged) or, behind something that acknowledges in
its place, by the client: it stops waiting a little later than the server would have.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from havre.metadata.engine import Limits

CONNECT_SECONDS = 5
"""For one attempt to connect to one address."""

NETWORK_SECONDS = 10
"""Without any acknowledgement from the other side, after which the kernel gives a connection up."""

LOCK_SECONDS = 10
"""For which a statement waits for a row, a table or an advisory lock that somebody else holds."""

IDLE_SECONDS = 60
"""Between two statements of one transaction: of a process that was stopped in its middle, locks must not stay."""

GRACE = 2
"""Seconds longer than the server ends a statement after, for which its answer is waited for."""

_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server does not answer within ``silence`` seconds."""

    silence: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg waits, but not for ever. Raises OperationalError, the connection being closed then."""
        bound = self.silence if timeout is None else timeout
        try:
            return super().wait(gen, interval, bound)
        except _WaitTimeout as error:
            if timeout is not None:
                raise
            # What the server may still send would be taken for the answer to the next statement.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {bound:.0f} seconds") from error


def make_engine(url: URL, limits: Limits | None = None) -> Engine:
    """An engine with a pool; connects on first use. Without ``limits`` statements take as long as they take.

    What the address itself says of time-outs, options or the application's name comes before what is set here.
    """
    own = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "havre",
        "tcp_user_timeout": NETWORK_SECONDS * 1000,
        **_KEEPALIVE,
    }
    arguments: dict[str, Any] = {name: value for name, value in own.items() if name not in url.query}
    if limits is not None:
        given = url.query.get("options", "")
        arguments["options"] = f"{_options(limits)} {given if isinstance(given, str) else ' '.join(given)}".rstrip()
    engine = create_engine(
        url,
        pool_size=limits.connections if limits else 1,
        max_overflow=0 if limits else 4,
        pool_timeout=CONNECT_SECONDS,
        hide_parameters=True,
        connect_args=arguments,
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, given: Any, named: dict[str, Any]) -> BoundedConnection:
        made = BoundedConnection.connect(*given, **named)
        if limits is not None:
            made.silence = limits.statement_seconds + GRACE
        return made

    return engine


def _options(limits: Limits) -> str:
    """What the server is told at the start of a session: this costs no round trip."""
    seconds = {
        "statement_timeout": limits.statement_seconds,
        "lock_timeout": min(LOCK_SECONDS, limits.statement_seconds),
        "idle_in_transaction_session_timeout": IDLE_SECONDS,
    }
    return " ".join(f"-c {name}={int(value * 1000)}" for name, value in seconds.items())
