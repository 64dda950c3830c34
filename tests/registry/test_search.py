"""Words, as texts are cut into them; and the service that finds by them."""

from __future__ import annotations

import pytest

from havre.oci.names import RepositoryName
from havre.registry.records import Viewer, Visibility
from havre.registry.search import MAX_FOUND, MAX_SUGGESTED, SearchOrder, SearchQuery
from havre.registry.words import LONGEST, MAX_README_WORDS, MAX_TYPED, Terms, indexed, terms
from tests.support.inprocess import InProcess

ANYONE = Viewer()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello World", ("hello", "world")),
        ("alice/web-app_2.x", ("alice", "web", "app", "2", "x")),
        ("Façade ÉCRU Straße", ("facade", "ecru", "strasse")),
        ("ﬁle ²", ("file", "2")),
        ("python中文库", ("python", "中文", "文库")),
        ("中", ("中",)),
        ("\uff30\uff2f\uff33\uff34gres", ("postgres",)),
        ("a a a b", ("a", "b")),
        ("x" * 300, ("x" * LONGEST,)),
        (" ".join(map(str, range(99))), tuple(map(str, range(MAX_TYPED)))),
    ],
)
def test_what_is_typed_becomes_words(text: str, words: tuple[str, ...]) -> None:
    found = terms(text)
    assert found is not None
    assert found.words == words


@pytest.mark.parametrize("text", ["", "   ", "\"'*()", "😀", "-- ;", "_", "\u0301"])
def test_without_a_letter_or_digit_there_is_nothing_to_look_for(text: str) -> None:
    assert terms(text) is None


def test_a_single_latin_letter_is_brief() -> None:
    brief = [found.brief for text in ("a", "7", "中", "ab", "a b") if isinstance(found := terms(text), Terms)]
    assert brief == [True, True, False, False, False]


def test_a_word_counts_where_it_weighs_most() -> None:
    words = indexed(RepositoryName("alice/web-app"), "A web app by alice", "alice makes a web 数据")
    assert words.name[:3] == ("web", "app", "webapp")
    assert "alice" in words.part
    assert words.description == ("a", "by")
    assert words.readme == ("makes", "数", "据", "数据")
    every = [*words.name, *words.part, *words.description, *words.readme]
    assert len(set(every)) == len(every)


def test_of_a_long_overview_the_first_words_are_found() -> None:
    words = indexed(RepositoryName("app"), "", " ".join(f"w{number}" for number in range(MAX_README_WORDS + 500)))
    assert len(words.readme) == MAX_README_WORDS


@pytest.mark.anyio
async def test_suggestions_are_few_and_the_best(inside: InProcess) -> None:
    for number in range(MAX_SUGGESTED + 3):
        await inside.app.repositories.create(RepositoryName(f"alice/thing{number}"), Visibility.PUBLIC)
    assert len(await inside.app.search.suggest(ANYONE, "thin")) == MAX_SUGGESTED
    assert [one.name for one in await inside.app.search.suggest(ANYONE, "thing3")] == ["alice/thing3"]
    assert await inside.app.search.suggest(ANYONE, "nothing") == []


@pytest.mark.anyio
async def test_what_was_remembered_is_forgotten_with_the_next_commit(inside: InProcess) -> None:
    query = SearchQuery(order=SearchOrder.RECENT)
    assert (await inside.app.search.find(ANYONE, query)).total == 0
    name = RepositoryName("alice/app")
    await inside.app.repositories.create(name, Visibility.PUBLIC)
    assert (await inside.app.search.find(ANYONE, query)).total == 1
    alice = await inside.actor("alice")
    assert alice.user_id is not None
    await inside.app.stars.star(name, alice.user_id)
    await inside.app.stars.star(name, alice.user_id)
    assert [one.stars for one in (await inside.app.search.find(ANYONE, query)).items] == [1]
    await inside.app.stars.unstar(name, alice.user_id)
    assert [one.stars for one in (await inside.app.search.find(ANYONE, query)).items] == [0]


@pytest.mark.anyio
async def test_no_page_lies_beyond_what_is_counted(inside: InProcess) -> None:
    await inside.app.repositories.create(RepositoryName("alice/app"), Visibility.PUBLIC)
    assert (await inside.app.search.find(ANYONE, SearchQuery("app"), MAX_FOUND, 25)).items == []
