"""Letters that a Havre without a mail server left in its outbox."""

from __future__ import annotations

import asyncio
import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from havre.access.letters import LETTER
from havre.registry.job_ports import State
from havre.server.app import App

_LINK = re.compile(r"https?://\S+")


def letters(data: Path, to: str = "") -> list[EmailMessage]:
    """All of them, the oldest first; ``to`` one address alone."""
    found = [message_from_bytes(file.read_bytes(), policy=default) for file in sorted((data / "outbox").glob("*.eml"))]
    return [one for one in found if isinstance(one, EmailMessage) and (not to or str(one["To"]) == to)]


def link_in(letter: EmailMessage) -> str:
    """The one link of a letter, without scheme and host."""
    (link,) = _LINK.findall(letter.get_content())
    return re.sub(r"^https?://[^/]+", "", link)


async def written(app: App, seconds: float = 20) -> None:
    """Wait until every letter that was ordered is sent, or has failed."""
    async with asyncio.timeout(seconds):
        while {State.WAITING, State.RUNNING} & set(await app.database.read(lambda rows: rows.jobs.counts(LETTER))):  # noqa: ASYNC110 - rows tell nobody when they change
            await asyncio.sleep(0.005)
