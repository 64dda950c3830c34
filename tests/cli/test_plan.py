"""``havre plan``: plans administered on the host."""

from pathlib import Path

import pytest

from tests.support.terminal import Terminal

PASSWORD = "correct horse 9"


@pytest.fixture
def host(tmp_path: Path) -> Terminal:
    """The host of a registry where alice has an account."""
    terminal = Terminal(tmp_path)
    terminal.environ["HAVRE_DATA"] = str(tmp_path / "data")
    terminal("user", "add", "alice", "--email", "alice@example.org", "--password-stdin", typed=PASSWORD)
    return terminal


def listed(host: Terminal) -> list[list[str]]:
    return [line.split("\t") for line in host("plan", "list").lines]


def test_a_plan_is_defined_given_changed_and_deleted(host: Terminal) -> None:
    assert listed(host) == [["free", "Free (default)", "1", "none", "none", "1"]]
    host("plan", "set", "team", "--title", "Our team", "--private", "20", "--storage", "1500MB")
    host("plan", "give", "alice", "team")
    assert listed(host)[1] == ["team", "Our team", "20", "1500000000", "none", "1"]
    host("plan", "set", "team", "--private", "none", "--collaborators", "0", "--default")
    assert listed(host)[0] == ["team", "Our team (default)", "none", "1500000000", "0", "1"]
    assert "deleted plan free" in host("plan", "delete", "free").out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "team", "--storage", "1 lorry"), "--storage '1 lorry' is not a limit"),
        (("set", "No", "--title", "No"), "'No' can not be a plan's name"),
        (("give", "nobody", "free"), "there is no account 'nobody'"),
        (("give", "alice", "none"), "there is no plan 'none'"),
        (("delete", "free"), "the plan 'free' is in use"),
    ],
    ids=str,
)
def test_what_can_not_be_is_told(host: Terminal, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in host("plan", *words, code=1).err
    assert len(listed(host)) == 1
