"""Work: each worker takes one durable job at a time and does it, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping

from havre.errors import HavreError, StorageFull, Unavailable
from havre.registry.job_ports import JobRecord
from havre.registry.jobs import LEASE, Jobs, LeaseLost, Postponed

log = logging.getLogger("havre.work")

LOOK_SECONDS = 5
"""How often a worker looks for jobs that others ordered. Its own are begun at once."""

RENEW_SECONDS = LEASE / 1000 / 4
_PROGRESS_SECONDS = 0.5
_POSTPONED = 500
_FORGET_SECONDS = 3600

Handler = Callable[[JobRecord, Callable[[int, int], None]], Awaitable[None]]


class Work:
    """One worker's hands. ``handlers`` say who does which kind of job; ``forget`` is called now and then."""

    def __init__(
        self, jobs: Jobs, handlers: Mapping[str, Handler], forget: Callable[[], Awaitable[int]] | None = None
    ) -> None:
        self._jobs = jobs
        self._handlers = handlers
        self._forget = forget
        self._ordered = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None
        self._name = ""

    def start(self) -> None:
        """Begin to look for jobs."""
        # Made here and not before: workers are forked from one that was built already.
        self._name = secrets.token_hex(8)
        self._ending = False
        self._task = asyncio.create_task(self._loop())

    async def stop(self, seconds: float = 0) -> None:
        """End; a job that is being done, and not within so many seconds, is given back."""
        task, self._task = self._task, None
        self._ending = True
        if task:
            if seconds:
                self._ordered.set()
                await asyncio.wait({task}, timeout=seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def ordered(self) -> None:
        """Look at once: there is something to do."""
        self._ordered.set()

    async def once(self) -> bool:
        """Take one job and do it; False if there was none."""
        job = await self._jobs.take(list(self._handlers), self._name)
        if job is None:
            return False
        try:
            await self._do(job)
        except asyncio.CancelledError:
            with contextlib.suppress(HavreError):
                await self._jobs.give_back(job)
            raise
        return True

    async def _loop(self) -> None:
        loop = asyncio.get_running_loop()
        forget_at = loop.time() + LOOK_SECONDS
        while not self._ending:
            self._ordered.clear()
            try:
                if await self.once():
                    continue
                if loop.time() >= forget_at:
                    forget_at = loop.time() + _FORGET_SECONDS
                    await self._jobs.forget()
                    if self._forget:
                        await self._forget()
            except HavreError as error:
                log.warning("%s", error.message)
            except Exception:
                log.exception("looking for jobs failed; it will be tried again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ordered.wait(), LOOK_SECONDS)

    async def _do(self, job: JobRecord) -> None:
        """Do one job and say how it ended."""
        progress = _Progress(self._jobs, job)
        doing = asyncio.ensure_future(self._handlers[job.kind](job, progress.tell))
        holding = asyncio.create_task(progress.hold(doing))
        try:
            await doing
        except (Postponed, LeaseLost) as why:
            await self._settle(holding)
            if isinstance(why, Postponed):
                await self._jobs.give_back(job, _POSTPONED)
        except asyncio.CancelledError:
            await self._settle(holding)
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            log.warning("the job %s %s was lost to another worker", job.kind, job.key)
        except (Unavailable, StorageFull) as error:
            await self._settle(holding)
            log.warning("the job %s %s failed: %s", job.kind, job.key, error.message)
            await self._again(job, error.message)
        except HavreError as error:
            await self._settle(holding)
            log.warning("the job %s %s failed for good: %s", job.kind, job.key, error.message)
            await self._jobs.fail(job, error.message)
        except Exception:
            await self._settle(holding)
            log.exception("the job %s %s failed", job.kind, job.key)
            await self._again(job, "something broke on our side; it has been logged")
        else:
            await self._settle(holding)
            await self._jobs.finish(job)
        finally:
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)

    async def _again(self, job: JobRecord, message: str) -> None:
        if not await self._jobs.again(job, message):
            log.error("the job %s %s is given up after %d attempts: %s", job.kind, job.key, job.attempts, message)

    async def _settle(self, holding: asyncio.Task[None]) -> None:
        """Nobody holds the job any more, so that what is said of it last stands."""
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


class _Progress:
    """Keeps a job's lease while it is done, and tells how far it is."""

    def __init__(self, jobs: Jobs, job: JobRecord) -> None:
        self._jobs = jobs
        self._job = job
        self._now = (0, 0)

    def tell(self, done: int, total: int) -> None:
        """Called by whoever does the job."""
        self._now = (done, total)

    async def hold(self, doing: asyncio.Future[None]) -> None:
        """Renew the lease until cancelled; if it is lost, so is the work."""
        loop = asyncio.get_running_loop()
        told, renewed = (0, 0), loop.time()
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            if self._now == told and loop.time() < renewed + RENEW_SECONDS:
                continue
            try:
                told = self._now
                await self._jobs.renew(self._job, *told)
                renewed = loop.time()
            except LeaseLost:
                doing.cancel()
                return
            except HavreError as error:
                log.warning("%s", error.message)
