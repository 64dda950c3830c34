"""Durable work: done once, tried again, given back at a stop, and carried on when a worker was killed."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from havre.errors import InputInvalid, Unavailable
from havre.registry.job_ports import JobRecord, State
from havre.registry.jobs import LEASE, Postponed, order
from havre.server.work import Work
from tests.browser.pushing import push
from tests.support.inprocess import InProcess, until
from tests.support.server import HavreProcess

pytestmark = pytest.mark.anyio


async def state(inside: InProcess, key: str) -> JobRecord:
    job = await inside.app.database.read(lambda rows: rows.jobs.get("test", key))
    assert job is not None
    return job


async def ordered(inside: InProcess, *keys: str) -> None:
    for key in keys:
        await inside.app.database.write(lambda rows, key=key: order(rows, "test", key, {}, inside.clock()))


def work(inside: InProcess, does: Callable[[JobRecord], None]) -> Work:
    async def handler(job: JobRecord, progress: Callable[[int, int], None]) -> None:
        progress(1, 2)
        does(job)

    return Work(inside.app.durable_jobs, {"test": handler})


async def test_jobs_are_done_one_after_the_other(inside: InProcess):
    await ordered(inside, "a", "b")
    done: list[str] = []
    hands = work(inside, lambda job: done.append(job.key))
    assert [await hands.once(), await hands.once(), await hands.once()] == [True, True, False]
    assert done == ["a", "b"]
    assert (await state(inside, "b")).state is State.DONE


@pytest.mark.parametrize(
    ("error", "then", "attempts"),
    [
        (Unavailable("the store is away"), State.WAITING, 1),
        (InputInvalid("it can not be read"), State.FAILED, 1),
        (ZeroDivisionError(), State.WAITING, 1),
        (Postponed(), State.WAITING, 0),
    ],
)
async def test_what_becomes_of_a_job_that_fails(inside: InProcess, error: Exception, then: State, attempts: int):
    await ordered(inside, "a")

    def fail(_job: JobRecord) -> None:
        raise error

    assert await work(inside, fail).once()
    job = await state(inside, "a")
    assert (job.state, job.attempts) == (then, attempts)
    assert job.not_before >= inside.clock()


async def test_a_stop_gives_the_job_back(inside: InProcess):
    await ordered(inside, "a")
    begun = asyncio.Event()

    async def for_ever(_job: JobRecord, _progress: Callable[[int, int], None]) -> None:
        begun.set()
        await asyncio.Event().wait()

    hands = Work(inside.app.durable_jobs, {"test": for_ever})
    hands.start()
    await asyncio.wait_for(begun.wait(), 20)
    await hands.stop()
    job = await state(inside, "a")
    assert (job.state, job.attempts, job.lease) == (State.WAITING, 0, "")


async def test_work_ends_when_the_lease_is_lost(inside: InProcess):
    await ordered(inside, "a")
    begun = asyncio.Event()

    async def for_ever(_job: JobRecord, progress: Callable[[int, int], None]) -> None:
        begun.set()
        progress(1, 9)
        await asyncio.Event().wait()

    hands = Work(inside.app.durable_jobs, {"test": for_ever})
    doing = asyncio.create_task(hands.once())
    await asyncio.wait_for(begun.wait(), 20)
    inside.clock.now += LEASE + 1
    other = await inside.app.durable_jobs.take(["test"], "other")
    assert other is not None
    assert await asyncio.wait_for(doing, 20)
    assert (await state(inside, "a")).lease == "other"


async def test_an_order_is_taken_at_once(inside: InProcess):
    done: list[str] = []
    hands = work(inside, lambda job: done.append(job.key))
    hands.start()
    await ordered(inside, "a")
    hands.ordered()
    await until(lambda: done == ["a"], 4)
    await hands.stop()


def test_a_killed_worker_is_no_end(tmp_path: Path):
    with HavreProcess(tmp_path, workers="1") as havre:
        havre.add_user("alice", "correct horse 9")
        push(havre, "alice", "alice/app", "latest")
        with httpx.Client(base_url=havre.url, trust_env=False, timeout=30) as client:
            assert client.get("/r/alice/app/tags/latest/files").status_code == 200
            children = Path(f"/proc/{havre.pid}/task/{havre.pid}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGKILL)
            for _ in range(400):
                try:
                    reply = client.get("/r/alice/app/tags/latest/files?view=layers")
                    break
                except httpx.TransportError:
                    continue
            assert "not a tar file" in reply.text
