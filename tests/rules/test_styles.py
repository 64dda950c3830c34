"""The styles are no larger than what pages use: every class has its page, every colour its two themes."""

import re
from importlib.resources import files
from pathlib import Path

from tests.rules.source import none_of

WEB = Path(str(files("havre.web")))
SHEETS = sorted((WEB / "static" / "css").glob("*.css"))
CLASS = re.compile(r"\.(-?[a-zA-Z_][\w-]*)")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
COUNTED = re.compile(r"(\w+-)\d+")
"""Classes of a row, such as hue-3: the number comes from a value."""


def selectors(sheet: str) -> str:
    """The sheet without its comments and what is between the braces of its rules."""
    return re.sub(r"\{[^{}]*\}", " ", COMMENT.sub("", sheet))


def classes() -> dict[str, str]:
    """Every class that some rule is about, and the sheet it is in."""
    return {name: sheet.name for sheet in SHEETS for name in CLASS.findall(selectors(sheet.read_text("utf-8")))}


def words() -> set[str]:
    """Everything that may be a class in templates, modules and the code of pages."""
    sources = [*(WEB / "templates").iterdir(), *(WEB / "static").glob("*.js"), *WEB.rglob("*.py")]
    return {word for source in sources for word in re.findall(r"[\w-]+", source.read_text("utf-8"))}


def test_every_class_is_used() -> None:
    known = words()
    idle = [
        f"{sheet}: .{name}"
        for name, sheet in sorted(classes().items())
        if name not in known and not ((found := COUNTED.fullmatch(name)) and found[1] in known)
    ]
    none_of("a rule goes when its last page goes, but these have none:", idle)


def test_every_colour_has_two_themes() -> None:
    offences = []
    for sheet in SHEETS:
        if sheet.name == "10-base.css":
            continue  # it names the colours; those that are the same in both themes stand on grounds that are
        plain = re.sub(r"light-dark\((?:[^()]|\([^()]*\))*\)", "", COMMENT.sub("", sheet.read_text("utf-8")))
        for declaration in re.findall(r"[\w-]+\s*:[^;{}]*#[0-9a-fA-F]{3,8}\b[^;{}]*", plain):
            offences.append(f"{sheet.name}: {declaration.strip()}")  # noqa: PERF401 - a comprehension of three would be longer
    none_of("a colour is a variable of 10-base.css or a light-dark() of two, but:", offences)


def test_no_rule_is_written_in_two_sheets() -> None:
    seen: dict[str, str] = {}
    twice = []
    for sheet in SHEETS:
        text = re.sub(r"@[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", COMMENT.sub("", sheet.read_text("utf-8")))
        for selector in re.findall(r"([^{}]+)\{", text):
            name = " ".join(selector.split())
            if seen.setdefault(name, sheet.name) != sheet.name:
                twice.append(f"{sheet.name}: {name} (also in {seen[name]})")
    none_of("what several rooms share is a component of 11-components.css, but:", twice)


def test_the_page_of_components_shows_each() -> None:
    macros = set(re.findall(r"{% macro (\w+)\(", (WEB / "templates" / "parts.html").read_text("utf-8")))
    shown = set(re.findall(r"\w+", (WEB / "templates" / "styleguide.html").read_text("utf-8")))
    hidden = {
        "sharing": "of the head",
        "cards": "lists of real repositories, on the home page",
        "tag_rows": "of real tags, on a repository's page",
        "badges": "of a real repository; their classes are shown",
        "pulls": "of a real repository",
        "stars": "of a real repository",
        "push_help": "commands, which are shown",
        "copy": "within digest, commands and source",
        "digest_with": "digest, which is shown",
        "whole_problem": "a notice, which is shown",
    }
    none_of("/styleguide shows every macro of parts.html, but not:", sorted(macros - shown - set(hidden)))
