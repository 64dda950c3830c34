"""Imports point inward: nouns, meaning, people, bytes and rows, wire. Only the command line sees server and client."""

import sys
from collections import deque

import pytest

from tests.rules.source import Module, imports, none_of, package, rooms

INWARD = {
    "havre": set(),
    "errors": set(),
    "oci": {"errors"},
    "config": {"oci", "errors"},
    "registry": {"oci", "errors", "config"},
    "access": {"registry", "oci", "errors", "config"},
    "storage": {"access", "registry", "oci", "errors", "config"},
    "metadata": {"access", "registry", "oci", "errors", "config"},
    # Reads what someone packed, in a process of its own: it needs the meaning, and neither bytes' store nor rows.
    "layers": {"registry", "oci", "errors", "config"},
    # What an operator does to the whole: it needs bytes and rows, and nothing of the wire.
    "upkeep": {"storage", "metadata", "access", "registry", "oci", "errors", "config"},
    # One process, two halves: the server's composition root mounts the pages, the pages use its addresses.
    "server": {"web", "layers", "storage", "metadata", "access", "registry", "oci", "errors", "config"},
    "web": {"server", "layers", "storage", "metadata", "access", "registry", "oci", "errors", "config"},
    # What other registries left on disk: it reads image layouts, and brings everything in through the meaning.
    "adopt": {"images", "registry", "oci", "errors", "config"},
    "client": {"oci", "errors"},
    "images": {"oci", "errors"},
}
"""What each room may reach, directly or through others. ``cli`` may reach everything."""

NOT_IN_THE_DOMAIN = {
    "os", "pathlib", "shutil", "tempfile", "glob", "fcntl", "mmap", "subprocess",  # paths and processes
    "sqlite3", "dbm", "shelve",  # SQL and stores
    "http", "urllib", "socket", "ssl", "socketserver", "wsgiref", "email",  # the wire
}  # fmt: skip


def chain_to_forbidden(start: Module) -> list[str] | None:
    """Return the shortest chain of imports from a module to a room that its own room may not reach."""
    allowed = INWARD[start.room] | {start.room, "havre"}
    queue = deque([(start, [start.where])])
    seen = {start.name}
    while queue:
        module, chain = queue.popleft()
        for found in imports(module):
            target = package().get(found.target)
            if target is None or target.name in seen:
                continue
            seen.add(target.name)
            longer = [*chain[:-1], f"{module.where}:{found.line}", target.where]
            if target.room not in allowed:
                return longer
            queue.append((target, longer))
    return None


def shortest(chains: list[list[str]]) -> list[list[str]]:
    """Keep, of the chains that end in the same import, the shortest: one import to mend, one line to read."""
    best: dict[tuple[str, ...], list[str]] = {}
    for chain in sorted(chains, key=len):
        best.setdefault(tuple(chain[-2:]), chain)
    return list(best.values())


def test_every_room_has_its_place() -> None:
    rows = {module.room for module in package().values()} - set(INWARD) - {"cli", "__main__"}
    assert not rows, f"rooms that no rule knows: {sorted(rows)}; say in INWARD what they may import"


@pytest.mark.parametrize("room", sorted(INWARD))
def test_imports_point_inward(room: str) -> None:
    chains = shortest([chain for module in rooms(room) if (chain := chain_to_forbidden(module))])
    none_of(
        f"{room} may import only {sorted(INWARD[room]) or 'nothing of ours'}, but:",
        ["\n    → ".join(chain) for chain in chains],
    )


def test_nouns_and_meaning_use_the_standard_library_without_paths_sql_or_http() -> None:
    offences = []
    for module in rooms("oci", "registry", "errors"):
        for found in imports(module):
            top = found.target.split(".")[0]
            if top != "havre" and (top not in sys.stdlib_module_names or top in NOT_IN_THE_DOMAIN):
                offences.append(f"{module.where}:{found.line} imports {found.target}")
    none_of("the domain knows no framework, path, SQL or HTTP, but:", offences)
