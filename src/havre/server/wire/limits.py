"""How long a client may keep us waiting, and how much may go on at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """Where a connection stands."""

    IDLE = "idle"
    """Between two requests."""
    HEAD = "head"
    """From the first byte of a head to its last."""
    EXCHANGE = "exchange"
    """A request is being answered."""
    LINGER = "linger"
    """It was answered before it had arrived. The rest is taken for nobody, so that the client comes to read."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for each stage, and counts per worker."""

    idle: float = 75
    head: float = 30
    exchange: float = 60
    """Without a byte of a body that is waited for, or without one taken of an answer."""
    linger: float = 10
    rate: float = 256
    """Bytes a second that a body we wait for, or an answer that is being taken, moves at least, measured over spans of
    ``exchange`` seconds in which the client keeps us waiting: or a byte a minute would hold a place for ever. 0: any.
    """
    connections: int = 4096
    """Open at a time. Beyond, one that is idle makes room; if there is none, the new one is refused."""
    active: int = 512
    """Requests answered at a time; further ones wait."""
    waiting: int = 1024
    """Requests that wait; further ones are refused with 503, so that an overload is told and not grown."""
    wait: float = 10
    """Seconds that a request waits at most, before it is refused in the same way."""

    def seconds(self, stage: Stage) -> float:
        """For a stage."""
        if stage is Stage.IDLE:
            return self.idle
        if stage is Stage.HEAD:
            return self.head
        return self.exchange if stage is Stage.EXCHANGE else self.linger
