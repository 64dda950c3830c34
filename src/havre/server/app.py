"""The composition root: settings in, one ASGI application out. Nothing else wires parts together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from havre.access.access_tokens import AccessTokens
from havre.access.accounts import Accounts
from havre.access.administration import Administration
from havre.access.audit import Audit
from havre.access.bearer import BearerTokens
from havre.access.credentials import Credentials
from havre.access.departure import Departure
from havre.access.forwarding import PATIENCE as SINK_PATIENCE
from havre.access.forwarding import Forwarding
from havre.access.letters import LETTER, PATIENCE, Letters
from havre.access.passkeys import Passkeys
from havre.access.passwords import Passwords
from havre.access.plans import Plans
from havre.access.rates import PullLimits, RequestRates
from havre.access.recovery import Recovery
from havre.access.second_factor import SecondFactors
from havre.access.sessions import Sessions
from havre.config import Config
from havre.errors import TooManyRequests, Unsupported
from havre.layers.workshop import Workshop
from havre.metadata.engine import Database, Limits
from havre.registry.blobs import Blobs
from havre.registry.changes import Changes
from havre.registry.collaborators import Collaborators
from havre.registry.collections import HOUR, PREVIEW, Collections
from havre.registry.deletion import Deletion
from havre.registry.events import Events
from havre.registry.gc import COLLECT, Collector, GarbageRules
from havre.registry.images import Images
from havre.registry.inside.building import Builder
from havre.registry.inside.trees import Inside
from havre.registry.jobs import Jobs as DurableJobs
from havre.registry.manifests import Manifests
from havre.registry.ports import Clock
from havre.registry.records import Instant, Visibility
from havre.registry.referrers import Referrers
from havre.registry.removal import Removals
from havre.registry.renames import Renames
from havre.registry.repositories import Repositories
from havre.registry.scrub import KIND as SCRUB
from havre.registry.scrub import Scrub
from havre.registry.search import Search
from havre.registry.stars import Stars
from havre.registry.statistics import Statistics
from havre.registry.tags import Tags
from havre.registry.uploads import UploadLimits, Uploads
from havre.registry.watching import Watching
from havre.server import errors
from havre.server.gauges import Gauges
from havre.server.http import Receive, Request, Response, Scope, Send
from havre.server.jobs import Jobs, PullCounter
from havre.server.mail import Mail
from havre.server.metrics import Figures
from havre.server.middleware import Front
from havre.server.outbound import Outbound
from havre.server.pictures import Pictures
from havre.server.redirects import Redirects
from havre.server.routes import FIXED, V2, by_path
from havre.server.sinks import open_sinks
from havre.server.streams import Streams
from havre.server.v2.app import RegistryAPI
from havre.server.work import Work
from havre.storage import open_configured
from havre.storage.pictures import PictureFiles

if TYPE_CHECKING:
    from havre.server.tracing.traces import Traces

Endpoint = Callable[["App", Request], Awaitable[Response]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

API = "/api/"

LETTER_SECONDS = 5
"""For which a letter that is being handed in keeps the server from stopping."""

_UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Who watches whether the server is well should hear so at any time."""


def now() -> Instant:
    """The wall clock."""
    return time.time_ns() // 1_000_000


class App:
    """Havre as an ASGI application. Building it opens no connection and starts no thread: that is ``start``.

    ``figures`` is the folder in which the workers of one server leave their counts for each other, ``sources`` says
    where each setting came from.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock = now,
        figures: Path | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.sources = sources or {}
        self.clock = clock
        self.database = Database.open(
            config.database_url,
            Limits(config.database_connections, config.database_wait_seconds, config.database_statement_seconds),
        )
        self.figures = Figures(figures)
        self.traces = self._open_traces() if config.traces_url else None
        self.storage = open_configured(config, clock, ask=False, headers=self.traces.headers if self.traces else None)
        if self.traces:
            # From outside: without it they are as they are, and nothing of it is imported.
            self.database, self.storage = self.traces.wrap(self.database, self.storage)
        self.events = Events()
        self.pull_counter = PullCounter(self.figures, clock)
        self.events.subscribe(self.pull_counter.hear)
        self._wire_access()
        self._wire_registry()
        self._wire_work()
        self._registry = RegistryAPI(self)
        self._fixed = by_path(FIXED)
        self._endpoints: dict[str, Endpoint] = {}
        self._pages: ASGI | None = None
        self._api: ASGI | None = None
        self._jobs = Jobs(self)
        self.gauges = Gauges(self)
        self.stopping = asyncio.Event()
        trusted = config.trusted_proxies
        self._front = (
            self.traces.front(self._answer, trusted) if self.traces else Front(self._answer, self.figures, trusted)
        )

    def _open_traces(self) -> Traces:
        from havre.server.tracing.traces import Traces

        return Traces(self.config, self.figures)

    def _wire_access(self) -> None:
        config, database, clock = self.config, self.database, self.clock
        passwords = Passwords()
        visibility, signups = Visibility(config.default_visibility), config.signups_per_address
        self.accounts = Accounts(
            database, passwords, clock, signup=config.signup, visibility=visibility, signups=signups
        )
        self.rates = RequestRates(config.requests_per_address, config.requests_per_account, clock)
        self.pull_limits = PullLimits(config.pulls_per_address, config.pulls_per_account, clock, database)
        self.access_tokens = AccessTokens(database, clock)
        self.credentials = Credentials(database, passwords, self.access_tokens, clock)
        self.sessions = Sessions(database, clock, config.session_days)
        sinks = open_sinks(config.audit_sinks)
        self.forwarding = Forwarding(database, sinks, clock)
        patience = {LETTER: PATIENCE, **{one.kind: SINK_PATIENCE for one in sinks}}
        self.durable_jobs = DurableJobs(database, clock, patience)
        # Hands of their own, each: one that is away keeps no other waiting.
        self.sink_work = [Work(self.durable_jobs, {one.kind: self.forwarding.work}) for one in sinks]
        # Hands of their own: a mail server that is slow keeps nobody else waiting, and nothing else keeps letters.
        letters = Letters(database, Mail(config), clock)
        self.letter_work = Work(self.durable_jobs, {LETTER: letters.work})
        self.recovery = Recovery(database, passwords, clock, self.letter_work.ordered)
        self.second_factors = SecondFactors(database, Passkeys(database, clock), clock)
        self.departure = Departure(database, clock)
        self.bearer = BearerTokens(database, clock)
        self.audit = Audit(database, clock, config.audit_days)
        self.plans = Plans(database, clock)
        self.administration = Administration(database, clock)

    def _wire_registry(self) -> None:
        config, database, clock = self.config, self.database, self.clock
        expiry = config.upload_expiry_hours * 3600 * 1000
        limits = UploadLimits(config.uploads_per_account, expiry, config.upload_bytes_per_account)
        self.repositories = Repositories(database, clock)
        self.renames = Renames(database, clock)
        self.changes = Changes(database, clock)
        self.deletion = Deletion(database, clock, config.undo_days)
        self.collaborators = Collaborators(database, clock)
        self.outbound = Outbound(config.outbound_networks)
        fetched = config.readme_pictures == "fetch"
        files = PictureFiles(config.data / "pictures")
        self.pictures = Pictures(database, self.outbound, files) if fetched else None
        self.search = Search(database)
        self.stars = Stars(database, clock)
        self.blobs = Blobs(database, self.storage.blobs, clock)
        self.redirects = Redirects(config.storage_redirect)
        self.uploads = Uploads(database, self.storage.uploads, self.storage.blobs, clock, limits)
        self.manifests = Manifests(database, self.blobs, clock, self.events, sparse=config.sparse_manifests == "accept")
        self.tags = Tags(database, clock, self.events)
        self.removals = Removals(database, clock, self.events)
        self.statistics = Statistics(database, clock)
        self.watching = Watching(database, self.uploads)
        self.streams = Streams()
        self.referrers = Referrers(database)
        self.images = Images(database, self.manifests, self.blobs)

    def _wire_work(self) -> None:
        database, store, clock, workshop = self.database, self.storage.blobs, self.clock, Workshop()
        builder = Builder(database, store, workshop, self.durable_jobs, clock)
        untagged = self.config.untagged_days * 24 * HOUR if self.config.untagged_days else None
        self.garbage_rules = GarbageRules(self.config.gc_grace_hours * HOUR, untagged, self.config.gc_pace / 100)
        self.collector = Collector(database, store, self.uploads, clock, self.garbage_rules)
        self.collections = Collections(database, self.collector, clock, self.config.gc_hours)
        handlers = {**builder.handlers, COLLECT: self.collections.collect}
        self.work = Work(self.durable_jobs, handlers, builder.forget)
        self.scrub = Scrub(
            database, self.storage.checks, clock, self.config.fsck_days, self.config.fsck_rate * 1_000_000
        )
        # Hands of its own: it takes hours, in which others wait for pages.
        self.slow_work = Work(self.durable_jobs, {SCRUB: self.scrub.work, PREVIEW: self.collections.preview})
        self.inside = Inside(database, store, workshop, clock, self.work.ordered)

    async def start(self) -> None:
        """Connect to the database and begin the periodic work."""
        await self.database.start()
        await self.bearer.start()
        self._jobs.start()
        self.work.start()
        self.slow_work.start()
        self.letter_work.start()
        for work in self.sink_work:
            work.start()
        if self.traces:
            self.traces.start()

    def wind_down(self) -> None:
        """The server stops when all answers are made: those that would go on for ever watch ``stopping`` and end."""
        self.stopping.set()

    async def stop(self) -> None:
        """Finish what is running, and let go of everything."""
        await self.work.stop()
        await self.slow_work.stop()
        await self.letter_work.stop(LETTER_SECONDS)
        for work in self.sink_work:
            await work.stop()
        await self._jobs.stop()
        if self.traces:
            await self.traces.stop()
        await self.outbound.close()
        await self.database.close()
        self.storage.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as an ASGI application."""
        await self._front(scope, receive, send)

    async def _answer(self, request: Request, send: Send) -> None:
        path = request.path
        try:
            if path not in _UNCOUNTED:
                self.rates.check_address(request.client_address)
        except TooManyRequests as error:
            # Told shortly, whatever was asked for: this is the answer to what is too much.
            await errors.response(error, request, self.config.external_url)(request.scope, send)
            return
        if path.startswith(V2) or path == "/v2":
            response = await self._registry(request)
        elif path in self._fixed:
            response = await self._answer_fixed(request)
        else:
            framework = self._json_api() if path.startswith(API) else self._web()
            await framework(request.scope, request.receive, send)
            return
        await response(request.scope, send)

    async def _answer_fixed(self, request: Request) -> Response:
        try:
            route = self._fixed[request.path].get(request.method)
            if route is None:
                raise Unsupported(
                    f"{request.method[:20]} is not offered at {request.path}", offered=self._fixed[request.path]
                )
            return await self._endpoint(route.endpoint)(self, request)
        except Exception as error:  # noqa: BLE001 - handed to the one translation of failures
            return errors.response(error, request, self.config.external_url)

    def _endpoint(self, address: str) -> Endpoint:
        if address not in self._endpoints:
            module, _, function = address.partition(":")
            self._endpoints[address] = getattr(import_module(f"havre.server.{module}"), function)
        return self._endpoints[address]

    # Frameworks and templates take megabytes and tenths of seconds: a registry that nobody looks at never pays.

    def _web(self) -> ASGI:
        if self._pages is None:
            from havre.web.app import create_pages

            self._pages = create_pages(self)
        return self._pages

    def _json_api(self) -> ASGI:
        if self._api is None:
            from havre.server.api import create_api

            self._api = create_api(self)
        return self._api


def create_app(
    config: Config, clock: Clock = now, figures: Path | None = None, sources: Mapping[str, str] | None = None
) -> App:
    """The application for these settings."""
    return App(config, clock, figures, sources)
