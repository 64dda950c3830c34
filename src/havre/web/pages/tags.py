"""Tags of a repository, and the image behind one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from havre.errors import ManifestUnknown
from havre.oci.reference import parse_reference
from havre.registry.images import ImageView, LayerView
from havre.registry.records import Page, TagOrder
from havre.registry.tags import TagView
from havre.web.contexts import ImagePage, LayerRow, PlatformRow, RepositoryHead, TagRow, TagsPage, repository_path
from havre.web.visit import Visit, pager

_PER_PAGE = 25
_BAR = 20
_MOST_LAYERS = 500
_MOST_LINES = 100
_LONGEST_LINE = 2000


def rows_of(views: Iterable[TagView]) -> list[TagRow]:
    """Tags as lists show them."""
    return [
        TagRow(view.tag.name, view.tag.digest, view.platforms, view.size, view.tag.updated, view.tag.pusher)
        for view in views
    ]


async def list_tags(visit: Visit) -> Response:
    """``…/tags?q=&sort=&page=``: every tag, newest push or name first."""
    repository, text = visit.shown, visit.query("q", 128)
    by_name = visit.query("sort", 10) == "name"
    found = await visit.app.tags.page(repository, text, TagOrder.NAME if by_name else TagOrder.NEWEST)
    page = TagsPage(
        RepositoryHead(repository, visit.may_manage, "tags"),
        text,
        not by_name,
        rows_of(found.items),
        pager(Page(found.items, found.total, 1, 25), q=text, sort="name" if by_name else ""),
    )
    return visit.page("tags.html", page)


async def image(visit: Visit) -> Response:
    """``…/tags/{tag}?digest=``: what the image is made of, for one of its platforms. A digest may stand for the tag."""
    repository = visit.shown
    reference = parse_reference(visit.request.path_params["tag"])
    view = await visit.app.images.inspect(repository.name, reference)
    chosen = _chosen(view, visit.query("digest"))
    part = view
    if chosen is not None:
        try:
            part = await visit.app.images.inspect(repository.name, chosen.digest)
        except ManifestUnknown:
            chosen = None  # an index may name platforms that were never pushed here
    here = f"{repository_path(repository)}/tags/{quote(reference)}"
    page = ImagePage(
        head=RepositoryHead(repository, visit.may_manage, "tags"),
        reference=str(reference),
        digest=view.manifest.digest,
        media_type=view.manifest.media_type,
        artifact_type=view.manifest.artifact_type,
        size=part.manifest.total_size if chosen else view.manifest.total_size,
        pushed=view.manifest.created,
        platforms=[
            PlatformRow(one.platform, one.digest, one.size, one is chosen, f"{here}?digest={quote(one.digest)}")
            for one in view.platforms
        ],
        platform=chosen.platform if chosen else part.manifest.platform,
        created=part.created[:40],
        config=_config(visit, part.config),
        labels=[(key[:200], value[:_LONGEST_LINE]) for key, value in sorted(part.labels.items())[:_MOST_LINES]],
        layers=_layers(part.layers),
    )
    return visit.page("image.html", page)


def _chosen(view: ImageView, digest: str) -> Any:
    """The platform asked for, or the one most people want."""
    real = [one for one in view.platforms if not one.platform.startswith("unknown")] or list(view.platforms)
    for one in view.platforms:
        if one.digest == digest:
            return one
    return next((one for one in real if one.platform == "linux/amd64"), real[0] if real else None)


def _layers(layers: Iterable[LayerView]) -> list[LayerRow]:
    shown = list(layers)[:_MOST_LAYERS]
    whole = max(1, sum(layer.size for layer in shown))
    return [
        LayerRow(layer.digest, layer.size, layer.instruction[:_LONGEST_LINE], round(_BAR * layer.size / whole))
        for layer in shown
    ]


def _config(visit: Visit, config: Mapping[str, Any] | None) -> list[tuple[str, list[str]]]:
    """The parts of an image's config that people look for, each with its heading; empty parts are left out.

    The config is whatever someone pushed: any part may be missing or of another kind.
    """
    inner = config.get("config") if config else None
    if not isinstance(inner, dict):
        return []
    parts = (
        (visit.text("Entry point"), inner.get("Entrypoint")),
        (visit.text("Command"), inner.get("Cmd")),
        (visit.text("Working directory"), inner.get("WorkingDir")),
        (visit.text("User"), inner.get("User")),
        (visit.text("Ports"), inner.get("ExposedPorts")),
        (visit.text("Volumes"), inner.get("Volumes")),
        (visit.text("Stop signal"), inner.get("StopSignal")),
        (visit.text("Environment"), inner.get("Env")),
    )
    return [(title, lines) for title, value in parts if (lines := _lines(value))]


def _lines(value: object) -> list[str]:
    if isinstance(value, str):
        return [value[:_LONGEST_LINE]] if value else []
    if isinstance(value, (list, dict)):
        return [str(one)[:_LONGEST_LINE] for one in list(value)[:_MOST_LINES]]
    return []
