"""Administration of accounts and of plans."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.responses import Response

from havre.access.administration_ports import UserOrder
from havre.access.plan_ports import Plan
from havre.errors import InputInvalid
from havre.oci.names import Namespace
from havre.registry.quota_ports import Limits
from havre.web.contexts import Form
from havre.web.contexts.administration import PlanPage, PlansPage, UserPage, UsersPage, admin_user_path
from havre.web.errors import FORM_ERRORS
from havre.web.pages.administration import chosen
from havre.web.pages.usage import usage_rows
from havre.web.visit import Visit, pager

_SIZE = re.compile(r"([0-9]{1,15})(?:[.,]([0-9]{1,3}))?\s*([kmgtp]?)(?:[bo]|bytes|octets)?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


async def users(visit: Visit) -> Response:
    """``GET /admin/users``."""
    text = visit.query("q")
    order = chosen(UserOrder, visit.query("sort", 20), UserOrder.NAME)
    found = await visit.app.administration.users(text, order, visit.page_number())
    return visit.page("admin_users.html", UsersPage(text, order, found.items, pager(found, q=text, sort=order.value)))


async def user(visit: Visit) -> Response:
    """``GET /admin/users/{name}``."""
    return await _user_page(visit, Form())


async def change_user(visit: Visit) -> Response:
    """``POST /admin/users/{name}``: one change of an account, as ``do`` says."""
    values, name = await visit.form(), visit.request.path_params["name"]
    admin, who, address = visit.app.administration, visit.actor, visit.address
    do = values.get("do", "")
    try:
        if do == "plan":
            await visit.app.plans.assign(who, name, values.get("plan", "")[:60], address)
        elif do in {"disable", "enable"}:
            await admin.set_disabled(who, name, disabled=do == "disable", address=address)
        elif do in {"promote", "demote"}:
            await admin.set_admin(who, name, is_admin=do == "promote", address=address)
        elif do == "second-factor":
            account = await visit.app.accounts.by_name(name)
            if account is not None:
                await visit.app.second_factors.reset(account, who, address)
        else:
            raise InputInvalid(visit.text("Choose what to change."))
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return await _user_page(visit, form, status)
    return visit.redirect(f"{admin_user_path(name)}?saved=1")


async def _user_page(visit: Visit, form: Form, status: int = 200) -> Response:
    account = await visit.app.administration.user(visit.request.path_params["name"])
    usage = await visit.app.plans.usage(Namespace(account.name))
    plans = await visit.app.plans.all()
    plan = await visit.app.plans.of(account.id)
    factors = len((await visit.app.second_factors.of(account.id)).authenticators)
    page = UserPage(account, usage, usage_rows(usage), plans, plan.name, factors, form, bool(visit.query("saved", 1)))
    return visit.page("admin_user.html", page, status)


async def plans(visit: Visit) -> Response:
    """``GET /admin/plans``."""
    return await _plans_page(visit, Form())


async def create_plan(visit: Visit) -> Response:
    """``POST /admin/plans``."""
    values = await visit.form()
    try:
        limits = _limits(visit, values)
        await visit.app.plans.create(
            visit.actor, values.get("name", "").strip(), values.get("title", ""), limits, visit.address
        )
    except FORM_ERRORS as error:
        form, status = visit.again(error, values)
        return await _plans_page(visit, form, status)
    return visit.redirect("/admin/plans?saved=1")


async def plan(visit: Visit) -> Response:
    """``GET /admin/plans/{name}``."""
    found = await visit.app.plans.get(visit.request.path_params["name"])
    return _plan_page(visit, found, Form(_as_typed(found)))


async def change_plan(visit: Visit) -> Response:
    """``POST /admin/plans/{name}``: change it, make it the default, or delete it, as ``do`` says."""
    values, name = await visit.form(), visit.request.path_params["name"]
    do, address = values.get("do", ""), visit.address
    try:
        if do == "change":
            limits = _limits(visit, values)
            await visit.app.plans.change(visit.actor, name, values.get("title", ""), limits, address)
        elif do == "default":
            await visit.app.plans.make_default(visit.actor, name, address)
        elif do == "delete":
            await visit.app.plans.delete(visit.actor, name, address)
            return visit.redirect("/admin/plans?saved=1")
        else:
            raise InputInvalid(visit.text("Choose what to change."))
    except FORM_ERRORS as error:
        found = await visit.app.plans.get(name)
        form, status = visit.again(error, values if do == "change" else _as_typed(found))
        return _plan_page(visit, found, form, status)
    return visit.redirect(f"/admin/plans/{name}?saved=1")


async def _plans_page(visit: Visit, form: Form, status: int = 200) -> Response:
    page = PlansPage(await visit.app.plans.all(), form, bool(visit.query("saved", 1)))
    return visit.page("admin_plans.html", page, status)


def _plan_page(visit: Visit, plan: Plan, form: Form, status: int = 200) -> Response:
    return visit.page("admin_plan.html", PlanPage(plan, form, bool(visit.query("saved", 1))), status)


def _limits(visit: Visit, values: Mapping[str, str]) -> Limits:
    return Limits(
        _number(visit, values, "private_repositories"), _size(visit, values), _number(visit, values, "collaborators")
    )


def _number(visit: Visit, values: Mapping[str, str], field: str) -> int | None:
    text = values.get(field, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InputInvalid(visit.text("Write a whole number, or nothing for no limit."), field=field)
    return int(text)


def _size(visit: Visit, values: Mapping[str, str]) -> int | None:
    """Bytes of a size as people write it, decimal: ``10 GB``, ``1.5 TB``, ``500000``."""
    text = values.get("storage", "").strip()
    if not text:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InputInvalid(visit.text("Write a size such as 10 GB, or nothing for no limit."), field="storage")
    whole, part, unit = found.groups()
    power: int = 1000 ** _POWERS[unit.lower()]
    return int(whole) * power + (int(part) * power // 10 ** len(part) if part else 0)


def _as_typed(plan: Plan) -> dict[str, str]:
    limits = plan.limits
    return {
        "title": plan.title,
        "private_repositories": "" if limits.private_repositories is None else str(limits.private_repositories),
        "storage": "" if limits.storage is None else _written(limits.storage),
        "collaborators": "" if limits.collaborators is None else str(limits.collaborators),
    }


def _written(size: int) -> str:
    """A size as ``_size`` reads it, exactly."""
    for unit in ("P", "T", "G", "M", "k"):
        power = 1000 ** _POWERS[unit.lower()]
        if size and size % power == 0:
            return f"{size // power} {unit}B"
    return str(size)
