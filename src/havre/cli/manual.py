"""Manual: the page that ``man havre`` shows (docs/reference/havre.1), made of the reference, so that both say the same.

``python -m havre.cli.manual`` prints it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from havre.cli.reference import reference

_HEAD = r""".\" Written by python -m havre.cli.manual; change the modules of src/havre/cli instead.
.TH HAVRE 1 "" Havre "User Commands"
.SH NAME
havre \- a container registry that anyone can run, and a client for any
.SH SYNOPSIS
.B havre
.I COMMAND
.RI [ OPTIONS ]
.RI [ ARGUMENTS ]
.SH DESCRIPTION
"""

_SECTIONS = {"environment": "ENVIRONMENT", "exit code": "EXIT STATUS"}
"""Tables of the reference's introduction that are sections of a manual page, by the first cell of their head."""

_TAIL = r""".SH SEE ALSO
.BR docker (1),
.BR podman (1),
.BR skopeo (1)
"""


def manual() -> str:
    """The page; a test compares it with the one in docs/."""
    introduction, *commands = reference().split("\n## ")
    # The title, and the remark on how the reference is written.
    lines = introduction.splitlines()[3:]
    body = [*_lines(lines), ".SH COMMANDS", *_lines("\n".join(f"## {one}" for one in commands).splitlines())]
    return _HEAD + "\n".join(body) + "\n" + _TAIL


def _lines(lines: list[str]) -> Iterator[str]:
    paragraph = False
    for line in lines:
        if not line.strip():
            paragraph = False
        elif line.startswith("##"):
            yield f'.SS "{_text(line.lstrip("# "))}"'
            paragraph = True
        elif line.startswith("    "):
            yield from (".PP", f"\\fB{_text(line.strip())}\\fR")
        elif line.startswith("|"):
            yield from _row(line)
        else:
            if not paragraph:
                yield ".PP"
            paragraph = True
            yield _text(line)


def _row(line: str) -> Iterator[str]:
    """A row of a table: a word and what it means; the head of a table may begin a section."""
    first, second = (cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:3])
    if first in _SECTIONS:
        yield f'.SH "{_SECTIONS[first]}"'
    elif first.strip("-"):
        yield from (".TP", _text(first if first.startswith("`") else f"`{first}`"), _text(second) or "\\&")


def _text(text: str) -> str:
    """Text of the reference in the letters of roff."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace('"', "\\(dq")
    bold = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", safe)
    return f"\\&{bold}" if bold.startswith((".", "'")) else bold


if __name__ == "__main__":
    print(manual(), end="")
