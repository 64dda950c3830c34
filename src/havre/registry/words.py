"""Words: how texts are cut for search, the same for what is stored and for what is typed, on either engine.

A word is a run of letters and digits, without accents and in lower case. Chinese and Japanese write no spaces, so there
every character and every pair of neighbours is a word. Nothing that is typed is ever syntax: only words come out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import pairwise

from havre.oci.names import RepositoryName

LONGEST = 40
"""Characters of a word; the rest of a longer one is not looked at."""

MAX_TYPED = 8
"""Words of a search; more are not looked at."""

MAX_README_WORDS = 4000
"""Different words of one overview that are found."""

_SHORTEST_PART = 3
_LONGEST_WHOLE = 300
_WORD = re.compile(r"[^\W_]+")
# Han and kana. Hangul has spaces.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
# Stands before a whole name. It is no letter, so nobody can type it, and not ASCII, so SQLite takes it for one.
_WHOLE = "\u00b7"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was typed, as words: all must be found, and the last may be the beginning of one."""

    words: tuple[str, ...]
    whole: str
    """What is stored for a name that is exactly this."""

    @property
    def brief(self) -> bool:
        """Is it a single Latin letter or digit? Then only names are looked at: it begins a word of every text."""
        return len(self.words) == 1 and len(self.words[0]) == 1 and self.words[0].isascii()


@dataclass(frozen=True, slots=True)
class Indexed:
    """The words of one repository. None stands twice: the first field that has it counts."""

    name: tuple[str, ...]
    """Of the path within the namespace; and the whole name, marked as such."""
    part: tuple[str, ...]
    """The namespace, and the ends of the name's words: ``sql`` finds ``postgresql``."""
    description: tuple[str, ...]
    readme: tuple[str, ...]


def terms(text: str) -> Terms | None:
    """What to look for; None when ``text`` holds neither a letter nor a digit."""
    found: list[str] = []
    for word in _words(text):
        found += _pairs(word) if _UNSPACED.fullmatch(word) and len(word) > 1 else [word]
    if not found:
        return None
    return Terms(tuple(dict.fromkeys(found[:MAX_TYPED])), _whole(text))


def indexed(name: RepositoryName, description: str, readme: str) -> Indexed:
    """The words of a repository, each in the field where it weighs most."""
    seen: set[str] = set()

    def fresh(words: list[str], most: int | None = None) -> tuple[str, ...]:
        new = [word for word in dict.fromkeys(words) if word not in seen][:most]
        seen.update(new)
        return tuple(new)

    leaf = _words(name.leaf)
    ends = [word[start:] for word in leaf for start in range(1, len(word) - _SHORTEST_PART + 1)]
    return Indexed(
        fresh([*leaf, "".join(leaf)[:LONGEST], _whole(name.leaf), _whole(f"{name.namespace}/{name.leaf}")]),
        fresh([*_words(name.namespace), *ends]),
        fresh(_spread(description)),
        fresh(_spread(readme), MAX_README_WORDS),
    )


def _whole(text: str) -> str:
    return (_WHOLE + "".join(_words(text)))[:_LONGEST_WHOLE]


def _words(text: str) -> list[str]:
    """The words of ``text`` in order, runs of unspaced writing as they are."""
    plain = text.casefold()
    if not plain.isascii():
        apart = unicodedata.normalize("NFKD", plain)
        plain = "".join(letter for letter in apart if not unicodedata.combining(letter)).casefold()
    found: list[str] = []
    for run in _WORD.findall(plain):
        found += [run] if run.isascii() else _split(run)
    return [word[:LONGEST] for word in found]


def _split(run: str) -> list[str]:
    """Unspaced writing apart from other letters: ``python中文`` is two words."""
    pieces, end = [], 0
    for unspaced in _UNSPACED.finditer(run):
        pieces += [run[end : unspaced.start()], unspaced[0]]
        end = unspaced.end()
    return [piece for piece in [*pieces, run[end:]] if piece]


def _spread(text: str) -> list[str]:
    """As stored: of unspaced writing each character and each pair."""
    found: list[str] = []
    for word in _words(text):
        found += [*word, *_pairs(word)] if _UNSPACED.fullmatch(word) else [word]
    return found


def _pairs(word: str) -> list[str]:
    return [one + other for one, other in pairwise(word)]
