"""Mailed links: they prove an e-mail address, and let in who forgot the password.

A link holds 256 random bits, the row their SHA-256. It is good once, and for an hour (two days to confirm an address).
Nothing here tells whether an account exists: the same is written for every name, the letter is made after the answer
(``letters``), and attempts are counted alike.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from havre.access.accounts import check_email
from havre.access.actors import Actor
from havre.access.audit import record
from havre.access.letters import LIVES, hash_of_link, order_letter
from havre.access.passwords import Passwords, check_password
from havre.access.ports import Metadata, Rows
from havre.access.records import MailedLink, Purpose, Subject, User
from havre.access.throttle import MailRequest
from havre.errors import Conflict, InputInvalid, Unavailable
from havre.registry.ports import Clock

log = logging.getLogger("havre.mail")

MAX_LOGIN = 254

SPENT = "this link was used before, or is too old: ask for another"

Address = Callable[[str], str]
"""From the secret of a link to its whole address, which ends with it."""


class Recovery:
    """Mails links, and does what those who follow them want."""

    def __init__(
        self, metadata: Metadata, passwords: Passwords, clock: Clock, ordered: Callable[[], None] = lambda: None
    ) -> None:
        """``ordered`` is called when there is a letter to be written."""
        self._metadata = metadata
        self._passwords = passwords
        self._clock = clock
        self._ordered = ordered

    async def ask_verification(self, user: User, email: str, address: str, link: Address) -> None:
        """Mail a link to ``email``: once followed, that is the account's address.

        Raises InputInvalid for what is no address, Conflict if another account has it, and TooManyRequests.
        """
        email, now = check_email(email), self._clock()
        attempt = MailRequest(f"verify {user.id}", address)
        # Which address waits is remembered under a secret that nobody has: the letter brings one of its own.
        nobodys = hash_of_link(secrets.token_urlsafe(32))
        row = MailedLink(user.id, Purpose.VERIFY, email, now + LIVES[Purpose.VERIFY])

        def work(rows: Rows) -> None:
            holder = rows.accounts.find(email)
            if holder is not None and holder.user.id != user.id:
                raise Conflict(
                    f"there is an account with the address {email} already: use another", detail={"field": "email"}
                )
            attempt.check(rows.login_failures, now)
            attempt.failed(rows.login_failures, now)
            rows.mailed_links.add(nobodys, row, now)
            order_letter(rows, Subject.VERIFY, user, now, to=email, link=link(""))

        await self._metadata.write(work)
        self._ordered()

    async def waiting(self, user_id: int) -> str:
        """The address that still has to be confirmed by a link; empty if there is none."""
        now = self._clock()
        found = await self._metadata.read(lambda rows: rows.mailed_links.waiting(user_id, Purpose.VERIFY, now))
        return found.email if found else ""

    async def confirm(self, secret: str, address: str) -> User:
        """Take the address to which the link was mailed into use. Raises InputInvalid, and Conflict if it was taken."""
        now, hashed = self._clock(), hash_of_link(secret)

        def work(rows: Rows) -> User:
            link, before = _follow(rows, hashed, Purpose.VERIFY, now)
            rows.accounts.change(before.id, email=link.email, email_verified=now)
            rows.mailed_links.delete_all(before.id)
            after = rows.accounts.get(before.id)
            assert after is not None
            detail = {"from": before.email, "to": after.email}
            record(rows, _actor(after), "account.email", after.name, at=now, address=address, detail=detail)
            if before.email != after.email:
                order_letter(rows, Subject.EMAIL_CHANGED, after, now, to=before.email, detail=after.email)
            return after

        after = await self._metadata.write(work)
        self._ordered()
        return after

    async def ask_reset(self, login: str, address: str, link: Address) -> None:
        """Mail a link for a new password to the account of that name or e-mail address, if there is one.

        Raises InputInvalid for an empty name, and TooManyRequests, both without regard to whether the account exists.
        """
        login, now = login.strip().lower()[:MAX_LOGIN], self._clock()
        if not login or not login.isprintable():
            raise InputInvalid("write the name or the e-mail address of your account", field="name")
        attempt = MailRequest(f"reset {login}", address)

        def work(rows: Rows) -> None:
            attempt.check(rows.login_failures, now)
            attempt.failed(rows.login_failures, now)
            stored = rows.accounts.find(login)
            order_letter(rows, Subject.RESET, stored.user if stored else None, now, link=link(""))

        await self._metadata.write(work)
        self._ordered()

    async def holder(self, secret: str, purpose: Purpose) -> tuple[User, str]:
        """Whose link it is, and the address it was mailed to. Raises InputInvalid for one that is good no more."""
        now, hashed = self._clock(), hash_of_link(secret)
        link, user = await self._metadata.read(lambda rows: _follow(rows, hashed, purpose, now))
        return user, link.email

    async def reset(self, secret: str, password: str, address: str) -> User:
        """Set a new password by a mailed link: ends every session. Raises InputInvalid."""
        user, _ = await self.holder(secret, Purpose.RESET)
        check_password(password, user.name)
        hashed_password, now, hashed = await self._passwords.hash(password), self._clock(), hash_of_link(secret)

        def work(rows: Rows) -> None:
            link, owner = _follow(rows, hashed, Purpose.RESET, now)
            # Who follows the link reads that mailbox: the address is proved, unless it changed on the way.
            verified = now if link.email == owner.email else None
            rows.accounts.change(owner.id, password=hashed_password, email_verified=verified)
            rows.mailed_links.delete_all(owner.id)
            rows.sessions.delete_all(owner.id)
            detail = {"by": "mailed link"}
            record(rows, _actor(owner), "account.password", owner.name, at=now, address=address, detail=detail)
            order_letter(rows, Subject.PASSWORD_CHANGED, owner, now)

        await self._metadata.write(work)
        self._ordered()
        return user

    async def tell(self, user: User, subject: Subject) -> None:
        """Let the owner know by mail what was changed, so that they notice if it was someone else."""
        now = self._clock()
        try:
            await self._metadata.write(lambda rows: order_letter(rows, subject, user, now))
        except Unavailable as error:
            # It is changed already: whoever asked must not be told otherwise.
            log.error("%s is not told of %s by mail: %s", user.name, subject, error.message)  # noqa: TRY400 - told in words
        self._ordered()


def _follow(rows: Rows, hashed: bytes, purpose: Purpose, now: int) -> tuple[MailedLink, User]:
    link = rows.mailed_links.find(hashed, purpose)
    user = rows.accounts.get(link.user_id) if link else None
    if link is None or user is None or user.disabled or link.expires <= now:
        raise InputInvalid(SPENT, field="link")
    return link, user


def _actor(user: User) -> Actor:
    return Actor(user.id, user.name, user.is_admin)
