"""Repositories as everyone sees them: what each is, how to pull it, and what its image says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import Response

from havre.access.actors import Action
from havre.errors import ManifestUnknown
from havre.oci.names import Tag
from havre.registry.images import ImageView
from havre.registry.records import Repository
from havre.web.contexts import RepositoryHead, TagRow
from havre.web.contexts.repositories import PlatformSize, RepositoryPage, Told
from havre.web.pages.pulls import pulls_chart
from havre.web.pages.tags import rows_of
from havre.web.readmes import Base, readme_html
from havre.web.visit import Visit

LATEST = 5
"""Tags on a repository's first page."""

_LABEL = "org.opencontainers.image."
_LONGEST = 300


async def show(visit: Visit) -> Response:
    """``/r/{namespace}/{repository}`` and ``/_/{repository}``: what it is and how to pull it."""
    repository = visit.shown
    latest, count = await newest(visit, repository)
    tag = await _default_tag(visit, repository, latest)
    image = await _image(visit, repository, tag)
    labels = await _labels(visit, repository, image)
    readme = await visit.app.repositories.readme(repository)
    page = RepositoryPage(
        RepositoryHead(repository, visit.may_manage, "overview"),
        await readme_html(visit, readme, Base.of(labels.get(f"{_LABEL}source", ""))),
        _reference(repository, tag),
        tag,
        latest,
        count,
        await _pusher(visit, repository),
        _platforms(image),
        _told(visit, labels),
        [category_name(visit, one) for one in repository.categories],
        await _is_member(visit, repository),
        await pulls_chart(visit, repository) if repository.pulls else None,
        live=Action.PUSH in visit.actions,
    )
    return visit.page("repository.html", page)


async def newest(visit: Visit, repository: Repository) -> tuple[list[TagRow], int | None]:
    """The tags pushed last, and how many there are; None if those are more than are counted."""
    found = await visit.app.tags.page(repository, per_page=LATEST)
    return rows_of(found.items), found.total if found.exact else None


def category_name(visit: Visit, category: str) -> str:
    """What people call it."""
    names = {
        "api-management": visit.text("API management"),
        "content-management": visit.text("Content management"),
        "data-science": visit.text("Data science"),
        "databases": visit.text("Databases and storage"),
        "developer-tools": visit.text("Developer tools"),
        "integration-delivery": visit.text("Integration and delivery"),
        "internet-of-things": visit.text("Internet of things"),
        "languages-frameworks": visit.text("Languages and frameworks"),
        "machine-learning": visit.text("Machine learning and AI"),
        "message-queues": visit.text("Message queues"),
        "monitoring-observability": visit.text("Monitoring and observability"),
        "networking": visit.text("Networking"),
        "operating-systems": visit.text("Operating systems"),
        "security": visit.text("Security"),
        "web-servers": visit.text("Web servers"),
    }
    return names.get(category, category)


async def _default_tag(visit: Visit, repository: Repository, latest: list[TagRow]) -> str:
    """What to pull when nothing else is said: ``latest`` if there is such a tag, else the newest."""
    if not latest or any(row.name == "latest" for row in latest):
        return "latest" if latest else ""
    named = await visit.app.database.read(lambda rows: rows.tags.get(repository.id, Tag("latest")))
    return "latest" if named is not None else latest[0].name


def _reference(repository: Repository, tag: str) -> str:
    if not tag:
        return ""
    return str(repository.name) if tag == "latest" else f"{repository.name}:{tag}"


async def _image(visit: Visit, repository: Repository, tag: str) -> ImageView | None:
    if not tag:
        return None
    try:
        return await visit.app.images.inspect(repository.name, Tag(tag))
    except ManifestUnknown:
        return None  # moved away at this very moment


async def _labels(visit: Visit, repository: Repository, image: ImageView | None) -> Mapping[str, str]:
    """Labels and annotations of the default image; of an index, those of its first platform, too."""
    if image is None:
        return {}
    labels = {**image.manifest.annotations, **image.labels}
    first = next((one for one in image.platforms if one.size and not one.platform.startswith("unknown")), None)
    if first is not None:
        try:
            part = await visit.app.images.inspect(repository.name, first.digest)
            labels = {**part.labels, **labels}
        except ManifestUnknown:
            pass
    return labels


def _platforms(image: ImageView | None) -> list[PlatformSize]:
    if image is None:
        return []
    if image.platforms:
        parts = [PlatformSize(one.platform, one.size) for one in image.platforms if one.size]
        return [one for one in parts if one.name and not one.name.startswith("unknown")]
    return [PlatformSize(image.manifest.platform, image.manifest.total_size)] if image.manifest.platform else []


def _told(visit: Visit, labels: Mapping[str, str]) -> list[Told]:
    parts = (
        (visit.text("Title"), "title"),
        (visit.text("Version"), "version"),
        (visit.text("Licences"), "licenses"),
        (visit.text("Source"), "source"),
        (visit.text("Documentation"), "documentation"),
        (visit.text("Website"), "url"),
    )
    found = ((title, " ".join(labels.get(_LABEL + key, "").split())[:_LONGEST]) for title, key in parts)
    return [Told(title, _shown(text), _link(text)) for title, text in found if text]


def _link(text: str) -> str:
    """The text, if it is a web address that a page may link to."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc else ""


def _shown(text: str) -> str:
    """A web address without what is the same in all of them."""
    return text.partition("://")[2].removeprefix("www.").rstrip("/") if _link(text) else text


async def _pusher(visit: Visit, repository: Repository) -> str:
    user = await visit.app.accounts.get(repository.pushed_by) if repository.pushed_by is not None else None
    return user.name if user else ""


async def _is_member(visit: Visit, repository: Repository) -> bool:
    who = visit.actor.user_id
    if who is None or who == repository.owner_id:
        return False
    return await visit.app.database.read(lambda rows: rows.collaborators.role(repository.id, who)) is not None
