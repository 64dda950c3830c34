"""The audit trail: read with filters, and exported as JSON lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
from starlette.responses import Response, StreamingResponse

from havre.access.audit import document
from havre.access.plans import DAY
from havre.access.records import AuditQuery
from havre.errors import InputInvalid
from havre.registry.records import Instant
from havre.web.contexts import Form
from havre.web.contexts.administration import AuditPage
from havre.web.errors import FORM_ERRORS
from havre.web.visit import Visit

PER_PAGE = 50
_FIELDS = ("actor", "action", "subject", "since", "until")


async def show(visit: Visit) -> Response:
    """``GET /admin/audit``: newest first, older ones by a link that names the last event of this page."""
    values = {name: visit.query(name, 300) for name in _FIELDS}
    try:
        query, before = _query(visit, values), _before(visit)
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return visit.page("admin_audit.html", AuditPage(AuditQuery(), form, [], "", "", first=True), status)
    events = await visit.app.audit.page(query, before, PER_PAGE + 1)
    shown = events[:PER_PAGE]
    given = {name: value for name, value in values.items() if value}
    older = ""
    if len(events) > PER_PAGE:
        older = "?" + urlencode({**given, "before": f"{shown[-1].at}-{shown[-1].id}"})
    export = "?" + urlencode(given) if given else ""
    page = AuditPage(query, Form(values), shown, older, export, first=before is None)
    return visit.page("admin_audit.html", page)


async def export(visit: Visit) -> Response:
    """``GET /admin/audit.jsonl``: every event that matches, newest first, one JSON object a line."""
    query = _query(visit, {name: visit.query(name, 300) for name in _FIELDS})
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
    return StreamingResponse(_lines(visit, query), media_type="application/jsonl", headers=headers)


async def _lines(visit: Visit, query: AuditQuery) -> AsyncIterator[bytes]:
    async for event in visit.app.audit.export(query):
        yield orjson.dumps(document(event)) + b"\n"


def _query(visit: Visit, values: Mapping[str, str]) -> AuditQuery:
    since, until = _day(visit, values["since"], "since"), _day(visit, values["until"], "until")
    return AuditQuery(
        values["actor"].replace("\0", ""),
        values["action"].replace("\0", ""),
        values["subject"].replace("\0", ""),
        since=since,
        # The day that is named belongs to it.
        until=None if until is None else until + DAY,
    )


def _day(visit: Visit, text: str, field: str) -> Instant | None:
    if not text:
        return None
    try:
        return int(datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise InputInvalid(visit.text("Write a day as 2026-12-31."), field=field) from error


def _before(visit: Visit) -> tuple[Instant, int] | None:
    at, _, identity = visit.query("before", 40).partition("-")
    numbers = [one for one in (at, identity) if one.isascii() and one.isdigit() and len(one) < 19]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None
