"""Permissions: who may do what, as a table; and that a grant can only ever narrow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havre.access.actors import ANONYMOUS, EVERYTHING, Action, Actor, Grant
from havre.access.permissions import may
from havre.errors import InputInvalid
from havre.oci.names import Namespace, RepositoryName
from havre.registry.records import NamespaceRecord, Repository, Viewer, Visibility

ALICE, BOBBY, CAROL = Actor(1, "alice"), Actor(2, "bobby"), Actor(3, "carol", is_admin=True)
ACTIONS = list(Action)
ALL = frozenset(Action)


def namespace(name: str) -> NamespaceRecord | None:
    owners = {"alice": 1, "bobby": 2, "carol": 3, "library": None}
    return NamespaceRecord(1, Namespace(name), owners[name]) if name in owners else None


def repository(name: RepositoryName, visibility: str) -> Repository | None:
    space = namespace(name.namespace)
    if visibility == "absent" or space is None:
        return None
    return Repository(7, name, space.owner_id, Visibility(visibility), 0, 0)


def what(actor: Actor, path: str, visibility: str) -> str:
    """All that ``actor`` may do."""
    name = RepositoryName.parse(path)
    place = repository(name, visibility), namespace(name.namespace)
    return " ".join(action.value for action in Action if may(actor, action, name, *place))


PULL, NOTHING, EVERY = "pull", "", "pull push delete admin"


@pytest.mark.parametrize(
    ("path", "visibility", "anonymous", "alice", "bobby", "carol"),
    [
        ("alice/app", "public", PULL, EVERY, PULL, EVERY),
        ("alice/app", "private", NOTHING, EVERY, NOTHING, EVERY),
        ("alice/app", "absent", NOTHING, EVERY, NOTHING, EVERY),
        ("alice/team/app", "private", NOTHING, EVERY, NOTHING, EVERY),
        ("alicebobby/app", "absent", NOTHING, NOTHING, NOTHING, EVERY),
        ("python", "public", PULL, PULL, PULL, EVERY),
        ("python", "private", NOTHING, NOTHING, NOTHING, EVERY),
        ("python", "absent", NOTHING, NOTHING, NOTHING, EVERY),
        ("library/python", "public", PULL, PULL, PULL, EVERY),
        ("nobody/app", "absent", NOTHING, NOTHING, NOTHING, EVERY),
    ],
)
def test_who_may_do_what(path: str, visibility: str, anonymous: str, alice: str, bobby: str, carol: str) -> None:
    found = [what(actor, path, visibility) for actor in (ANONYMOUS, ALICE, BOBBY, CAROL)]
    assert found == [anonymous, alice, bobby, carol]


grant_lists = st.lists(
    st.builds(
        Grant,
        st.sampled_from(["alice/app", "alice/*", "*", "bobby/*", "*/app", "python"]),
        st.frozensets(st.sampled_from(ACTIONS)),
    ),
    max_size=4,
)
accounts = st.sampled_from([ALICE, BOBBY, CAROL])
names = st.sampled_from(["alice/app", "alice/x", "alice/team/app", "bobby/app", "python", "nobody/app"])
visibilities = st.sampled_from(["public", "private", "absent"])


@given(accounts, grant_lists, names, visibilities, st.sampled_from(ACTIONS))
def test_grants_never_widen(actor: Actor, grants: list[Grant], path: str, visibility: str, action: Action) -> None:
    name = RepositoryName.parse(path)
    place = repository(name, visibility), namespace(name.namespace)
    narrowed = Actor(actor.user_id, actor.name, actor.is_admin, tuple(grants))
    allowed = may(narrowed, action, name, *place)
    assert not allowed or may(actor, action, name, *place)
    covered = any(grant.covers(action, name) for grant in grants)
    public_pull = may(ANONYMOUS, action, name, *place)
    assert allowed == (public_pull or (covered and may(actor, action, name, *place)))


@given(grant_lists, names, visibilities)
def test_public_pull_stays_under_any_grants(grants: list[Grant], path: str, visibility: str) -> None:
    name = RepositoryName.parse(path)
    place = repository(name, visibility), namespace(name.namespace)
    if may(ANONYMOUS, Action.PULL, name, *place):
        assert may(Actor(2, "bobby", grants=tuple(grants)), Action.PULL, name, *place)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("alice/app", "alice/app", True),
        ("alice/app", "alice/app2", False),
        ("alice/*", "alice/app", True),
        ("alice/*", "alice/team/app", True),
        ("alice/*", "alicex/app", False),
        ("alice/*", "xalice/app", False),
        ("*", "anything/at/all", True),
        ("alice/a.p", "alice/axp", False),
        ("*/app", "bobby/app", True),
        ("alice/***x", "alice/aax", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert Grant.parse(pattern, ALL).covers(Action.PULL, path) is matches


@pytest.mark.parametrize("pattern", ["", "Alice/*", "alice/ app", "[a-z]*", "a" * 256, "*a*a*a*a*", "alice/", "a\n"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InputInvalid, match="is not a repository pattern"):
        Grant.parse(pattern, ALL)


def test_a_grant_of_nothing_is_refused() -> None:
    with pytest.raises(InputInvalid, match="allows nothing"):
        Grant.parse("alice/*", frozenset())


@pytest.mark.parametrize(
    ("grants", "viewer"),
    [
        (None, Viewer(3, is_admin=True)),
        ((), Viewer()),
        ((Grant("carol/*", ALL),), Viewer()),
        ((Grant(EVERYTHING, frozenset({Action.PUSH})),), Viewer()),
        ((Grant(EVERYTHING, frozenset({Action.PULL})),), Viewer(3, is_admin=True)),
    ],
)
def test_lists_are_made_for_the_account_only_if_it_may_pull_all(
    grants: tuple[Grant, ...] | None, viewer: Viewer
) -> None:
    assert Actor(3, "carol", is_admin=True, grants=grants).viewer == viewer


def test_nobody_sees_what_everybody_sees() -> None:
    assert ANONYMOUS.anonymous
    assert ANONYMOUS.viewer == Viewer()
