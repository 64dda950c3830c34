"""The shapes of tags in the JSON API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from havre.registry.records import TagEvent
from havre.registry.removal import MAX_TAGS, Removal
from havre.registry.tags import TagPage as TagStretch
from havre.registry.tags import TagView
from havre.server.api.models import Strict, Text, moment


class TagOut(BaseModel):
    """A tag and what it points at."""

    name: str
    digest: str
    media_type: str
    size: int = Field(description="Config and layers together, over all platforms.")
    platforms: list[str]
    updated: datetime
    pusher: str = Field(description="The account that moved it last; empty when that account is gone.")
    pulls: int = Field(description="By this tag.")
    pulled: datetime | None = Field(description="The last pull by this tag.")

    @classmethod
    def of(cls, view: TagView) -> TagOut:
        """From the view."""
        return cls(
            name=view.tag.name,
            digest=view.tag.digest,
            media_type=view.manifest.media_type,
            size=view.size,
            platforms=list(view.platforms),
            updated=moment(view.tag.updated),
            pusher=view.tag.pusher,
            pulls=view.tag.pulls,
            pulled=moment(view.tag.pulled) if view.tag.pulled else None,
        )


class TagPage(BaseModel):
    """One page of tags."""

    total: int = Field(description="As far as they were counted; 0 beyond the first page of a search.")
    exact: bool = Field(description="Whether `total` is all of them.")
    next: str | None = Field(description="To be sent as `after` for the next page; null on the last.")
    tags: list[TagOut]

    @classmethod
    def of(cls, page: TagStretch) -> TagPage:
        """From a page of views."""
        found = [TagOut.of(one) for one in page.items]
        return cls(total=page.total, exact=page.exact, next=str(page.next) if page.next else None, tags=found)


class TagMove(BaseModel):
    """One move of a tag."""

    before: str | None = Field(description="The digest it pointed at; null when it was made.")
    after: str | None = Field(description="The digest it pointed at then; null when it was removed.")
    actor: str = Field(description="The account that moved it; empty when that account is gone.")
    at: datetime


class TagHistory(BaseModel):
    """Moves of a tag, the newest first."""

    moves: list[TagMove]
    next: str | None = Field(description="To be sent as `before` for the next page; null on the last.")

    @classmethod
    def of(cls, found: Sequence[TagEvent], per_page: int) -> TagHistory:
        """From events, one more of which than fit the page were asked for."""
        shown = found[:per_page]
        last = shown[-1] if len(found) > per_page else None
        moves = [TagMove(before=one.before, after=one.after, actor=one.actor, at=moment(one.at)) for one in shown]
        return cls(moves=moves, next=f"{last.at}.{last.id}" if last else None)


class TagRestoration(Strict):
    """Where a tag is to point again."""

    digest: Text = Field(max_length=200)


class TagRemoval(Strict):
    """Tags to be removed."""

    tags: list[Text] = Field(min_length=1, max_length=MAX_TAGS)
    images: bool = Field(False, description="Remove what nothing leads to afterwards, too.")
    preview: bool = Field(False, description="Only tell what would happen.")


class TagsRemoved(BaseModel):
    """What removing tags does, or did."""

    tags: list[str] = Field(description="Those that were there.")
    untagged: list[str] = Field(description="Digests of images that lose their last tag.")
    manifests: int = Field(description="Removed with `images`: those images, and what only serves them.")
    freed: int = Field(description="Bytes that nothing refers to once these manifests are gone.")
    complete: bool = Field(description="False if too much hangs on the tags to look at it all; only tags go then.")

    @classmethod
    def of(cls, removal: Removal, *, images: bool) -> TagsRemoved:
        """From the domain's answer."""
        return cls(
            tags=list(removal.tags),
            untagged=list(removal.untagged),
            manifests=len(removal.manifests) if images else 0,
            freed=removal.bytes if images else 0,
            complete=removal.complete,
        )
