"""Letters are durable: they wait for a mail server that refuses or is away, through restarts, and for a day."""

from __future__ import annotations

import logging
import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import httpx
import pytest

from havre.access.letters import HOUR, LETTER
from havre.access.records import Purpose
from havre.registry.job_ports import JobRecord, State
from tests.server.test_mail import Mailbox, serving
from tests.support.inprocess import InProcess, prepare
from tests.support.letters import written
from tests.support.server import HavreProcess, free_port
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio

URL = "https://hub.example.org"


@pytest.fixture(autouse=True, scope="module")
def prepared() -> None:
    prepare()


def link(secret: str) -> str:
    return f"{URL}/reset?code={secret}"


def secret_in(box: Mailbox) -> str:
    """The secret of the link in the last letter that arrived."""
    body = message_from_bytes(bytes(box.taken[-1].content or b""), policy=default).get_body()
    assert body is not None
    found = re.search(r"/reset\?code=(\S+)", body.get_content())
    assert found
    return found[1]


async def letter(havre: InProcess) -> JobRecord:
    (job,) = await havre.app.database.read(lambda rows: rows.jobs.page(list(State), 0, 9))
    return job


async def tried(havre: InProcess, times: int) -> JobRecord:
    """Wait until the one letter was tried so often."""
    while (job := await letter(havre)).attempts < times or job.state is State.RUNNING:
        await until_next(havre)
    return job


async def until_next(havre: InProcess) -> None:
    """Let time pass until the letter is due, and have it looked for."""
    job = await letter(havre)
    havre.clock.now = max(havre.clock.now, job.not_before)
    await havre.app.letter_work.once()


async def test_a_server_that_refuses_first_takes_the_letter_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = Mailbox(refusals=3)
    with serving(box) as port, caplog.at_level(logging.INFO):
        async with InProcess(tmp_path, smtp_url=f"smtp://127.0.0.1:{port}", external_url=URL) as havre:
            begun = havre.clock.now
            await havre.app.recovery.ask_reset("alice", "", link)
            pauses = []
            for number in (1, 2, 3):
                job = await tried(havre, number)
                pauses.append(job.not_before - havre.clock.now)
                assert job.state is State.WAITING
                assert "451" in job.message
            assert pauses == [10_000, 20_000, 40_000]
            await until_next(havre)
            assert (await letter(havre)).state is State.DONE
            assert havre.clock.now == begun + 70_000
            (envelope,) = box.taken
            assert envelope.rcpt_tos == ["alice@example.org"]
            secret = secret_in(box)
            assert (await havre.app.recovery.reset(secret, "battery staple 7", "")).name == "alice"
            await written(havre.app)
    assert "mailed reset to alice" in caplog.text
    assert secret not in caplog.text


async def test_it_is_given_up_after_a_day_and_shown_as_failed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"smtp_url": f"smtp://127.0.0.1:{free_port()}", "external_url": URL}
    async with InProcess(tmp_path, **settings) as havre:
        begun = havre.clock.now
        await havre.app.recovery.ask_reset("alice", "", link)
        while not (job := await letter(havre)).state.ended:
            if job.attempts:
                assert job.not_before <= begun + 24 * HOUR
            await until_next(havre)
        assert job.state is State.FAILED
        assert havre.clock.now == begun + 24 * HOUR, "the last try is made when the day ends"
        assert 12 < job.attempts < 25
        assert "the mail reset for alice was not taken" in job.message
        assert f"the job letter {job.key} is given up after {job.attempts} attempts" in caplog.text
        assert "alice@example.org" not in caplog.text + job.message + job.key + job.payload
        assert "code=" not in caplog.text


async def test_a_mailbox_that_does_not_exist_is_not_asked_again(tmp_path: Path) -> None:
    box = Mailbox()
    box.unknown = "550 no such mailbox"
    with serving(box) as port:
        async with InProcess(tmp_path, smtp_url=f"smtp://127.0.0.1:{port}", external_url=URL) as havre:
            await havre.app.recovery.ask_reset("alice", "", link)
            await written(havre.app)
            job = await letter(havre)
            assert (job.state, job.attempts) == (State.FAILED, 1)
            assert "refused for good: 550 no such mailbox" in job.message


async def test_what_waits_in_the_rows_opens_nothing(tmp_path: Path) -> None:
    settings = {"smtp_url": f"smtp://127.0.0.1:{free_port()}", "external_url": URL}
    async with InProcess(tmp_path, **settings) as havre:
        await havre.app.recovery.ask_reset("alice", "", link)
        job = await tried(havre, 2)
        assert job.values == {"user": 1, "to": "", "link": link(""), "detail": ""}
        everything = repr(havre.snapshot())
        assert everything.count("/reset?code=") == everything.count('/reset?code="') > 0, "no link is whole"


@pytest.mark.slow
def test_a_letter_survives_that_the_server_is_killed(tmp_path: Path) -> None:
    port = free_port()
    settings = {"workers": "1", "smtp_url": f"smtp://127.0.0.1:{port}", "external_url": URL}
    with HavreProcess(tmp_path, **settings) as havre:
        havre.add_user("alice", "correct horse 9")
        with httpx.Client(base_url=havre.url, trust_env=False, timeout=30) as client:
            reply = client.post("/forgot", data={"name": "alice"}, headers={"Origin": URL, "Host": "hub.example.org"})
            assert reply.status_code == 200
        havre.kill()
    box = Mailbox()
    with serving(box, port=port), HavreProcess(tmp_path, **settings):
        assert box.arrived.wait(60)
    assert len(box.taken) == 1
    assert len(secret_in(box)) == 43


async def test_administrators_see_letters_that_wait_and_fail_and_try_them_again(tmp_path: Path) -> None:
    box = Mailbox(refusals=1)
    with serving(box) as port:
        async with InProcess(tmp_path, smtp_url=f"smtp://127.0.0.1:{port}", external_url=URL) as havre:
            carol = await Visitor(havre.app).become(havre, "carol")
            await havre.app.recovery.ask_reset("alice", "", link)
            job = await tried(havre, 1)
            shown = (await carol.get("/admin/jobs")).text
            assert "Sending a letter" in shown
            assert "he mail reset for alice was not taken" in shown
            assert "again at 20" in shown
            box.unknown = "550 nobody called alice@example.org"
            await until_next(havre)
            shown = (await carol.get("/admin/jobs?state=failed")).text
            assert "refused for good: 550 nobody called the address" in shown
            assert "alice@example.org" not in shown
            assert "code=" not in shown
            box.unknown = ""
            await carol.post("/admin/jobs", {"kind": LETTER, "key": job.key})
            havre.app.letter_work.ordered()
            await written(havre.app)
            assert (await havre.app.recovery.holder(secret_in(box), Purpose.RESET))[0].name == "alice"
