"""One image or artifact: what it is made of, how it runs, what is said about it, and its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from havre.errors import ManifestInvalid, ManifestUnknown
from havre.oci.digest import Digest
from havre.oci.manifest import load_object
from havre.oci.names import Tag
from havre.oci.reference import Reference, parse_reference
from havre.registry.images import ImageView, LayerView, PlatformView, StepView
from havre.registry.records import ManifestRecord
from havre.registry.referrers import Attached
from havre.web.contexts import RepositoryHead
from havre.web.contexts.image import (
    AttachedRow,
    ImageHead,
    ImagePage,
    ManifestPage,
    PlatformRow,
    StepRow,
)
from havre.web.contexts.tags import tag_path
from havre.web.formats import as_written
from havre.web.visit import Visit

_BAR = 20
_MOST_LAYERS = 500
_MOST_LINES = 100
_LONGEST_LINE = 2000
_MOST_TEXT = 300_000


async def show(visit: Visit) -> Response:
    """``…/tags/{tag}?digest=``: what the image is made of, for one of its platforms. A digest may stand for the tag."""
    repository, reference = visit.shown, _reference(visit)
    view = await visit.app.images.inspect(repository.name, reference)
    part, chosen = await _part(visit, view)
    head = RepositoryHead(repository, visit.may_manage, "tags")
    record = view.manifest
    subjects = {record.digest, part.manifest.digest}
    within = [one.digest for one in view.platforms if one.about is not None and (not chosen or one.about in subjects)]
    attached = await visit.app.referrers.attached(repository.name, subjects, within)
    page = ImagePage(
        head=head,
        image=_image_head(visit, head, reference, "image"),
        title=_title(visit, part),
        digest=record.digest,
        media_type=record.media_type,
        artifact_type=record.artifact_type if record.artifact_type != part.config_type or not part.config else "",
        size=part.manifest.total_size if chosen else record.total_size,
        pushed=record.created,
        platforms=_platforms(head, reference, view, chosen),
        platform=chosen.platform if chosen else part.manifest.platform,
        created=part.created[:40],
        config=_config(visit, part.config),
        facts=_facts(part.document),
        labels=_pairs(part.labels),
        annotations=_pairs({**part.manifest.annotations, **record.annotations}),
        layers=_steps(part),
        layer_count=len(part.layers),
        attached=[_attached(visit, head, one) for one in attached],
    )
    return visit.page("image.html", page)


async def manifest(visit: Visit) -> Response:
    """``…/tags/{tag}/manifest?digest=``: the manifest itself, laid out to be read."""
    reference = _reference(visit)
    record = await _record(visit, reference)
    head = RepositoryHead(visit.shown, visit.may_manage, "tags")
    view = await visit.app.images.inspect(visit.shown.name, reference)
    text = _laid_out(record.content)
    here = f"{tag_path(head, str(reference))}/manifest"
    parts = [
        (one.platform, one.digest, f"{here}?digest={quote(one.digest)}")
        for one in view.platforms[:_MOST_LINES]
        if one.size
    ]
    page = ManifestPage(
        head,
        _image_head(visit, head, reference, "manifest"),
        record.digest,
        record.media_type,
        record.size,
        text[:_MOST_TEXT],
        len(text) > _MOST_TEXT,
        parts,
    )
    return visit.page("manifest.html", page)


async def download(visit: Visit) -> Response:
    """``…/tags/{tag}/manifest.json?digest=``: the exact bytes, whose hash is the digest."""
    record = await _record(visit, _reference(visit))
    name = f"{visit.shown.name.leaf}-{record.digest.short}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Docker-Content-Digest": str(record.digest)}
    return Response(record.content, media_type="application/json", headers=headers)


def _reference(visit: Visit) -> Reference:
    return parse_reference(visit.request.path_params["tag"])


async def _record(visit: Visit, reference: Reference) -> ManifestRecord:
    """The manifest asked for, or the one of its platforms that ``?digest=`` names; raises ManifestUnknown."""
    asked = visit.query("digest")
    wanted = Digest.parse(asked) if asked else reference
    return await visit.app.manifests.get(visit.shown.name, wanted, pull=False)


async def _part(visit: Visit, view: ImageView) -> tuple[ImageView, PlatformView | None]:
    """The image of the platform that is asked for, or of the one most people want; a manifest alone is its own."""
    chosen = _chosen(view, visit.query("digest"))
    if chosen is not None:
        try:
            return await visit.app.images.inspect(visit.shown.name, chosen.digest), chosen
        except ManifestUnknown:
            pass  # an index may name platforms that were never pushed here
    return view, None


def _chosen(view: ImageView, digest: str) -> PlatformView | None:
    real = [one for one in view.platforms if one.about is None and not one.platform.startswith("unknown")]
    for one in view.platforms:
        if str(one.digest) == digest:
            return one
    real = real or list(view.platforms)
    return next((one for one in real if one.platform == "linux/amd64"), real[0] if real else None)


def _image_head(visit: Visit, head: RepositoryHead, reference: Reference, current: str) -> ImageHead:
    asked = visit.query("digest")
    query = f"?digest={quote(asked)}" if asked else ""
    return ImageHead(str(reference), tag_path(head, str(reference)), query, isinstance(reference, Tag), current)


def _title(visit: Visit, part: ImageView) -> str:
    names = {
        "application/vnd.cncf.helm.config.v1+json": visit.text("Helm chart"),
        "application/vnd.cncf.flux.config.v1+json": visit.text("Flux manifests"),
        "application/vnd.wasm.config.v0+json": visit.text("WebAssembly component"),
        "application/vnd.docker.plugin.v1+json": visit.text("Docker plugin"),
    }
    if part.config_type in names:
        return names[part.config_type]
    return visit.text("Artifact") if part.kind == "image" and part.config is None else ""


def _platforms(
    head: RepositoryHead, reference: Reference, view: ImageView, chosen: PlatformView | None
) -> list[PlatformRow]:
    here = tag_path(head, str(reference))
    return [
        PlatformRow(one.platform, one.digest, one.size, one is chosen, f"{here}?digest={quote(one.digest)}")
        for one in view.platforms
        if one.about is None or one is chosen
    ]


def _steps(part: ImageView) -> list[StepRow]:
    steps: Sequence[StepView] = part.steps or [StepView(one.instruction, one, "", "") for one in part.layers]
    shown, rows, number = steps[:_MOST_LAYERS], [], 0
    whole = max(1, sum(step.layer.size for step in shown if step.layer))
    for step in shown:
        layer: LayerView | None = step.layer
        number += layer is not None
        rows.append(
            StepRow(
                as_written(step.instruction)[:_LONGEST_LINE],
                layer.digest if layer else None,
                layer.size if layer else 0,
                layer.media_type if layer else "",
                round(_BAR * layer.size / whole) if layer else 0,
                number if layer else 0,
            )
        )
    return rows


def _config(visit: Visit, config: Mapping[str, Any] | None) -> list[tuple[str, list[str]]]:
    """The parts of an image's config that people look for, each with its heading; empty parts are left out.

    The config is whatever someone pushed: any part may be missing or of another kind.
    """
    inner = config.get("config") if config else None
    if not isinstance(inner, dict):
        return []
    health = inner.get("Healthcheck")
    parts = (
        (visit.text("Entry point"), inner.get("Entrypoint")),
        (visit.text("Command"), inner.get("Cmd")),
        (visit.text("Working directory"), inner.get("WorkingDir")),
        (visit.text("User"), inner.get("User")),
        (visit.text("Ports"), inner.get("ExposedPorts")),
        (visit.text("Volumes"), inner.get("Volumes")),
        (visit.text("Stop signal"), inner.get("StopSignal")),
        (visit.text("Health check"), health.get("Test") if isinstance(health, dict) else None),
        (visit.text("Environment"), inner.get("Env")),
    )
    return [(title, lines) for title, value in parts if (lines := _lines(value))]


def _lines(value: object) -> list[str]:
    if isinstance(value, str):
        return [value[:_LONGEST_LINE]] if value else []
    if isinstance(value, (list, dict)):
        return [str(one)[:_LONGEST_LINE] for one in list(value)[:_MOST_LINES]]
    return []


def _facts(document: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What a config of an unknown kind says, as far as it is plain text and numbers."""
    found = []
    for key, value in list((document or {}).items())[:_MOST_LINES]:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            found.append((key[:200], str(value)[:_LONGEST_LINE]))
        elif isinstance(value, list) and value and all(isinstance(one, (str, int)) for one in value):
            found.append((key[:200], ", ".join(map(str, value[:_MOST_LINES]))[:_LONGEST_LINE]))
    return found


def _pairs(values: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key[:200], value[:_LONGEST_LINE]) for key, value in _some(sorted(values.items()))]


def _some(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(pairs)[:_MOST_LINES]


def _attached(visit: Visit, head: RepositoryHead, one: Attached) -> AttachedRow:
    kinds = {
        "signature": visit.text("Signature"),
        "attestation": visit.text("Attestation"),
        "sbom": visit.text("Bill of materials"),
    }
    kind = kinds.get(one.kind, visit.text("Other"))
    return AttachedRow(kind, one.type, one.digest, one.size, one.created, tag_path(head, str(one.tag or one.digest)))


def _laid_out(content: bytes) -> str:
    """JSON with each part on a line of its own; what is no JSON as the text that it is."""
    try:
        return json.dumps(load_object(content), indent=2, ensure_ascii=False)
    except ManifestInvalid:
        return content.decode("utf-8", "backslashreplace")
