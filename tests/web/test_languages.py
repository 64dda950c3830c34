"""English and French: every message has its French, the placeholders match, and each visitor gets their language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from havre.config import SETTINGS
from havre.web.languages import LANGUAGES, Catalogue, catalogue, choose, read_po
from havre.web.templating import environment
from tests.support.inprocess import InProcess
from tests.web.conftest import Reader, Visitor

WEB = Path(str(files("havre.web")))
PLACE = re.compile(r"%\(\w+\)s")
SAME = {
    "Annotations",
    "Attestation",
    "Client",
    "Code",
    "Configuration",
    "Description",
    "General",
    "Image",
    "Labels",
    "Messages",
    "Pages",
    "Ports",
    "Public",
    "Segments",
    "Sessions",
    "Signature",
    "Tag",
    "Tags",
    "Type",
    "Volumes",
}
"""English words that are also French, or that nothing else shows."""


def used() -> Iterator[tuple[str, ...]]:
    """Every message of the templates and of the code: (message,) or (one, many)."""
    for template in (WEB / "templates").iterdir():
        for _, _, message in environment().extract_translations(template.read_text("utf-8")):  # type: ignore[attr-defined]
            yield tuple(one for one in message if one) if isinstance(message, tuple) else (message,)
    for module in WEB.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"text", "plural"}
            ):
                texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                if texts:
                    yield tuple(texts)
    for setting in SETTINGS.values():
        yield (setting.help,)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_every_message_is_translated(code: str) -> None:
    messages = catalogue(code).messages
    missing = {message[0] for message in used() if len(messages.get(message[0], ())) != len(message)}
    assert missing == set()
    idle = set(messages) - {message[0] for message in used()}
    assert idle == set(), "nobody uses these any more"


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_translations_keep_the_places_to_fill(code: str) -> None:
    seen: set[tuple[str, str]] = set()
    for file in sorted((WEB / "locale" / code).iterdir()):
        for context, message, forms in read_po(file.read_text("utf-8")):
            assert (context, message) not in seen, f"{message} is translated twice, the second time in {file.name}"
            seen.add((context, message))
            for form in forms:
                assert form.strip(), message
                assert set(PLACE.findall(form)) == set(PLACE.findall(message)), message
                assert form.count("<") == message.count("<"), message


@pytest.mark.anyio
async def test_sizes_in_refusals_follow_the_language(stocked: InProcess) -> None:
    carol = await Visitor(stocked.app).become(stocked, "carol")
    alice = await Visitor(stocked.app, language="fr").become(stocked, "alice")
    await alice.post("/repository/docker/alice/app", {"form": "delete", "confirm": "alice/app"})
    await carol.post("/admin/plans/free", {"do": "change", "title": "Free", "storage": "1"})
    (restore,) = [link for link in (await alice.read("/repositories")).links if link.endswith("/restore")]
    reply = await alice.post(restore)
    assert reply.status_code == 403
    assert "sur les 1\u00a0o que la formule" in reply.text
    assert re.search(r"ce contenu fait [0-9,]+\u00a0k?o\W", reply.text)


@pytest.mark.anyio
async def test_numbers_in_templates_follow_each_visitor(stocked: InProcess) -> None:
    """Jinja2 works constants out when it compiles: filters that know the visitor must not be among them."""
    for language, shown in (
        ("en", {"18,230", "81.4 GB"}),
        ("fr", {"18 230", "81,4 Go"}),
        ("en", {"18,230", "81.4 GB"}),
    ):
        assert shown <= set((await Visitor(stocked.app, language=language).read("/styleguide")).texts)


def test_french_signs_and_quotes_stay_with_their_words() -> None:
    french = catalogue("fr")
    assert french.sentence("there is no account 'nobody'") == "il n\u2019y a pas de compte «\u00a0nobody\u00a0»"
    loose = [text for forms in french.messages.values() for text in forms if re.search(r"« | [»;:?!]", text)]
    assert loose == []


@pytest.mark.anyio
async def test_the_settings_are_told_in_french(stocked: InProcess) -> None:
    carol = await Visitor(stocked.app, language="fr").become(stocked, "carol")
    texts = (await carol.read("/admin/settings")).texts
    assert not {setting.help for setting in SETTINGS.values()} & set(texts)
    assert "Adresse et port sur lesquels servir." in texts


def test_plurals_follow_the_language() -> None:
    def days(speech: Catalogue, number: int) -> str:
        return speech.plural("%(num)s day ago", "%(num)s days ago", number)

    assert [days(catalogue("en"), number) for number in (0, 1, 2)] == ["0 days ago", "1 day ago", "2 days ago"]
    french = [days(catalogue("fr"), number) for number in (0, 1, 2)]
    assert french == ["il y a 0 jour", "il y a 1 jour", "il y a 2 jours"]


def test_a_file_that_is_no_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line"):
        list(read_po('msgid "a"\nmsgstr b\n'))


@pytest.mark.parametrize(
    ("asked", "remembered", "account", "accepted", "chosen"),
    [
        ("", "", "", "", "en"),
        ("fr", "en", "en", "en", "fr"),
        ("xx", "fr", "en", "en", "fr"),
        ("", "", "fr", "en", "fr"),
        ("", "", "", "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("", "", "", "de, en;q=0.5, fr;q=0.1", "en"),
        ("", "", "", "de-DE,*;q=0.5", "en"),
        ("", "", "", ";;,,q" * 1000, "en"),
    ],
)
def test_the_language_is_chosen_in_this_order(
    asked: str, remembered: str, account: str, accepted: str, chosen: str
) -> None:
    assert choose(asked, remembered, account, accepted) == chosen


@pytest.mark.anyio
async def test_asking_for_a_language_is_remembered(visitor: Visitor) -> None:
    french = await visitor.get("/login?lang=fr")
    assert '<html lang="fr">' in french.text
    assert french.headers["content-language"] == "fr"
    assert '<html lang="fr">' in (await visitor.get("/")).text
    await visitor.get("/?lang=en")
    assert '<html lang="en">' in (await visitor.get("/")).text


@pytest.mark.anyio
async def test_french_pages_hold_no_english(stocked: InProcess) -> None:
    """Walks the pages that a visitor and an owner can reach, and a few that went wrong."""
    english = set(catalogue("fr").messages) - SAME
    nobody = Visitor(stocked.app, language="fr")
    alice = await Visitor(stocked.app, language="fr").become(stocked, "alice")
    walked, waiting = set[str](), ["/", "/search?q=none", "/nowhere", "/u/bobby", "/settings/password"]
    waiting += ["/repository/docker/alice/app", "/repository/docker/alice/app?tab=settings", "/r/alice/secret"]
    while waiting:
        path = waiting.pop()
        if path in walked or path.startswith("/static/") or "lang=" in path or path.endswith(("/revoke", "/logout")):
            continue
        walked.add(path)
        for visitor in (nobody, alice):
            reply = await visitor.get(path)
            if reply.headers.get("content-type", "").startswith("text/html"):
                page = Reader(reply.text)
                assert not english & set(page.texts), path
                waiting += [link for link in page.links if link.startswith("/")]
    assert len(walked) > 20


@pytest.mark.anyio
async def test_refusals_are_french_too(stocked: InProcess) -> None:
    visitor = Visitor(stocked.app, language="fr")
    new = {
        "name": "marin",
        "email": "marin@example.org",
        "password": "long enough 1",
        "password_again": "long enough 1",
    }
    for change in (
        {"name": "ab"},
        {"name": "admin"},
        {"name": "alice"},
        {"email": "x"},
        {"email": "alice@example.org"},
    ):
        reply = await visitor.post("/signup", new | change)
        assert re.search(
            r"ne peut pas être|est réservé|est pris|pas une adresse|il y a déjà", reply.text, re.IGNORECASE
        ), change
    for password in ("short", "aaaaaaaaa", "hvr_pat_123456", "abc\x07efghij"):
        reply = await visitor.post("/signup", new | {"password": password, "password_again": password})
        assert "Ce mot de passe ne convient pas" in reply.text, password
    await visitor.sign_in("alice")
    token = {"label": "x", "grants": "alice/*", "actions": "push", "expires": "90"}
    for change in ({"label": ""}, {"grants": "A B C!"}):
        problem = re.search(
            r'class="problem"[^>]*>([^<]+)', (await visitor.post("/settings/tokens", token | change)).text
        )
        assert problem is not None
        assert re.match(r"Donnez|«\u00a0A B C!\u00a0»|«\u00a0A\u00a0»", problem[1]), problem[1]
