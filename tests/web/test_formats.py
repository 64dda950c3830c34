"""Sizes, numbers and times as people read them; the README; our own files."""

from __future__ import annotations

import hashlib
import re

import pytest

from havre.web import formats
from havre.web.assets import assets
from havre.web.languages import catalogue
from havre.web.markdown import to_html
from tests.support.inprocess import InProcess
from tests.web.conftest import Visitor

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (1000, "1 kB", "1 ko"),
        (1234, "1.23 kB", "1,23 ko"),
        (12_345, "12.3 kB", "12,3 ko"),
        (999_499, "999 kB", "999 ko"),
        (999_500, "1 MB", "1 Mo"),
        (4_000_000_000, "4 GB", "4 Go"),
        (10**18, "1000 PB", "1000 Po"),
    ],
)
def test_sizes_are_decimal(count: int, english: str, french: str) -> None:
    assert formats.size(count, "en").replace("\u00a0", " ") == english
    assert formats.size(count, "fr").replace("\u00a0", " ") == french


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1250, "1.2k"),
        (9_960, "10k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (4_812_345, "4.8M"),
    ],
)
def test_large_numbers_get_little_room(count: int, text: str) -> None:
    assert formats.compact(count, "en") == text


def test_numbers_are_grouped() -> None:
    assert formats.number(1234567, "en") == "1,234,567"
    assert formats.number(1234567, "fr") == "1\u202f234\u202f567"


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (-DAY, "just now"),
        (44_000, "just now"),
        (50_000, "1 minute ago"),
        (59 * MINUTE, "59 minutes ago"),
        (HOUR, "1 hour ago"),
        (23 * HOUR, "23 hours ago"),
        (29 * DAY, "29 days ago"),
        (31 * DAY, "1 month ago"),
        (400 * DAY, "1 year ago"),
        (800 * DAY, "2 years ago"),
    ],
)
def test_times_are_relative(passed: int, text: str) -> None:
    now = 1_800_000_000_000
    assert formats.ago(now - passed, now, catalogue("en")) == text


def test_times_are_exact_too() -> None:
    assert formats.exact(1_795_439_760_000) == "2026-11-23 13:16 UTC"
    assert formats.machine(1_795_439_760_000) == "2026-11-23T13:16:00Z"
    assert formats.until(90 * DAY, 5, catalogue("en")) == "in 90 days"
    assert formats.until(5, 90, catalogue("en")) == "expired"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# A\n## B\n###### C", '<h3 id="readme-a">A</h3>\n<h4 id="readme-b">B</h4>\n<h6 id="readme-c">C</h6>\n'),
        ("# A\n# A", '<h3 id="readme-a">A</h3>\n<h3 id="readme-a-1">A</h3>\n'),
        ("<b>x</b>", "<p><b>x</b></p>\n"),
        ("<h1>x</h1>", "<h3>x</h3>"),
        ("<p onclick=x() style=color:red class=button>x</p>", "<p>x</p>"),
        ("<script>x()</script><style>p{}</style><iframe src=//a.example></iframe>", ""),
        ("<form action=/logout><button>x</button></form>", "x"),
        ("<p align=center>x", '<p align="center">x</p>'),
        ("- [ ] a\n- [x] b", "<ul>\n<li>\u2610&nbsp;a</li>\n<li>\u2611&nbsp;b</li>\n</ul>\n"),
        ("`a` ~~b~~", "<p><code>a</code> <s>b</s></p>\n"),
        ("[a](javascript:x)", "<p>[a](javascript:x)</p>\n"),
        ("[a](data:text/html;base64,x)", "<p>[a](data:text/html;base64,x)</p>\n"),
    ],
)
def test_readme_is_safe_html(text: str, html: str) -> None:
    assert to_html(text) == html


def test_pictures_of_a_readme_become_links() -> None:
    link = 'rel="nofollow noopener noreferrer ugc"'
    assert to_html("![logo](https://a.example/l.png)") == f'<p><a href="https://a.example/l.png" {link}>logo</a></p>\n'
    badge = to_html("[![build](https://a.example/b.svg)](https://a.example)")
    assert badge == f'<p><a href="https://a.example" {link}>build</a></p>\n'


def test_readme_tables_and_depth() -> None:
    assert '<table tabindex="0">' in to_html("|a|b|\n|-|-|\n|1|2|")
    assert len(to_html("> " * 5000 + "x")) < 50_000


@pytest.mark.anyio
async def test_files_of_ours_are_named_by_their_content(visitor: Visitor) -> None:
    assert {"havre.css", "copy.js", "favicon.svg"} <= set(assets().names)
    for name in assets().names:
        reply = await visitor.get(assets().url(name))
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(reply.content).hexdigest()[:12] in assets().url(name)
    assert (await visitor.get("/static/havre.css")).status_code == 404
    assert (await visitor.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"


@pytest.mark.anyio
async def test_files_are_compressed_for_those_who_take_it(visitor: Visitor) -> None:
    plain = await visitor.get(assets().url("havre.css"), **{"Accept-Encoding": "identity"})
    packed = await visitor.get(assets().url("havre.css"), **{"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 3


@pytest.mark.anyio
async def test_a_first_page_is_under_sixty_kilobytes(stocked: InProcess, visitor: Visitor) -> None:
    caller = await stocked.caller("alice", "alice/app")
    await caller.push_image("alice/app", *(f"tag-{number}" for number in range(40)))
    for path in ("/", "/r/alice/app", "/r/alice/app/tags", "/login"):
        page = await visitor.get(path)
        own = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
        files = [await visitor.get(name) for name in own]
        assert sum(int(one.headers["content-length"]) for one in [page, *files]) < 60_000, path
        assert "https://" not in page.text, "nothing is fetched from elsewhere"
