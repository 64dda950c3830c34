"""``havre plan``: what accounts may hold, administered on the host itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from havre.cli.user import ConfigFile, Data, Name, run_on_rows
from havre.errors import HavreError

if TYPE_CHECKING:
    from havre.access.plan_ports import Plan
    from havre.access.plans import Plans
    from havre.config import Config
    from havre.metadata.engine import Database

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="List, define and give plans to accounts."
)

PlanName = Annotated[str, typer.Argument(help="The plan's name.", metavar="PLAN")]
NO_LIMIT = "none"

_SIZE = re.compile(r"(\d{1,15})\s*([kMGTP]?)B?", re.ASCII)
_UNITS = ("", "k", "M", "G", "T", "P")


@app.command("list")
def list_(data: Data = None, config: ConfigFile = None) -> None:
    """List all plans: name, title, limits (private repositories, storage, collaborators), accounts that have it."""

    async def every(database: Database, _: Config) -> list[Plan]:
        return list(await _plans(database).all())

    for plan in run_on_rows(every, data, config):
        limits = (plan.limits.private_repositories, plan.limits.storage, plan.limits.collaborators)
        shown = [NO_LIMIT if limit is None else str(limit) for limit in limits]
        mark = " (default)" if plan.is_default else ""
        print("\t".join([plan.name, f"{plan.title}{mark}", *shown, str(plan.accounts)]))


@app.command("set")
def set_(
    plan: PlanName,
    title: Annotated[str | None, typer.Option(help="As people see it.")] = None,
    private: Annotated[str | None, typer.Option(help="Private repositories, or none for no limit.")] = None,
    storage: Annotated[str | None, typer.Option(help="Such as 10GB, or none for no limit.")] = None,
    collaborators: Annotated[str | None, typer.Option(help="Of each private repository, or none.")] = None,
    default: Annotated[bool, typer.Option("--default", help="The plan of who was given no other.")] = False,
    data: Data = None,
    config: ConfigFile = None,
) -> None:
    """Define a plan, or change one; what is not given stays as it is, and has no limit in a new plan."""

    async def change(database: Database, _: Config) -> None:
        from havre.access.plans import OPERATOR
        from havre.registry.quota_ports import Limits

        plans = _plans(database)
        known = next((one for one in await plans.all() if one.name == plan), None)
        before = known.limits if known else Limits()
        limits = Limits(
            _number(private, before.private_repositories, "--private"),
            _number(storage, before.storage, "--storage"),
            _number(collaborators, before.collaborators, "--collaborators"),
        )
        if known:
            await plans.change(OPERATOR, plan, title or known.title, limits)
        else:
            await plans.create(OPERATOR, plan, title or plan.capitalize(), limits)
        if default:
            await plans.make_default(OPERATOR, plan)

    run_on_rows(change, data, config)
    print(f"set plan {plan}")


@app.command()
def give(name: Name, plan: PlanName, data: Data = None, config: ConfigFile = None) -> None:
    """Give an account a plan; nothing it has is taken away."""

    async def assign(database: Database, _: Config) -> None:
        from havre.access.plans import OPERATOR

        await _plans(database).assign(OPERATOR, name, plan)

    run_on_rows(assign, data, config)
    print(f"gave {name} the plan {plan}")


@app.command()
def delete(plan: PlanName, data: Data = None, config: ConfigFile = None) -> None:
    """Delete a plan that no account has."""

    async def remove(database: Database, _: Config) -> None:
        from havre.access.plans import OPERATOR

        await _plans(database).delete(OPERATOR, plan)

    run_on_rows(remove, data, config)
    print(f"deleted plan {plan}")


def _plans(database: Database) -> Plans:
    from havre.access.plans import Plans
    from havre.cli.user import now

    return Plans(database, now)


def _number(text: str | None, before: int | None, option: str) -> int | None:
    """A limit as it was typed: a number, a decimal size, or none."""
    if text is None:
        return before
    if text == NO_LIMIT:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise HavreError(f"{option} {text[:40]!r} is not a limit: write a number, a size such as 10GB, or none")
    power: int = 1000 ** _UNITS.index(found[2])
    return int(found[1]) * power
