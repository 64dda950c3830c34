"""The door of requests, with a span for each and its trace in each log line."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

from havre.server.http import Receive, Request, Scope, Send
from havre.server.metrics import Figures
from havre.server.middleware import MAX_PATH, Front, Handler, Network, area
from havre.server.routes import V2, match_registry
from havre.server.tracing.tracer import Span, Tracer

_span: ContextVar[Span | None] = ContextVar("havre_request_span", default=None)


class TracedFront(Front):
    """As ``Front``. Who asks for health is not traced."""

    def __init__(self, handler: Handler, figures: Figures, trusted: Sequence[Network], tracer: Tracer) -> None:
        super().__init__(handler, figures, trusted)
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        span = None
        if area(scope["path"]) != "health":
            headers = Request(scope, receive).header
            span = self._tracer.begin(headers("traceparent"), headers("tracestate"))
        if span is None:
            await super().__call__(scope, receive, send)
            return
        token = _span.set(span)
        try:
            with self._tracer.within(span):
                await super().__call__(scope, receive, send)
        finally:
            _span.reset(token)
            self._tracer.close(span)

    def _log(self, request: Request, status: int, seconds: float, where: str, /, **more: str) -> None:
        span = _span.get()
        if span is None:
            super()._log(request, status, seconds, where, **more)
            return
        route = _route(request.path, where)
        span.name = f"{request.method[:20]} {route}"
        span.attributes = {
            "http.request.method": request.method[:20],
            "http.route": route,
            "url.scheme": request.scheme,
            "url.path": request.path[:MAX_PATH],
            "http.response.status_code": status,
            "client.address": request.client_address,
            "user.name": request.actor_name,
            "havre.request": request.id,
        }
        if status >= 500 or not status:
            span.failure = str(status or "aborted")
        super()._log(request, status, seconds, where, **more, trace_id=span.trace_id)


def _route(path: str, where: str) -> str:
    """The template of a path, of which there are few."""
    match = match_registry(path) if path.startswith(V2) else None
    return match.template if match else f"({where})"
