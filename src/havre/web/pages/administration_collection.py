"""Collection: what can be freed, what the last runs freed, one more of them, and why something is kept."""

from __future__ import annotations

from starlette.responses import Response

from havre.errors import BlobUnknown, DigestInvalid, InputInvalid, Unavailable
from havre.oci.digest import Digest
from havre.registry.collections import PREVIEW
from havre.registry.job_ports import JobRecord, State
from havre.registry.why import Why, why
from havre.web.contexts import Form
from havre.web.contexts.collection import CollectionPage, Schedule
from havre.web.errors import sentence, status_of
from havre.web.visit import Visit

_LONGEST = 400


async def show(visit: Visit) -> Response:
    """``GET /admin/collection?digest=``: all of it, and the answer if something is asked about."""
    asked = visit.query("digest", _LONGEST)
    if not asked:
        return await _page(visit, Form())
    try:
        found = await why(visit.app.database, _digest(asked), visit.app.garbage_rules)
    except (DigestInvalid, BlobUnknown) as error:
        status = 404 if isinstance(error, BlobUnknown) else 400
        return await _page(visit, Form({"digest": asked}, {"digest": _problem(visit, error)}), status=status)
    return await _page(visit, Form({"digest": asked}), found=found)


async def order(visit: Visit) -> Response:
    """``POST /admin/collection``: order a collection, or a preview of one."""
    values = await visit.form()
    try:
        match values.get("do", ""):
            case "collect":
                await visit.app.collections.now(visit.actor, visit.address)
                visit.app.work.ordered()
            case "preview":
                await visit.app.collections.order_preview()
                visit.app.slow_work.ordered()
            case _:
                raise InputInvalid("this is not a form of the page")
    except (InputInvalid, Unavailable) as error:
        return await _page(visit, Form({}, {"": sentence(visit, error)}), status=status_of(error))
    return visit.redirect("/admin/collection?ordered=1")


def _digest(text: str) -> Digest:
    """As people copy one: alone, behind the name of an image, or without its algorithm."""
    text = text.rpartition("@")[2].lower()
    return Digest.parse(text if ":" in text else f"sha256:{text}")


def _problem(visit: Visit, error: Exception) -> str:
    if isinstance(error, BlobUnknown):
        return visit.text("Nothing here has this digest: no image, no content, no upload under way.")
    return visit.text("This is no whole digest: write sha256: and 64 hexadecimal digits, as the copy buttons give it.")


async def _page(visit: Visit, form: Form, *, found: Why | None = None, status: int = 200) -> Response:
    app, config = visit.app, visit.app.config
    job, preview = await app.collections.job(), await app.collections.job(PREVIEW)
    _, content = await app.administration.counts()
    failed = job is not None and job.state is State.FAILED
    page = CollectionPage(
        content or await app.administration.count_content(),
        Schedule(config.gc_hours, config.gc_grace_hours, config.untagged_days),
        job if _under_way(job) else None,
        visit.speech.sentence(job.message) if job and failed else "",
        _under_way(preview),
        await app.collections.previewed(),
        await app.collector.runs(),
        form,
        found,
        ordered=bool(visit.query("ordered", 1)) and status == 200,
    )
    return visit.page("admin_collection.html", page, status)


def _under_way(job: JobRecord | None) -> bool:
    return job is not None and not job.state.ended
