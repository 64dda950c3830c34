"""Importing: a whole tree brought in, repository by repository. Run again, it goes on where it was.

What is here already is neither read nor written again: so an import that was cut off, or one of a registry that people
still push to, is simply started once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from havre.adopt.carrying import SMALL_COPIES, Carrier, Options, Services, Shared
from havre.adopt.names import Names
from havre.adopt.report import Report
from havre.adopt.source import Foreign, Source
from havre.errors import Denied, InputInvalid, NameInvalid
from havre.images.threads import in_thread

__all__ = ["Importer", "Options", "Services", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """How far an import is. ``done`` is true once all of the repository is here."""

    repository: str
    number: int
    total: int
    manifests: int
    """Looked at so far, in all repositories."""
    bytes: int
    """Read so far, of all repositories."""
    done: bool = False


Watch = Callable[[Step], None]
"""Whoever looks on."""


class Importer:
    """Brings trees in. ``names`` says where repositories go."""

    def __init__(self, services: Services, names: Names, options: Options) -> None:
        self._services = services
        self._names = names
        self._options = options

    async def run(self, source: Source, watch: Watch, patterns: Sequence[str] = ()) -> Report:
        """Bring in the repositories whose name there fits one of the patterns (none: all).

        Raises InputInvalid if the tree can not be read, StorageFull and what else our own side may refuse: what came
        until then stays, and the next run goes on.
        """
        report = Report(source.shown, dry_run=self._options.dry_run)
        every = await in_thread(source.names)
        chosen = [name for name in every if not patterns or any(fnmatchcase(name, one) for one in patterns)]
        if not chosen:
            asked = f" that fits {', '.join(patterns)}" if patterns else ""
            raise InputInvalid(f"{source.shown} holds no repository{asked}")
        shared = Shared(report, asyncio.Semaphore(self._options.copies), asyncio.Semaphore(SMALL_COPIES))
        for number, name in enumerate(chosen, 1):
            foreign = await in_thread(source.repository, name)

            def tell(*, done: bool = False, shown: str = foreign.name, number: int = number) -> None:
                manifests = report.brought.manifests + report.present.manifests
                watch(Step(shown, number, len(chosen), manifests, shared.moved, done))

            tell()
            await self._repository(foreign, report, Carrier(self._services, self._options, shared, tell))
            tell(done=True)
        return report

    async def _repository(self, foreign: Foreign, report: Report, carrier: Carrier) -> None:
        for left in foreign.unreadable:
            report.damage("link", foreign.name, left.what, left.why)
        if not foreign.manifests and not foreign.tags:
            report.empty += 1
            return
        try:
            name = await self._names.place(foreign.name, given=foreign.given)
            here = await self._services.adoption.find(name)
        except (NameInvalid, Denied) as error:
            report.skip("repository", foreign.name, foreign.name, error.message)
            return
        await carrier.bring(foreign, name, known=here is not None)
