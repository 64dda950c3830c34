"""Figures: rounds that alternate between servers, their medians, and the table that is printed and kept."""

from __future__ import annotations

import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Ratios above 1 say that Havre is better, whether the figure counts requests or seconds."""

    work: str
    unit: str
    havre: float
    others: Mapping[str, float]
    ratios: Mapping[str, float]
    goals: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def reached(self) -> bool:
        """Are all goals met?"""
        return all(self.ratios[name] >= goal for name, goal in self.goals.items())


def alternate(rounds: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each in turn, ``rounds`` times: what disturbs the machine meanwhile disturbs all alike."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def compare(
    work: str,
    unit: str,
    found: Mapping[str, list[float]],
    goals: Mapping[str, float] | None = None,
    *,
    less_is_better: bool = False,
    note: str = "",
) -> Row:
    """The medians of what ``alternate`` found, and the median of the ratios of each round."""
    ratios = {
        name: statistics.median(
            (other / own if less_is_better else own / other) for own, other in zip(found["Havre"], values, strict=True)
        )
        for name, values in found.items()
        if name != "Havre"
    }
    medians = {name: statistics.median(values) for name, values in found.items()}
    return Row(work, unit, medians.pop("Havre"), medians, ratios, goals or {}, note)


def markdown(rows: list[Row], about: list[str]) -> str:
    """The page that is kept."""
    lines = [
        "# Benchmarks",
        "",
        (
            "Made by `make bench`. All servers ran on one machine in one run, in turn; figures are medians, ratios are medians"
            " of each round's ratio, and above 1 Havre is better. Absolute figures mean little elsewhere."
        ),
        "",
        *(f"- {line}" for line in about),
        "",
        "| work | unit | Havre | beside it | ratio | goal | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        others = ", ".join(f"{name} {_short(value)}" for name, value in row.others.items())
        ratios = ", ".join(f"{value:.2f} × {name}" for name, value in row.ratios.items())
        goals = ", ".join(f"≥ {value:g} × {name}" for name, value in row.goals.items())
        verdict = ("reached" if row.reached else "**missed**") if row.goals else ""
        lines.append(
            f"| {row.work} | {row.unit} | {_short(row.havre)} | {others} | {ratios} | {goals} | {verdict} {row.note} |"
        )
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def about(workers: int) -> list[str]:
    """Machine, versions and durability, for the head of the page."""

    def version(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    cores = Path("/proc/cpuinfo").read_text().count("processor\t")
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, Linux {platform.release()}, Python {platform.python_version()}",
        f"Havre: {workers} workers, token authentication, every acknowledged byte and row synced, each request logged",
        f"distribution: {version('docker-registry', '--version')}, no authentication, syncs nothing",
        f"{version('nginx', '-v')}, two workers, sendfile; wrk with one thread",
    ]
