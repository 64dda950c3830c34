"""The languages of the pages: English is the source text, others are catalogues in ``locale/``, read when first needed.

A catalogue is a folder of plain gettext ``.po`` files, one per part of the site (https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html), read
as they are: nothing to compile, nothing generated in the repository, and translators may use the tools they know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

LANGUAGES = {"en": "English", "fr": "Français"}
"""Code and own name of each language, English first."""

_PLURAL: dict[str, Callable[[int], bool]] = {"en": lambda number: number != 1, "fr": lambda number: number > 1}
_SENTENCE = "sentence"
_PLACE = re.compile(r"%\((\w+)\)s")
_SIZE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,2})?) (bytes|kB|MB|GB|TB|PB)")
"""A size as sentences of errors hold it: decimal, in English."""

_QUOTED = re.compile(r"'([^']*)'")
_QUOTES = {"en": "'{}'", "fr": "«\u00a0{}\u00a0»"}
_TIGHT = re.compile(r"(?<=«) | (?=[»;:?!]|%%)")
"""French stands off such signs by a space at which no line may end; translators type a plain one."""

UNITS = {"en": ("B", "kB", "MB", "GB", "TB", "PB"), "fr": ("o", "ko", "Mo", "Go", "To", "Po")}
"""Of sizes, each a thousand times the one before."""

POINT = {"en": ".", "fr": ","}
"""Between a whole number and what follows it."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The messages of one language. English has none: its text is the key."""

    code: str
    messages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()
    """Sentences of errors, which arrive with their values filled in."""

    def lookup(self, message: str) -> str:
        """The translation of ``message``, or itself."""
        return self.messages.get(message, (message,))[0]

    def lookup_plural(self, one: str, many: str, number: int) -> str:
        """The form that goes with ``number``."""
        is_many = _PLURAL[self.code](number)
        found = self.messages.get(one)
        return (many if is_many else one) if found is None else found[is_many]

    def text(self, message: str, **values: object) -> str:
        """``message`` in this language, its ``%(name)s`` filled in."""
        return self.lookup(message) % values

    def plural(self, one: str, many: str, number: int) -> str:
        """One of two messages, with ``%(num)s`` filled in."""
        return self.lookup_plural(one, many, number) % {"num": number}

    def sentence(self, message: str) -> str:
        """The sentence of an error in this language; as it is when the catalogue does not know it."""
        for pattern, translation in self.patterns:
            if found := pattern.fullmatch(message):
                return translation % {name: self._value(value) for name, value in found.groupdict().items()}
        return message

    def _value(self, value: str) -> str:
        """What fills a place of a sentence: what is quoted and sizes as in this language, anything else as it is."""
        quoted = _QUOTED.fullmatch(value)
        if quoted is not None:
            return _QUOTES[self.code].format(quoted[1])
        size = _SIZE.fullmatch(value)
        if size is None:
            return value
        step = 0 if size[2] == "bytes" else UNITS["en"].index(size[2])
        return f"{size[1].replace('.', POINT[self.code])}\u00a0{UNITS[self.code][step]}"


@cache
def catalogue(code: str) -> Catalogue:
    """The catalogue of a language of LANGUAGES; read on first use, in some milliseconds."""
    if code == "en":
        return Catalogue("en")
    messages, patterns = {}, []
    for file in sorted((files("havre.web") / "locale" / code).iterdir(), key=lambda file: file.name):
        for context, message, forms in read_po(file.read_text("utf-8")):
            spaced = tuple(_TIGHT.sub("\u00a0", form) for form in forms)
            if context == _SENTENCE:
                patterns.append((_pattern(message), spaced[0]))
            else:
                messages[message] = spaced
    return Catalogue(code, messages, tuple(patterns))


def _pattern(message: str) -> re.Pattern[str]:
    pieces, end = [], 0
    for place in _PLACE.finditer(message):
        pieces += [re.escape(message[end : place.start()]), f"(?P<{place[1]}>.{{1,400}}?)"]
        end = place.end()
    return re.compile("".join([*pieces, re.escape(message[end:])]), re.DOTALL)


def read_po(text: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Each entry as (context, message, forms), without the header. Raises ValueError for a line that is no PO."""
    for block in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        current = ""
        for line in block.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            keyword, _, literal = line.partition(" ")
            if line.startswith('"'):
                literal = line
            else:
                current = keyword
            if not current or not literal.startswith('"'):
                raise ValueError(f"not a line of a PO file: {line!r}")
            value: str = json.loads(literal)  # the escapes of both are the same
            fields[current] = fields.get(current, "") + value
        if fields.get("msgid"):
            forms = tuple(value for keyword, value in fields.items() if keyword.startswith("msgstr"))
            yield fields.get("msgctxt", ""), fields["msgid"], forms


def choose(asked: str, remembered: str, account: str, accepted: str) -> str:
    """The language for a visitor: as asked for in the address, as remembered in a cookie, as set in the account, or the
    first that the browser's Accept-Language names (RFC 9110, section 12.5.4; its order, weights aside).
    """
    for code in (asked, remembered, account):
        if code in LANGUAGES:
            return code
    for piece in accepted[:500].split(","):
        code = piece.partition(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return "en"
