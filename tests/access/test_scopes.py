"""Scopes: what clients write is understood, what nobody understands is not granted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.access.actors import Action
from havre.access.permissions import WIRE_ACTIONS
from havre.access.scopes import MAX_SCOPES, Access, parse_scopes

PULL, PUSH, DELETE = Action.PULL, Action.PUSH, Action.DELETE


@pytest.mark.parametrize(
    ("texts", "repositories"),
    [
        ([], {}),
        (["repository:alice/app:pull"], {"alice/app": {PULL}}),
        (["repository:alice/app:pull,push"], {"alice/app": {PULL, PUSH}}),
        (["repository:alice/app:push,pull", "repository:alice/app:pull"], {"alice/app": {PULL, PUSH}}),
        (["repository:alice/a:pull repository:bobby/b:push"], {"alice/a": {PULL}, "bobby/b": {PUSH}}),
        (["repository:alice/app:*"], {"alice/app": {PULL, PUSH, DELETE}}),
        (["repository(plugin):alice/app:pull"], {"alice/app": {PULL}}),
        (["repository:library/python:pull"], {"python": {PULL}}),
        (["repository:python:pull"], {"python": {PULL}}),
        (["repository:alice/app:admin"], {}),
        (["repository:alice/app:pull,admin,frobnicate"], {"alice/app": {PULL}}),
        (["repository:alice/app:"], {}),
        (["repository:alice/app"], {}),
        (["repository:host:5000/alice/app:pull"], {}),
        (["repository:Alice/App:pull"], {}),
        (["repository:../etc:pull"], {}),
        (["registry:alice/app:pull"], {}),
        (["", "   ", ":", "::", "repository", "a:b:c:d"], {}),
        (["  repository:alice/app:pull\trepository:alice/b:pull  "], {"alice/app": {PULL}, "alice/b": {PULL}}),
    ],
)
def test_reading(texts: list[str], repositories: dict[str, set[Action]]) -> None:
    assert dict(parse_scopes(texts).repositories) == repositories


@pytest.mark.parametrize(
    ("text", "catalog"),
    [("registry:catalog:*", True), ("registry:catalog:search", True), ("registry:other:*", False), ("registry", False)],
)
def test_the_catalogue(text: str, catalog: bool) -> None:
    assert parse_scopes([text]).catalog is catalog


def test_no_more_repositories_than_a_token_holds() -> None:
    texts = [f"repository:alice/app{number}:pull" for number in range(MAX_SCOPES + 10)]
    found = parse_scopes([*texts, "repository:alice/app0:push"]).repositories
    assert len(found) == MAX_SCOPES
    assert found["alice/app0"] == {PULL, PUSH}


def test_writing_leaves_out_what_was_not_granted() -> None:
    access = parse_scopes(["repository:alice/b:push,pull", "repository:alice/a:delete", "registry:catalog:*"])
    assert str(access) == "repository:alice/b:pull,push repository:alice/a:delete registry:catalog:*"
    assert str(Access({name: frozenset() for name in access.repositories})) == ""


@given(st.lists(st.text(max_size=100), max_size=20))
def test_nothing_that_is_sent_fails(texts: list[str]) -> None:
    found = parse_scopes(texts)
    assert len(found.repositories) <= MAX_SCOPES
    assert all(actions and actions <= WIRE_ACTIONS for actions in found.repositories.values())


names = st.from_regex(r"[a-z]{1,4}(?:/[a-z]{1,4}){0,2}", fullmatch=True)
asked = st.dictionaries(names, st.frozensets(st.sampled_from(sorted(WIRE_ACTIONS)), min_size=1), max_size=5)


@given(asked)
def test_what_is_written_is_read_again(wanted: dict[str, frozenset[Action]]) -> None:
    texts = [f"repository:{name}:{','.join(actions)}" for name, actions in wanted.items()]
    access = parse_scopes(texts)
    assert parse_scopes([str(access)]) == access
    assert parse_scopes([" ".join(texts)]) == access
