"""Plans: what PostgreSQL really did for each statement of a unit of work, as auto_explain tells the one who asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

_SETTINGS = {
    "client_min_messages": "log",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_min_duration": "0",
}


@dataclass(slots=True)
class Plan:
    """What one unit of work took, in all its statements; triggers and checks of foreign keys included."""

    statements: int = 0
    visited: int = 0
    """Rows that were looked at, fit or not."""
    buffers: int = 0
    """Pages of 8 KiB that were looked at, in memory or not."""
    indexes: dict[str, None] = field(default_factory=dict)
    """Names, in the order they were first used."""
    walked: dict[str, int] = field(default_factory=dict)
    """Tables read from one end, with the rows that were read of them."""
    sorted: int = 0
    """Rows that were sorted."""

    def add(self, node: Mapping[str, Any]) -> None:
        """Count a node of a plan with all below it."""
        loops = node.get("Actual Loops", 1)
        kind = node["Node Type"]
        if kind.endswith("Scan") and (relation := node.get("Relation Name", node.get("Index Name"))):
            left = sum(node.get(key, 0) for key in ("Rows Removed by Filter", "Rows Removed by Index Recheck"))
            rows = int((node.get("Actual Rows", 0) + left) * loops)
            if kind != "Bitmap Index Scan":
                self.visited += rows
            if kind == "Seq Scan" and loops:
                self.walked[relation] = self.walked.get(relation, 0) + rows
            if loops and "Index Name" in node:
                self.indexes.setdefault(node["Index Name"])
        if "Sort" in kind:
            self.sorted += int(sum(child.get("Actual Rows", 0) for child in node.get("Plans", ())) * loops)
        for child in node.get("Plans", ()):
            self.add(child)


@contextmanager
def explained(connection: Connection) -> Iterator[Callable[[], Plan]]:
    """Have every statement tell its plan; the function that this gives returns what was told since it was last called."""
    raw: Any = connection.connection.driver_connection
    told: list[str] = []

    def note(diagnostic: Any) -> None:
        told.append(diagnostic.message_primary or "")

    connection.exec_driver_sql("LOAD 'auto_explain'")
    for name, value in _SETTINGS.items():
        connection.exec_driver_sql(f"SET {name} = '{value}'")
    raw.add_notice_handler(note)

    def taken() -> Plan:
        plan = Plan()
        for text in told:
            if "plan:" in text:
                whole = json.loads(text.partition("plan:")[2])
                root = whole["Plan"]
                plan.statements += 1
                plan.buffers += root.get("Shared Hit Blocks", 0) + root.get("Shared Read Blocks", 0)
                plan.add(root)
        told.clear()
        return plan

    try:
        yield taken
    finally:
        raw.remove_notice_handler(note)
        for name in _SETTINGS:
            connection.exec_driver_sql(f"RESET {name}")
