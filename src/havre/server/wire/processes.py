"""The parent of all workers: forks them, replaces one that dies, passes signals on, and ends them all.

It opens nothing but the socket and starts no thread, so that a worker can be forked at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import uvloop

from havre.server.wire.limits import Limits
from havre.server.wire.worker import Application, Worker

SHUTDOWN_SECONDS = 30
"""How long requests in flight may take after a stop was asked for."""

KILL_SECONDS = SHUTDOWN_SECONDS + 10
"""After which a worker that still runs is killed."""

RETRY_SECONDS = 1.0
"""Between the end of a worker and its replacement, so that one that can not start does not keep the machine busy."""

_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_STOPS = {signal.SIGTERM, signal.SIGINT}

log = logging.getLogger("havre.serve")


@dataclass(frozen=True, slots=True)
class Service:
    """What the workers serve, and where."""

    make: Callable[[], Application]
    """Called in each worker."""
    listener: socket.socket
    certificate: Callable[[ssl.SSLContext], None] | None = None
    """Loads certificate and key; None: plain HTTP."""
    limits: Limits = field(default_factory=Limits)


class Parent:
    """The workers of one server."""

    def __init__(self, service: Service, workers: int) -> None:
        self._service = service
        self._wanted = workers
        self._workers: set[int] = set()
        self._ready, self._tell_ready = os.pipe()
        os.set_blocking(self._ready, False)
        self._alive, self._end = os.pipe()
        """Workers notice by this pipe that the parent is gone, however it went."""
        self._started = False

    def run(self) -> bool:
        """Serve until SIGTERM or SIGINT. False if no worker was ever able to start."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            while self._keep_up():
                pass
            self._stop()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        return self._started

    def _keep_up(self) -> bool:
        """Have as many workers as are wanted, and wait for the next signal; False if it is time to stop."""
        while len(self._workers) < self._wanted:
            self._fork()
        number = signal.sigwait(_SIGNALS)
        if number in _STOPS:
            return False
        if number == signal.SIGHUP:
            self._signal(signal.SIGHUP)
            return True
        if self._reap():
            with contextlib.suppress(BlockingIOError):
                self._started = self._started or bool(os.read(self._ready, 1))
            if not self._started:
                return False
            # A stop that arrives meanwhile is not lost.
            return signal.sigtimedwait(_STOPS, RETRY_SECONDS) is None
        return True

    def _reap(self) -> bool:
        """Take note of workers that ended; False if none did."""
        before = len(self._workers)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] in self._workers:
                    self._workers.discard(ended[0])
                    log.error("a worker ended (%s); another takes its place", _cause(ended[1]))
        return len(self._workers) < before

    def _stop(self) -> None:
        # Or clients would go on to connect to a socket that nobody accepts from.
        self._service.listener.close()
        self._signal(signal.SIGTERM)
        patience: float = KILL_SECONDS
        while self._workers:
            found = signal.sigtimedwait(_SIGNALS - {signal.SIGHUP}, patience)
            if found is None or found.si_signo in _STOPS:  # too late, or asked a second time
                self._signal(signal.SIGKILL)
            for pid in list(self._workers):
                with contextlib.suppress(ChildProcessError):
                    if os.waitpid(pid, os.WNOHANG)[0]:
                        self._workers.discard(pid)
        with contextlib.suppress(BlockingIOError):
            self._started = self._started or bool(os.read(self._ready, 1))

    def _signal(self, number: int) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _fork(self) -> None:
        pid = os.fork()
        if pid:
            self._workers.add(pid)
            return
        code = 1
        try:
            os.close(self._end)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._work())
            code = 0
        except BaseException:
            log.exception("a worker failed")
        finally:
            # Not exit(): what the parent registered for its own end is not ours to run.
            os._exit(code)

    async def _work(self) -> None:
        service = self._service
        worker = Worker(service.make(), service.listener, service.certificate, service.limits)
        await worker.serve(self._ready_to_serve, self._alive, SHUTDOWN_SECONDS)

    def _ready_to_serve(self) -> None:
        os.write(self._tell_ready, b".")


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
