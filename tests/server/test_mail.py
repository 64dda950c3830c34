"""Letters leave by SMTP, to a real server on this machine: plain, with TLS and a password, and with trouble."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from havre.access.records import Letter, Subject
from havre.config import load
from havre.errors import ConfigError, InputInvalid, Unavailable
from havre.server.mail import MAX_OUTBOX, Mail, SmtpServer
from tests.server.test_serving import certificate
from tests.support.letters import letters
from tests.support.server import free_port

pytestmark = pytest.mark.anyio

URL = "https://hub.example.org"
LETTER = Letter(Subject.RESET, "alice@example.org", "alice", "fr", f"{URL}/reset?code=sekret")


class Mailbox:
    """What the server took, and how often it says no first."""

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[Envelope] = []
        self.users: list[bytes] = []
        self.refusals = refusals
        self.unknown = ""
        self.arrived = threading.Event()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.unknown or "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        self.taken.append(envelope)
        self.arrived.set()
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login)
        return AuthResult(success=data.password == b"p@ss:word")


@contextmanager
def serving(box: Mailbox, port: int = 0, **options: object) -> Iterator[int]:
    port = port or free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def post(tmp_path: Path) -> Callable[[str], Mail]:
    """A post for these settings, with nothing of the rest of a Havre around it."""

    def make(smtp_url: str = "") -> Mail:
        return Mail(load({"data": str(tmp_path), "external_url": URL, "smtp_url": smtp_url}))

    return make


async def test_a_letter_arrives_whole(post: Callable[[str], Mail], caplog: pytest.LogCaptureFixture) -> None:
    box = Mailbox()
    with serving(box) as port, caplog.at_level(logging.INFO, "havre.mail"):
        await post(f"smtp://127.0.0.1:{port}").send(LETTER)
    (envelope,) = box.taken
    assert envelope.rcpt_tos == ["alice@example.org"]
    assert envelope.mail_from == "havre@hub.example.org"
    message = message_from_bytes(bytes(envelope.content or b""), policy=default)
    assert message["From"] == "Havre <havre@hub.example.org>"
    assert message["Subject"] == "Choisir un nouveau mot de passe"
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_body()
    assert body is not None
    text = body.get_content()
    assert LETTER.link in text.splitlines()
    assert "Bonjour alice," in text
    assert "mailed reset to alice" in caplog.text
    assert "sekret" not in caplog.text


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server's advice to itself: it is on this machine
async def test_it_signs_in_where_the_settings_say_so(post: Callable[[str], Mail]) -> None:
    box = Mailbox()
    with serving(box, authenticator=box.authenticate, auth_required=True, auth_require_tls=False) as port:
        await post(f"smtp://havre%40example.org:p%40ss%3Aword@127.0.0.1:{port}").send(LETTER)
    assert box.users == [b"havre@example.org"]
    assert len(box.taken) == 1


async def test_a_password_travels_only_encrypted(
    post: Callable[[str], Mail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    box = Mailbox()
    with serving(box, tls_context=context, require_starttls=True, authenticator=box.authenticate) as port:
        await post(f"smtp://havre:p%40ss%3Aword@127.0.0.1:{port}").send(LETTER)
    with serving(box, ssl_context=context) as port:
        await post(f"smtps://127.0.0.1:{port}").send(LETTER)
    assert box.users == [b"havre"]
    assert len(box.taken) == 2


async def test_a_server_that_nobody_vouches_for_gets_nothing(post: Callable[[str], Mail], tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    box = Mailbox()
    with serving(box, tls_context=context) as port, pytest.raises(Unavailable, match="certificate verify failed"):
        await post(f"smtp://127.0.0.1:{port}").send(LETTER)
    assert box.taken == []


async def test_not_now_is_told_from_never(post: Callable[[str], Mail]) -> None:
    box = Mailbox(refusals=1)
    with serving(box) as port:
        mail = post(f"smtp://127.0.0.1:{port}")
        with pytest.raises(Unavailable, match=r"reset for alice was not taken: .*451.*try again later") as refused:
            await mail.send(LETTER)
        assert "sekret" not in refused.value.message
        await mail.send(LETTER)
        box.unknown = "550 nobody called alice@example.org here"
        with pytest.raises(InputInvalid, match="refused for good: 550 nobody called the address here"):
            await mail.send(LETTER)
        box.unknown = "450 alice@example.org is full"
        with pytest.raises(Unavailable, match="450 the address is full"):
            await mail.send(LETTER)
    assert len(box.taken) == 1


async def test_a_server_that_is_away_may_come_back(post: Callable[[str], Mail]) -> None:
    with pytest.raises(Unavailable, match=r"was not taken: .*refused") as refused:
        await post(f"smtp://127.0.0.1:{free_port()}").send(LETTER)
    assert "sekret" not in refused.value.message


async def test_a_letter_that_can_not_be_written_will_never_be(post: Callable[[str], Mail], tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="an address that no mail can go to"):
        await post("").send(Letter(Subject.RESET, "a b@example.org", "alice", "", "x"))
    assert letters(tmp_path) == []


async def test_the_outbox_keeps_the_newest(post: Callable[[str], Mail], tmp_path: Path) -> None:
    folder = tmp_path / "outbox"
    folder.mkdir()
    for number in range(MAX_OUTBOX):
        (folder / f"{number:013}-old.eml").write_text("old")
    await post("").send(LETTER)
    kept = sorted(file.name for file in folder.iterdir())
    assert len(kept) == MAX_OUTBOX
    assert kept[0] == "0000000000001-old.eml"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", SmtpServer("mail.example.org", 25, encrypted=False)),
        ("smtp://u:p@mail.example.org", SmtpServer("mail.example.org", 587, encrypted=False, user="u", password="p")),
        ("smtps://mail.example.org", SmtpServer("mail.example.org", 465, encrypted=True)),
        ("smtps://[::1]:2525", SmtpServer("::1", 2525, encrypted=True)),
    ],
)
def test_addresses_of_servers(url: str, server: SmtpServer) -> None:
    assert SmtpServer.parse(url) == server


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"smtp_url": "mail.example.org"}, "must be smtp://"),
        ({"smtp_url": "smtp://mail.example.org"}, "needs external_url"),
        ({"mail_from": "nobody"}, "must be an address"),
    ],
    ids=str,
)
def test_settings_that_can_not_work(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(settings)


def test_a_password_in_the_address_is_never_said() -> None:
    with pytest.raises(ConfigError) as refused:
        load({"smtp_url": "http://user:sekret@mail.example.org"})
    assert "sekret" not in str(refused.value)
