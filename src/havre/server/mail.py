"""Mail: letters leave by SMTP, or lie in a folder when no server is set, so that nothing depends on having one.

Which letters, and how often each is tried, is for ``access/letters``: they are jobs, so that no request waits for a mail
server, and none tells by its time whether there was anyone to write to. The words are those of ``web/letters``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from havre.access.records import Letter
from havre.errors import InputInvalid, Unavailable

if TYPE_CHECKING:
    from email.message import EmailMessage

    from havre.config import Config

log = logging.getLogger("havre.mail")

OUTBOX = "outbox"
"""The folder in the data folder where letters lie when no server is set."""

MAX_OUTBOX = 200
"""Letters kept there: the newest ones."""

TIMEOUT = 20
"""Seconds that one step of talking to a server may take."""


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

    async def send(self, letter: Letter) -> None:
        """Hand it in. Raises Unavailable if it may be taken later, InputInvalid if it never will be."""
        try:
            message = write(letter, self._sender)
        except ValueError as error:
            raise InputInvalid(
                f"the mail {letter.subject} for {letter.name} has an address that no mail can go to"
            ) from error
        if self._server is None:
            name = await asyncio.to_thread(self._keep, message)
            log.info("no mail server is set (HAVRE_SMTP_URL): %s for %s lies in %s", letter.subject, letter.name, name)
            return
        try:
            await asyncio.to_thread(self._server.send, message, letter.to)
        except OSError as error:
            raise _refusal(letter, error) from error
        log.info("mailed %s to %s", letter.subject, letter.name)

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


def _refusal(letter: Letter, error: OSError) -> Exception:
    """Whether another try makes sense, in words that may be logged and shown."""
    import smtplib

    # What a server says may repeat the address, never the text of the letter.
    said = str(error).replace(letter.to, "the address")[:300]
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        replies = error.recipients.values()
        said = "; ".join(f"{code} {text.decode('utf-8', 'replace')}" for code, text in replies)
        said = said.replace(letter.to, "the address")[:300]
        if all(500 <= code < 600 for code, _ in replies):
            return InputInvalid(f"the mail {letter.subject} for {letter.name} was refused for good: {said}")
    return Unavailable(f"the mail {letter.subject} for {letter.name} was not taken: {said}")


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
