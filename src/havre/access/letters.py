"""Letters: each is a durable job, ordered with the change it tells of, and written when its turn comes.

A job holds who is written to and why, never a usable link: the secret of a link is made at the moment of sending, for
each try anew, and the rows keep its hash. What was ordered survives a restart, is tried for a day, and then counts as
failed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from havre.access.ports import Metadata, Post, Rows
from havre.access.records import Letter, MailedLink, Purpose, Subject, User
from havre.registry.job_ports import JobRecord
from havre.registry.jobs import Patience, order
from havre.registry.ports import Clock
from havre.registry.records import Instant

LETTER = "letter"
"""The kind of job."""

HOUR = 3_600_000
LIVES = {Purpose.RESET: HOUR, Purpose.VERIFY: 48 * HOUR}
"""Milliseconds for which a link is good, from when it was sent."""

PATIENCE = Patience(attempts=60, first=10_000, factor=2, longest=4 * HOUR, age=24 * HOUR)
"""After 10 seconds, 20, 40, … four hours at most, and a last time after a day. Attempts that die count as well."""

_PURPOSES = {Subject.VERIFY: Purpose.VERIFY, Subject.RESET: Purpose.RESET}


def order_letter(
    rows: Rows, subject: Subject, user: User | None, at: Instant, *, to: str = "", link: str = "", detail: str = ""
) -> None:
    """Order a letter, in the unit of work that it tells of. Raises Unavailable if very many are waiting.

    ``to`` is another address than the account's own, ``link`` all of an address but the secret at its end. Without a
    ``user`` the same is written and nothing sent, so that nobody learns from the time it takes who has an account.
    """
    key = f"{subject.value} {secrets.token_hex(6)}"
    order(rows, LETTER, key, {"user": user.id if user else 0, "to": to, "link": link, "detail": detail}, at)


def hash_of_link(secret: str) -> bytes:
    """What rows keep of the secret of a link."""
    return hashlib.sha256(secret[:200].encode(errors="surrogatepass")).digest()


class Letters:
    """Does the jobs: makes each letter, and hands it to the post."""

    def __init__(self, metadata: Metadata, post: Post, clock: Clock) -> None:
        self._metadata = metadata
        self._post = post
        self._clock = clock

    async def work(self, job: JobRecord, progress: Callable[[int, int], None]) -> None:
        """Send the letter of a job. Raises what the post raises."""
        letter = await self._make(job)
        if letter is not None:
            await self._post.send(letter)

    async def _make(self, job: JobRecord) -> Letter | None:
        """The letter, with a fresh link if it has one; none for an account that is not there or shut out by now."""
        subject, values, now = Subject(job.key.partition(" ")[0]), job.values, self._clock()
        secret = secrets.token_urlsafe(32) if subject in _PURPOSES else ""

        def work(rows: Rows) -> User | None:
            user = rows.accounts.get(values["user"])
            if user is None or user.disabled:
                return None
            if secret:
                purpose = _PURPOSES[subject]
                link = MailedLink(user.id, purpose, values["to"] or user.email, now + LIVES[purpose])
                rows.mailed_links.add(hash_of_link(secret), link, now)
            return user

        user = await (self._metadata.write(work) if secret else self._metadata.read(work))
        if user is None:
            return None
        link = values["link"] + secret if secret else ""
        return Letter(subject, values["to"] or user.email, user.name, user.language, link, values["detail"])
