"""Every page: method, path, what it demands of the visitor, and its function as ``module:name`` under ``pages/``.

Importing this loads no framework, so that the server's one table of routes can include it at no cost. ``dispatch``
enforces the demand before the function runs; the function may rely on it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Demand(StrEnum):
    """What a page demands of its visitor, and what the others get."""

    PUBLIC = "public"
    """Nothing: anyone."""
    VIEW = "view"
    """May pull the repository in the path. Others get 404, as if it did not exist."""
    PUSH = "push"
    """May push to the repository in the path. Who may only pull is led to the public view; others get 404."""
    MANAGE = "manage"
    """May administer the repository in the path. Who may only pull is led to the public view; others get 404."""
    SIGNED_IN = "signed_in"
    """A signed-in account. Others are led to the sign-in page and back."""
    ADMIN = "admin"
    """An administrator of the registry. Others get 404."""
    FIRST_RUN = "first_run"
    """That no account exists yet. Afterwards everyone is led home."""


class Page(NamedTuple):
    """One row of the table."""

    method: str
    path: str
    action: Demand
    endpoint: str


PAGES: tuple[Page, ...] = (
    Page("GET", "/", Demand.PUBLIC, "home:show"),
    Page("GET", "/search", Demand.PUBLIC, "home:search"),
    Page("GET", "/search/suggest", Demand.PUBLIC, "home:suggest"),
    Page("GET", "/welcome", Demand.FIRST_RUN, "welcome:show"),
    Page("POST", "/welcome", Demand.FIRST_RUN, "welcome:create"),
    Page("GET", "/signup", Demand.PUBLIC, "accounts:show"),
    Page("POST", "/signup", Demand.PUBLIC, "accounts:sign_up"),
    Page("GET", "/login", Demand.PUBLIC, "login:show"),
    Page("POST", "/login", Demand.PUBLIC, "login:sign_in"),
    Page("GET", "/login/second", Demand.PUBLIC, "login:second"),
    Page("POST", "/login/second", Demand.PUBLIC, "login:prove"),
    Page("GET", "/forgot", Demand.PUBLIC, "recovery:forgot"),
    Page("POST", "/forgot", Demand.PUBLIC, "recovery:ask"),
    Page("GET", "/reset", Demand.PUBLIC, "recovery:reset"),
    Page("POST", "/reset", Demand.PUBLIC, "recovery:choose"),
    Page("GET", "/verify", Demand.PUBLIC, "recovery:verify"),
    Page("POST", "/verify", Demand.PUBLIC, "recovery:confirm"),
    Page("POST", "/logout", Demand.PUBLIC, "login:sign_out"),
    Page("GET", "/u/{name}", Demand.PUBLIC, "profile:show"),
    Page("POST", "/r/{namespace}/{repository:path}/star", Demand.VIEW, "stars:change"),
    Page("POST", "/_/{repository}/star", Demand.VIEW, "stars:change"),
    Page("GET", "/r/{namespace}/{repository:path}/tags/{tag}/files/content", Demand.VIEW, "inside:content"),
    Page("GET", "/r/{namespace}/{repository:path}/tags/{tag}/files", Demand.VIEW, "inside:show"),
    Page("GET", "/r/{namespace}/{repository:path}/compare", Demand.VIEW, "compare:show"),
    Page("GET", "/_/{repository}/tags/{tag}/files/content", Demand.VIEW, "inside:content"),
    Page("GET", "/_/{repository}/tags/{tag}/files", Demand.VIEW, "inside:show"),
    Page("GET", "/_/{repository}/compare", Demand.VIEW, "compare:show"),
    Page("GET", "/r/{namespace}/{repository:path}/-/history", Demand.VIEW, "history:of_all"),
    Page("GET", "/r/{namespace}/{repository:path}/-/pulls", Demand.VIEW, "pulls:show"),
    Page("GET", "/r/{namespace}/{repository:path}/-/events", Demand.PUSH, "live:stream"),
    Page("GET", "/r/{namespace}/{repository:path}/tags/{tag}/history", Demand.VIEW, "history:of_tag"),
    Page("POST", "/r/{namespace}/{repository:path}/tags/{tag}/history", Demand.PUSH, "history:restore"),
    Page("GET", "/r/{namespace}/{repository:path}/tags/{tag}/manifest", Demand.VIEW, "image:manifest"),
    Page("GET", "/r/{namespace}/{repository:path}/tags/{tag}/manifest.json", Demand.VIEW, "image:download"),
    Page("GET", "/r/{namespace}/{repository:path}/tags/{tag}", Demand.VIEW, "image:show"),
    Page("GET", "/r/{namespace}/{repository:path}/tags", Demand.VIEW, "tags:list_tags"),
    Page("POST", "/r/{namespace}/{repository:path}/tags", Demand.MANAGE, "tags:remove"),
    Page("GET", "/r/{namespace}/{repository:path}", Demand.VIEW, "repositories:show"),
    Page("GET", "/_/{repository}/-/history", Demand.VIEW, "history:of_all"),
    Page("GET", "/_/{repository}/-/pulls", Demand.VIEW, "pulls:show"),
    Page("GET", "/_/{repository}/-/events", Demand.PUSH, "live:stream"),
    Page("GET", "/_/{repository}/tags/{tag}/history", Demand.VIEW, "history:of_tag"),
    Page("POST", "/_/{repository}/tags/{tag}/history", Demand.PUSH, "history:restore"),
    Page("GET", "/_/{repository}/tags/{tag}/manifest", Demand.VIEW, "image:manifest"),
    Page("GET", "/_/{repository}/tags/{tag}/manifest.json", Demand.VIEW, "image:download"),
    Page("GET", "/_/{repository}/tags/{tag}", Demand.VIEW, "image:show"),
    Page("GET", "/_/{repository}/tags", Demand.VIEW, "tags:list_tags"),
    Page("POST", "/_/{repository}/tags", Demand.MANAGE, "tags:remove"),
    Page("GET", "/_/{repository}", Demand.VIEW, "repositories:show"),
    Page("GET", "/repository/docker/{namespace}/{repository:path}", Demand.MANAGE, "repository_settings:manage"),
    Page("POST", "/repository/docker/{namespace}/{repository:path}", Demand.MANAGE, "repository_settings:change"),
    Page("GET", "/repositories", Demand.SIGNED_IN, "ownership:mine"),
    Page("POST", "/repositories/preview", Demand.SIGNED_IN, "repository_settings:preview"),
    Page("POST", "/repositories/offers/{id}/accept", Demand.SIGNED_IN, "ownership:accept"),
    Page("POST", "/repositories/offers/{id}/decline", Demand.SIGNED_IN, "ownership:decline"),
    Page("POST", "/repositories/deleted/{id}/restore", Demand.SIGNED_IN, "ownership:restore"),
    Page("POST", "/repositories/deleted/{id}/purge", Demand.SIGNED_IN, "ownership:purge"),
    Page("POST", "/repositories/leave", Demand.SIGNED_IN, "ownership:leave"),
    Page("POST", "/repositories/free", Demand.SIGNED_IN, "ownership:free"),
    Page("GET", "/settings/profile", Demand.SIGNED_IN, "settings:profile"),
    Page("POST", "/settings/profile", Demand.SIGNED_IN, "settings:change_profile"),
    Page("GET", "/settings/password", Demand.SIGNED_IN, "settings:password"),
    Page("POST", "/settings/password", Demand.SIGNED_IN, "settings:change_password"),
    Page("GET", "/settings/two-factor", Demand.SIGNED_IN, "second_factor:show"),
    Page("POST", "/settings/two-factor", Demand.SIGNED_IN, "second_factor:change"),
    Page("GET", "/settings/two-factor/app", Demand.SIGNED_IN, "second_factor:show_app"),
    Page("POST", "/settings/two-factor/app", Demand.SIGNED_IN, "second_factor:confirm_app"),
    Page("GET", "/settings/tokens", Demand.SIGNED_IN, "tokens:show"),
    Page("POST", "/settings/tokens", Demand.SIGNED_IN, "tokens:create"),
    Page("POST", "/settings/tokens/{uid}/revoke", Demand.SIGNED_IN, "tokens:revoke"),
    Page("GET", "/settings/sessions", Demand.SIGNED_IN, "sessions:show"),
    Page("POST", "/settings/sessions", Demand.SIGNED_IN, "sessions:revoke_others"),
    Page("POST", "/settings/sessions/{session}/revoke", Demand.SIGNED_IN, "sessions:revoke"),
    Page("GET", "/settings/usage", Demand.SIGNED_IN, "usage:show"),
    Page("GET", "/admin", Demand.ADMIN, "administration:show"),
    Page("POST", "/admin/count", Demand.ADMIN, "administration:count"),
    Page("GET", "/admin/users", Demand.ADMIN, "administration_people:users"),
    Page("GET", "/admin/users/{name}", Demand.ADMIN, "administration_people:user"),
    Page("POST", "/admin/users/{name}", Demand.ADMIN, "administration_people:change_user"),
    Page("GET", "/admin/repositories", Demand.ADMIN, "administration:repositories"),
    Page("GET", "/admin/plans", Demand.ADMIN, "administration_people:plans"),
    Page("POST", "/admin/plans", Demand.ADMIN, "administration_people:create_plan"),
    Page("GET", "/admin/plans/{name}", Demand.ADMIN, "administration_people:plan"),
    Page("POST", "/admin/plans/{name}", Demand.ADMIN, "administration_people:change_plan"),
    Page("GET", "/admin/jobs", Demand.ADMIN, "administration:jobs"),
    Page("POST", "/admin/jobs", Demand.ADMIN, "administration:retry"),
    Page("GET", "/admin/collection", Demand.ADMIN, "administration_collection:show"),
    Page("POST", "/admin/collection", Demand.ADMIN, "administration_collection:order"),
    Page("GET", "/admin/audit", Demand.ADMIN, "administration_audit:show"),
    Page("GET", "/admin/audit.jsonl", Demand.ADMIN, "administration_audit:export"),
    Page("GET", "/admin/settings", Demand.ADMIN, "administration:settings"),
    Page("GET", "/styleguide", Demand.PUBLIC, "styleguide:show"),
    Page("GET", "/settings/account", Demand.SIGNED_IN, "account:show"),
    Page("POST", "/settings/account", Demand.SIGNED_IN, "account:change"),
    Page("GET", "/pictures/{signature}/{address}", Demand.PUBLIC, "pictures:show"),
    Page("GET", "/static/{name}", Demand.PUBLIC, "static:serve"),
    Page("GET", "/robots.txt", Demand.PUBLIC, "static:robots"),
    Page("GET", "/favicon.ico", Demand.PUBLIC, "static:favicon"),
)
