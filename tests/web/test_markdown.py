"""READMEs: pictures through this server or as links, anchors, and addresses relative to the image's source."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from havre.web.markdown import Base, slug, to_html

REL = 'rel="nofollow noopener noreferrer ugc"'


@dataclass(frozen=True)
class Here:
    """Shows where a picture would be fetched from."""

    def of(self, url: str) -> str:
        return f"/pictures/{url}"


GITHUB = Base.of("https://github.com/marin/app")


@pytest.mark.parametrize(
    ("source", "links"),
    [
        ("https://github.com/marin/app", "https://github.com/marin/app/blob/HEAD/"),
        ("https://github.com/marin/app.git", "https://github.com/marin/app/blob/HEAD/"),
        ("https://gitlab.com/marin/team/app/", "https://gitlab.com/marin/team/app/-/blob/HEAD/"),
        ("http://github.com/marin/app", ""),
        ("https://github.com/marin", ""),
        ("https://github.com/marin/app/tree/main", ""),
        ("https://git.example/marin/app", ""),
        ("https://github.com.evil.example/a/b", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_known_forges_give_relative_addresses_a_meaning(source: str, links: str) -> None:
    assert Base.of(source).links == links


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("[a](docs/use.md)", 'href="https://github.com/marin/app/blob/HEAD/docs/use.md" '),
        ("[a](/docs/use.md#x)", 'href="https://github.com/marin/app/blob/HEAD/docs/use.md#x" '),
        ("[a](#First-Steps)", 'href="#readme-First-Steps" '),
        ("[a](mailto:a@b.example)", 'href="mailto:a@b.example" '),
        ("[a](../../../../etc)", ""),
        ("[a](//evil.example/x)", ""),
        ("<a href='ftp://a.example'>a</a>", ""),
    ],
)
def test_links(text: str, href: str) -> None:
    assert to_html(text, GITHUB) == f"<p><a {href}{REL}>a</a></p>\n"


def test_without_a_source_a_relative_link_leads_nowhere() -> None:
    assert to_html("[a](docs/use.md)") == f"<p><a {REL}>a</a></p>\n"


@pytest.mark.parametrize(
    ("text", "src"),
    [
        ("![x](https://a.example/x.png)", "/pictures/https://a.example/x.png"),
        ("![x](img/x.png)", "/pictures/https://raw.githubusercontent.com/marin/app/HEAD/img/x.png"),
        ("<img alt=x src='https://a.example/x.png'>", "/pictures/https://a.example/x.png"),
    ],
)
def test_pictures_come_from_here(text: str, src: str) -> None:
    assert f'<img src="{src}" alt="x" loading="lazy">' in to_html(text, GITHUB, Here()).replace(
        f'alt="x" src="{src}"', f'src="{src}" alt="x"'
    )


@pytest.mark.parametrize(
    "src", ["javascript:x", "data:image/png;base64,AA", "file:///etc/passwd", "//a.example/x", "x.png"]
)
def test_what_is_no_picture_of_the_web_is_not_shown(src: str) -> None:
    assert "<img" not in to_html(f"<img src='{src}' alt='x'>", Base(), Here())


def test_a_picture_without_words_says_so() -> None:
    assert 'alt=""' in to_html("<img src='https://a.example/x.png'>", Base(), Here())


def test_anchors_are_like_those_of_forges() -> None:
    assert slug("  Getting started: `docker`! ") == "getting-started-docker"
    assert slug("Étape n° 2") == "étape-n-2"


HTML = st.text(alphabet="<>/=\"' abhimgsrconlikjvt:()#[]!-_*\n", max_size=200)


class Attributes(HTMLParser):
    """All attributes of a text, with their tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, name, value or "") for name, value in attrs]


@settings(max_examples=300, deadline=None)
@given(HTML)
def test_nothing_written_asks_anyone_else_nor_runs(text: str) -> None:
    html = to_html(text, GITHUB, Here())
    assert "<script" not in html.lower()
    allowed = {"href", "src", "alt", "rel", "loading", "id", "tabindex", "title", "align", "start", "width", "height"}
    for tag, name, value in Attributes(html).found:
        assert name in allowed
        if name == "src":
            assert (tag, value.startswith("/pictures/http")) == ("img", True)
        if name == "href":
            assert value.startswith(("http://", "https://", "mailto:", "#readme-"))
