"""A repository's README: Markdown to HTML that is safe to show.

HTML in the text is understood as far as it is harmless: whatever is made passes a strict allow-list. Pictures are led
through this server or become links, so a page of ours makes no request to anyone else, and nobody learns who reads it.
Relative addresses are those of the source that the image's label names.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

README_LIMIT = 100_000
"""Characters that a README may have; Docker Hub takes 25,000."""

ANCHOR = "readme-"
"""What every anchor in a README begins with, so that none is mistaken for one of the page."""

_TAGS = {
    *("h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a", "div"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "kbd", "sub", "sup", "del", "b", "i"),
    *("details", "summary", "dl", "dt", "dd"),
}
_ATTRIBUTES = {
    "a": {"href", "title", "id"},
    "ol": {"start"},
    "img": {"src", "alt", "title", "width", "height"},
    **{f"h{level}": {"id", "align"} for level in range(3, 7)},
    **{tag: {"align"} for tag in ("p", "div", "th", "td", "img")},
}
_ATTRIBUTES["img"] = {"src", "alt", "title", "width", "height", "align"}
_SCHEMES = {"http", "https", "mailto"}
_MOST_ADDRESS = 2000
_HEADING = re.compile(r"<(/?)h([1-6])\b", re.IGNORECASE)
_PICTURE = re.compile(r'<img(?: [a-z]+="[^"]*")*>')  # as the cleaner writes them: every value is quoted
_TASK = re.compile(r"\[([ xX])\]\s")
_REPOSITORY = re.compile(r"/[\w.-]+/[\w./-]+", re.ASCII)


class PictureAddress(Protocol):
    """Says where on this server a picture of elsewhere is shown. Hashable: it is part of what is remembered."""

    def of(self, url: str) -> str:
        """A path of ours."""


@dataclass(frozen=True, slots=True)
class Base:
    """What relative addresses in a README are relative to; empty texts lead nowhere."""

    links: str = ""
    pictures: str = ""

    @classmethod
    def of(cls, source: str) -> Base:
        """From the label ``org.opencontainers.image.source``: the places that we know to hold files under a repository."""
        try:
            parts = urlsplit(source.strip())
        except ValueError:
            return cls()
        path = parts.path.rstrip("/").removesuffix(".git")
        if parts.scheme != "https" or not _REPOSITORY.fullmatch(path):
            return cls()
        if parts.netloc == "github.com" and path.count("/") == 2:
            return cls(f"https://github.com{path}/blob/HEAD/", f"https://raw.githubusercontent.com{path}/HEAD/")
        if parts.netloc == "gitlab.com":
            return cls(f"https://gitlab.com{path}/-/blob/HEAD/", f"https://gitlab.com{path}/-/raw/HEAD/")
        return cls()


NOWHERE = Base()


@lru_cache(maxsize=32)
def to_html(text: str, base: Base = NOWHERE, pictures: PictureAddress | None = None) -> str:
    """``text`` as HTML for the middle of a page, with headings from the third level down.

    Without ``pictures``, pictures are shown as links.
    """
    import nh3

    rendered = _renderer(as_links=pictures is None).render(text[:README_LIMIT])
    cleaned = nh3.clean(
        rendered,
        tags=_TAGS | ({"img"} if pictures else set()),
        attributes=_ATTRIBUTES,
        attribute_filter=_filter(base, pictures),
        set_tag_attribute_values={"pre": {"tabindex": "0"}, "table": {"tabindex": "0"}, "img": {"loading": "lazy"}},
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer ugc",
        id_prefix=ANCHOR,
    )
    return _PICTURE.sub(_settle_picture, cleaned)


def slug(text: str) -> str:
    """The anchor of a heading, as the big forges make it."""
    folded = unicodedata.normalize("NFC", text).strip().lower()
    return re.sub(r"[^\w\- ]", "", folded).replace(" ", "-")[:100]


def _settle_picture(found: re.Match[str]) -> str:
    """A picture whose address was refused goes; one without words says that it has none."""
    if ' src="' not in found[0]:
        return ""
    return found[0] if ' alt="' in found[0] else found[0].replace("<img", '<img alt=""', 1)


def _filter(base: Base, pictures: PictureAddress | None) -> Callable[[str, str, str], str | None]:
    def look(_tag: str, attribute: str, value: str) -> str | None:
        if attribute == "href":
            return _link(value, base)
        if attribute == "src":
            address = _absolute(value, base.pictures)
            return pictures.of(address) if pictures and address.startswith(("http://", "https://")) else None
        if attribute in {"width", "height"}:
            return value if re.fullmatch(r"[0-9]{1,4}%?", value, re.ASCII) else None
        if attribute == "align":
            return value if value in {"left", "right", "center"} else None
        return value

    return look


def _link(value: str, base: Base) -> str | None:
    if value.startswith("#"):
        return f"#{ANCHOR}{value[1:]}"
    found = _absolute(value, base.links)
    return found if found.startswith(("http://", "https://", "mailto:")) else None


def _absolute(value: str, base: str) -> str:
    """The whole address; empty for what can not be one."""
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return ""
    if len(value) > _MOST_ADDRESS:
        return ""
    if parts.scheme or not base or value.startswith("//"):
        return value.strip()
    # What begins with a slash is meant from the root of the source, as on the forge.
    joined = urljoin(base, value.strip().lstrip("/"))
    return joined if joined.startswith(base) else ""


@cache
def _renderer(*, as_links: bool) -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": True, "maxNesting": 20}).enable(["table", "strikethrough"])
    renderer.core.ruler.push("headings", lambda state: _settle_headings(state.tokens))
    renderer.core.ruler.push("tasks", lambda state: _show_tasks(state.tokens))
    if as_links:
        renderer.core.ruler.push("unpicture", lambda state: _unpicture(state.tokens))
    return renderer


def _settle_headings(tokens: list[Token]) -> None:
    """Two levels down, for the page has its own; and an anchor for each."""
    seen: dict[str, int] = {}
    for place, token in enumerate(tokens):
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        if token.type == "heading_open":
            text = "".join(child.content for child in tokens[place + 1].children or () if child.type != "html_inline")
            anchor = slug(text)
            count = seen.get(anchor, 0)
            seen[anchor] = count + 1
            if anchor:
                token.attrSet("id", f"{anchor}-{count}" if count else anchor)
        for html in (token, *(token.children or ())):
            if html.type in {"html_block", "html_inline"}:
                html.content = _HEADING.sub(lambda m: f"<{m[1]}h{min(6, int(m[2]) + 2)}", html.content)


def _show_tasks(tokens: list[Token]) -> None:
    """``[ ]`` and ``[x]`` at the beginning of an item as boxes."""
    for place in range(2, len(tokens)):
        children = tokens[place].children
        if tokens[place].type != "inline" or tokens[place - 2].type != "list_item_open" or not children:
            continue
        first = children[0]
        if first.type == "text" and (found := _TASK.match(first.content)):
            first.content = ("\N{BALLOT BOX}" if found[1] == " " else "\N{BALLOT BOX WITH CHECK}") + (
                "\N{NO-BREAK SPACE}" + first.content[found.end() :]
            )


def _unpicture(tokens: list[Token]) -> None:
    for token in tokens:
        inside, pieces = False, list["Token"]()
        for child in token.children or ():
            inside = {"link_open": True, "link_close": False}.get(child.type, inside)
            pieces += _as_link(child, inside) if child.type == "image" else [child]
        if token.children:
            token.children = pieces


def _as_link(picture: Token, inside_link: bool) -> list[Token]:
    from markdown_it.token import Token

    label = Token("text", "", 0, content=picture.content or "image")
    if inside_link:
        return [label]
    opening = Token("link_open", "a", 1, attrs={"href": picture.attrs.get("src", "")})
    return [opening, label, Token("link_close", "a", -1)]
