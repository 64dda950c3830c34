"""Mail: letters leave by SMTP, or lie in a folder when no server is set, so that nothing depends on having one.

Everything happens after the answer, in tasks of the loop and threads: no request waits for a mail server, and none
tells by its time whether there was anyone to write to. The words are those of ``web/letters``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from havre.access.records import Letter
from havre.errors import HavreError, TooManyRequests

if TYPE_CHECKING:
    from email.message import EmailMessage

    from havre.config import Config

log = logging.getLogger("havre.mail")

OUTBOX = "outbox"
"""The folder in the data folder where letters lie when no server is set."""

MAX_OUTBOX = 200
"""Letters kept there: the newest ones."""

WAITING = 500
"""Letters on their way from one worker."""

AT_ONCE = 2
TIMEOUT = 20
"""Seconds that one step of talking to a server may take."""

PAUSES = (2, 15)
"""Seconds between the tries: a letter that is lost then can be asked for again."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where letters are handed in."""

    host: str
    port: int
    encrypted: bool
    """TLS from the first byte (RFC 8314); else by STARTTLS where the server offers it."""
    user: str = ""
    password: str = ""

    @classmethod
    def parse(cls, url: str) -> SmtpServer:
        """From ``smtp://user:password@host:587`` or ``smtps://…``, whose user and password are percent-encoded."""
        parts = urlsplit(url)
        encrypted = parts.scheme == "smtps"
        port = parts.port or (465 if encrypted else 587 if parts.username else 25)
        return cls(
            parts.hostname or "localhost", port, encrypted, unquote(parts.username or ""), unquote(parts.password or "")
        )

    def send(self, message: EmailMessage, to: str) -> None:
        """Hand in one message; blocks. Raises OSError and smtplib.SMTPException, which is one."""
        import smtplib

        context = ssl.create_default_context()
        if self.encrypted:
            client: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=context)
        else:
            client = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        with client:
            client.ehlo()
            if not self.encrypted and client.has_extn("starttls"):
                client.starttls(context=context)
                client.ehlo()
            elif not self.encrypted and self.password and self.host not in {"localhost", "127.0.0.1", "::1"}:
                raise smtplib.SMTPException("the server offers no encryption, and the password must not travel without")
            if self.user:
                client.login(self.user, self.password)
            client.send_message(message, to_addrs=[to])


class Mail:
    """Implements ``havre.access.ports.Post``."""

    def __init__(self, config: Config) -> None:
        self._server = SmtpServer.parse(config.smtp_url) if config.smtp_url else None
        host = urlsplit(config.external_url).hostname or "localhost"
        self._sender = config.mail_from or f"Havre <havre@{host}>"
        self._outbox = config.data / OUTBOX
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, make: Callable[[], Awaitable[Letter | None]]) -> None:
        """Run ``make`` a little later, and send what it returns. Raises TooManyRequests when very many are waiting."""
        if len(self._tasks) >= WAITING:
            raise TooManyRequests("very many mails are waiting to be sent; try again in a minute", retry_after=60)
        task = asyncio.get_running_loop().create_task(self._deliver(make))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self, seconds: float = 10) -> None:
        """Wait until nothing is on its way, ``seconds`` at most."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    async def stop(self, seconds: float = 5) -> None:
        """Let what is on its way arrive if it does within ``seconds``, and give up the rest."""
        await self.idle(seconds)
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, make: Callable[[], Awaitable[Letter | None]]) -> None:
        async with self._gate:
            try:
                letter = await make()
                if letter is not None:
                    await self._send(letter)
            except HavreError as error:
                log.warning("a mail could not be made: %s", error.message)
            except Exception:
                log.exception("a mail could not be made")

    async def _send(self, letter: Letter) -> None:
        message = write(letter, self._sender)
        if self._server is None:
            name = await asyncio.to_thread(self._keep, message)
            log.info("no mail server is set (HAVRE_SMTP_URL): %s for %s lies in %s", letter.subject, letter.name, name)
            return
        for pause in (*PAUSES, None):
            try:
                await asyncio.to_thread(self._server.send, message, letter.to)
            except OSError as error:
                # What a server says may repeat the address, never the text of the letter.
                log.warning("mail %s for %s was not taken: %s", letter.subject, letter.name, str(error)[:300])
                if pause is None:
                    return
                await asyncio.sleep(pause)
            else:
                log.info("mailed %s to %s", letter.subject, letter.name)
                return

    def _keep(self, message: EmailMessage) -> Path:
        """Put it into the outbox, for the eyes of whoever runs the server alone; forget the oldest beyond the limit."""
        self._outbox.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._outbox / f"{time.time_ns() // 1_000_000}-{secrets.token_hex(4)}.eml"
        hidden = path.with_suffix(".part")
        with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(message.as_bytes())
        hidden.rename(path)
        for old in sorted(self._outbox.glob("*.eml"))[:-MAX_OUTBOX]:
            old.unlink(missing_ok=True)
        return path


def write(letter: Letter, sender: str) -> EmailMessage:
    """The letter as a message of plain text (RFC 5322). Raises ValueError for an address that no header can hold."""
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import format_datetime, localtime, make_msgid

    from havre.web.letters import compose

    subject, text, language = compose(letter)
    message = EmailMessage(SMTP)
    message["From"] = sender
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain=message["From"].addresses[0].domain or "localhost")
    message["Auto-Submitted"] = "auto-generated"  # nobody's holiday notice should answer (RFC 3834)
    # As it is, so that a link in the outbox can be copied whole.
    message.set_content(text, charset="utf-8", cte="8bit")
    message["Content-Language"] = language
    return message
