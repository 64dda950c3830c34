"""A repository's README: Markdown to HTML that is safe to show.

Raw HTML in the text is shown as text, and what the renderer makes passes a strict allow-list all the same. Pictures
become links: a page of ours makes no request to anyone else, so nobody learns who reads it.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

README_LIMIT = 100_000
"""Characters that a README may have; Docker Hub takes 25,000."""

_TAGS = {
    *("h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s", "a"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}
_SCHEMES = {"http", "https", "mailto"}

_SCROLLING = (
    ("<pre>", '<pre tabindex="0">'),
    ("<table>", '<div class="scroll" tabindex="0"><table>'),
    ("</table>", "</table></div>"),
)
"""What may be wider than a phone scrolls by itself, and by keyboard too. Text in the README holds no such tags:
its angle brackets are escaped by then."""


@lru_cache(maxsize=32)
def to_html(text: str) -> str:
    """``text`` as HTML for the middle of a page, with headings from the third level down."""
    import nh3

    rendered = _renderer().render(text[:README_LIMIT])
    clean = nh3.clean(
        rendered,
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer ugc",
    )
    for found, reachable in _SCROLLING:
        clean = clean.replace(found, reachable)
    return clean


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    renderer = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])

    def lower_headings(tokens: list[Token]) -> None:
        for token in tokens:
            if token.type in {"heading_open", "heading_close"}:
                token.tag = f"h{min(6, int(token.tag[1]) + 2)}"

    def unpicture(tokens: list[Token]) -> None:
        for token in tokens:
            inside, pieces = False, list[Token]()
            for child in token.children or ():
                inside = {"link_open": True, "link_close": False}.get(child.type, inside)
                pieces += _as_link(child, inside) if child.type == "image" else [child]
            if token.children:
                token.children = pieces

    def _as_link(picture: Token, inside_link: bool) -> list[Token]:
        label = Token("text", "", 0, content=picture.content or "image")
        if inside_link:
            return [label]
        opening = Token("link_open", "a", 1, attrs={"href": picture.attrs.get("src", "")})
        return [opening, label, Token("link_close", "a", -1)]

    renderer.core.ruler.push("lower_headings", lambda state: lower_headings(state.tokens))
    renderer.core.ruler.push("unpicture", lambda state: unpicture(state.tokens))
    return renderer
