"""Who gets what: every route of the server, asked by every kind of caller, for a public, a private and an absent
repository. A route that has no row in the table fails the test.

The callers ask as clients do: they fetch a token for all they would like to do in the repository, get what they may,
and use it. Routes outside the registry API are asked with a name and a password or personal access token.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping

import pytest

from havre.access.actors import Action, Grant
from havre.errors import InputInvalid, NameUnknown
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from havre.server.routes import FIXED, REGISTRY
from havre.web.routes import PAGES
from tests.support import documents
from tests.support.fixtures import people
from tests.support.inprocess import OCTETS, PASSWORD, Caller, InProcess, basic, cheap_accounts

__all__ = ["people"]

pytestmark = pytest.mark.anyio

CALLERS = ("nothing", "nobody", "stranger", "owner", "reader", "elsewhere", "admin", "disabled", "expired")
"""No credentials; a token of nobody; bobby; alice; her access token that may only pull; her access token for another
repository; carol, who administers; an account that was disabled; credentials that have expired. What collaborators get
is asked in ``test_matrix_of_roles``."""

REPOSITORIES = {"public": "alice/open", "private": "alice/secret", "absent": "alice/none"}

IMAGE = documents.image("matrix")
BLOB = documents.digest_of(IMAGE.blobs[0])
NEW = b"bytes that nobody has"

Statuses = Mapping[str, str]
#                          nothing nobody stranger owner reader elsewhere admin disabled expired
PULL = {
    "public":  "                200    200      200   200    200       200   200      401     401",
    "private": "                401    401      404   200    200       404   200      401     401",
    "absent":  "                401    401      404   404    404       404   404      401     401",
}  # fmt: skip
REFERRERS = PULL | {
    "absent":  "                401    401      404   200    200       404   200      401     401",
}  # fmt: skip


def change(public: int, private: int | None = None, absent: int | None = None) -> Statuses:
    """What pushing or deleting gets: the owner's and administrators' status, and refusals that tell nothing."""
    private = private or public
    statuses = {"public": public, "private": private, "absent": absent or private}
    return {where: f"401 401 403 {status} 403 403 {status} 401 401" for where, status in statuses.items()}


def everywhere(statuses: str) -> Statuses:
    """Where the repository makes no difference."""
    return dict.fromkeys(REPOSITORIES, statuses)


#                   nothing nobody stranger owner reader elsewhere admin disabled expired
PROVED = everywhere("   401    200      200   200    200       200   200      401     401")
OPEN = everywhere("     200    200      200   200    200       200   200      200     200")
KNOWN = everywhere("    200    200      200   200    200       200   200      401     401")
ACCOUNT = everywhere("  401    401      200   200    200       200   200      401     401")
WHOLE = everywhere("    401    401      200   200    403       403   200      401     401")

API_VIEW = {
    "public":  "        200    200      200   200    200       200   200      401     401",
    "private": "        404    404      404   200    200       404   200      401     401",
    "absent":  "        404    404      404   404    404       404   404      401     401",
}  # fmt: skip


def api_change(status: int) -> Statuses:
    """What changing through our API gets: what may be seen is refused, what may not be seen is not there."""
    return {
        "public": f" 401    401      403 {status}    403       403 {status}      401     401",
        "private": f"404    404      404 {status}    403       404 {status}      401     401",
        "absent":  "404    404      404   404    404       404   404      401     401",
    }  # fmt: skip


STAR = {
    "public":  "        401    401      204   204    204       403   204      401     401",
    "private": "        401    401      404   204    204       404   204      401     401",
    "absent":  "        401    401      404   404    404       404   404      401     401",
}  # fmt: skip

API_PEOPLE = {
    "public":  "        401    401      403   200    403       403   200      401     401",
    "private": "        401    401      404   200    403       404   200      401     401",
    "absent":  "        401    401      404   404    404       404   404      401     401",
}  # fmt: skip


TABLE: dict[tuple[str, str], Statuses] = {
    ("GET", "/v2/"): PROVED,
    ("HEAD", "/v2/"): PROVED,
    ("GET", "/v2/_catalog"): PROVED,
    ("HEAD", "/v2/_catalog"): PROVED,
    ("GET", "/v2/{name}/tags/list"): PULL,
    ("HEAD", "/v2/{name}/tags/list"): PULL,
    ("GET", "/v2/{name}/manifests/{reference}"): PULL,
    ("HEAD", "/v2/{name}/manifests/{reference}"): PULL,
    ("PUT", "/v2/{name}/manifests/{reference}"): change(201, 201, 404),
    ("DELETE", "/v2/{name}/manifests/{reference}"): change(202, 202, 404),
    ("GET", "/v2/{name}/blobs/{digest}"): PULL,
    ("HEAD", "/v2/{name}/blobs/{digest}"): PULL,
    ("DELETE", "/v2/{name}/blobs/{digest}"): change(202, 202, 404),
    ("POST", "/v2/{name}/blobs/uploads/"): change(202),
    ("GET", "/v2/{name}/blobs/uploads/{upload}"): change(204),
    ("HEAD", "/v2/{name}/blobs/uploads/{upload}"): change(204),
    ("PATCH", "/v2/{name}/blobs/uploads/{upload}"): change(202),
    ("PUT", "/v2/{name}/blobs/uploads/{upload}"): change(201),
    ("DELETE", "/v2/{name}/blobs/uploads/{upload}"): change(204),
    ("GET", "/v2/{name}/referrers/{digest}"): REFERRERS,
    ("HEAD", "/v2/{name}/referrers/{digest}"): REFERRERS,
    ("GET", "/auth/token"): KNOWN,
    ("POST", "/auth/token"): KNOWN,
    ("GET", "/v1/_ping"): OPEN,
    ("GET", "/v1/search"): KNOWN,
    ("GET", "/healthz"): OPEN,
    ("HEAD", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("HEAD", "/readyz"): OPEN,
    ("GET", "/metrics"): OPEN,
    ("GET", "/api/v1/openapi.json"): OPEN,
    ("GET", "/api/v1/user"): ACCOUNT,
    ("GET", "/api/v1/user/access-tokens"): WHOLE,
    ("POST", "/api/v1/user/access-tokens"): {
        where: statuses.replace("200", "201") for where, statuses in WHOLE.items()
    },
    ("DELETE", "/api/v1/user/access-tokens/{uid}"): {
        where: statuses.replace("200", "400") for where, statuses in WHOLE.items()
    },
    ("GET", "/api/v1/user/starred"): ACCOUNT,
    ("PUT", "/api/v1/user/starred/{namespace}/{name}"): STAR,
    ("DELETE", "/api/v1/user/starred/{namespace}/{name}"): STAR,
    ("GET", "/api/v1/user/deleted-repositories"): WHOLE,
    ("POST", "/api/v1/user/deleted-repositories/{repository}/restore"): {
        where: statuses.replace("200", "404") for where, statuses in WHOLE.items()
    },
    ("DELETE", "/api/v1/user/deleted-repositories/{repository}"): {
        where: statuses.replace("200", "404") for where, statuses in WHOLE.items()
    },
    ("GET", "/api/v1/user/transfers"): WHOLE,
    ("POST", "/api/v1/user/transfers"): {where: statuses.replace("200", "404") for where, statuses in WHOLE.items()},
    ("POST", "/api/v1/user/transfers/{repository}/accept"): {
        where: statuses.replace("200", "404") for where, statuses in WHOLE.items()
    },
    ("DELETE", "/api/v1/user/transfers/{repository}"): {
        where: statuses.replace("200", "404") for where, statuses in WHOLE.items()
    },
    ("GET", "/api/v1/repositories"): KNOWN,
    ("GET", "/api/v1/repositories/{namespace}/{name}"): API_VIEW,
    ("PATCH", "/api/v1/repositories/{namespace}/{name}"): api_change(200),
    ("DELETE", "/api/v1/repositories/{namespace}/{name}"): api_change(204),
    ("GET", "/api/v1/repositories/{namespace}/{name}/collaborators"): API_PEOPLE,
    ("PUT", "/api/v1/repositories/{namespace}/{name}/collaborators/{person}"): {
        where: statuses.replace("200", "204") for where, statuses in API_PEOPLE.items()
    },
    ("DELETE", "/api/v1/repositories/{namespace}/{name}/collaborators/{person}"): {
        where: statuses.replace("200", "400") for where, statuses in API_PEOPLE.items()
    },
    ("GET", "/api/v1/repositories/{namespace}/{name}/tags"): API_VIEW,
    ("DELETE", "/api/v1/repositories/{namespace}/{name}/tags/{tag}"): api_change(204),
    ("GET", "/api/v1/repositories/{namespace}/{name}/tags/{tag}/history"): API_VIEW,
    ("POST", "/api/v1/repositories/{namespace}/{name}/tags/{tag}/restore"): api_change(204),
    ("POST", "/api/v1/repositories/{namespace}/{name}/tags/remove"): api_change(200),
}


async def test_every_route_has_its_row(world: World):
    listed = {(route.method, route.path) for route in (*REGISTRY, *FIXED)}
    document = (await Caller(world.havre).get("/api/v1/openapi.json")).json()
    listed |= {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert set(TABLE) == listed | {("GET", "/api/v1/openapi.json")}


class World:
    """A Havre with the repositories and the callers of the table."""

    def __init__(self, havre: InProcess) -> None:
        self.havre = havre
        self.secrets: dict[str, tuple[str, str]] = {}
        self.tokens: dict[tuple[str, str], dict[str, str]] = {}
        self.stale = ""
        self.addresses = (f"198.51.100.{number}" for number in itertools.cycle(range(1, 255)))

    async def settle(self) -> World:
        app = self.havre.app
        alice = (await self.havre.actor("alice")).user_id
        assert alice is not None
        self.stale = await self.havre.token("alice", *(f"repository:{one}:*" for one in REPOSITORIES.values()))
        grants = {
            "reader": Grant("alice/*", frozenset({Action.PULL})),
            "elsewhere": Grant("alice/other", frozenset({Action.PULL, Action.PUSH, Action.DELETE})),
        }
        for name, grant in grants.items():
            self.secrets[name] = "alice", (await app.access_tokens.create(alice, name, [grant]))[1]
        _, expiring = await app.access_tokens.create(alice, "old", [grants["reader"]], app.clock() + 1000)
        self.secrets["expired"] = "alice", expiring
        self.havre.clock.forward(seconds=301)
        for name, person in {"stranger": "bobby", "owner": "alice", "admin": "carol", "disabled": "danny"}.items():
            self.secrets[name] = person, PASSWORD
        await cheap_accounts(app).create("danny", "danny@example.org", PASSWORD)
        await app.accounts.disable("danny")
        for where in ("public", "private"):
            await self.restore(where)
        return self

    async def restore(self, where: str) -> None:
        """Have the repository as it was: absent, or with its image in it and the right visibility."""
        name = REPOSITORIES[where]
        if where == "absent":
            with contextlib.suppress(NameUnknown):
                await self.havre.app.deletion.delete(RepositoryName(name))
            return
        owner = await self.havre.caller("alice", name)
        await owner.push_image(name, "latest", seed="matrix")
        visibility = Visibility.PRIVATE if where == "private" else Visibility.PUBLIC
        await self.havre.app.repositories.set_visibility(RepositoryName(name), visibility)
        with contextlib.suppress(InputInvalid):
            await self.havre.app.collaborators.remove(RepositoryName(name), "danny")

    def own(self, caller: str) -> dict[str, str]:
        """Proof for the token endpoint, our API and search."""
        return {} if caller == "nothing" else basic(*self.secrets.get(caller, ("", "")))

    async def bearer(self, caller: str, name: str) -> dict[str, str]:
        """Proof for the registry API, fetched as clients do."""
        if caller == "expired":
            return {"authorization": f"Bearer {self.stale}"}
        if caller in {"nothing", "disabled"}:
            return self.own(caller)
        if (caller, name) not in self.tokens:
            scope = f"repository:{name}:pull,push,delete"
            reply = await self.someone().get(f"/auth/token?scope={scope}&scope=registry:catalog:*", self.own(caller))
            self.tokens[caller, name] = {"authorization": f"Bearer {reply.json()['token']}"}
        return self.tokens[caller, name]

    def someone(self) -> Caller:
        """From another address each time, for one address may not fail too often."""
        return Caller(self.havre, client=next(self.addresses))


@pytest.fixture(scope="module")
async def world(people: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One for all rows: what a caller takes away is restored."""
    async with InProcess(tmp_path_factory.mktemp("world"), uploads_per_account="10000") as havre:
        yield await World(havre).settle()


def test_no_row_has_a_gap():
    assert [key for key, row in TABLE.items() for line in row.values() if len(line.split()) != len(CALLERS)] == []


BODIES: dict[tuple[str, str], tuple[dict[str, str], bytes]] = {
    ("PUT", "/v2/{name}/manifests/{reference}"): ({"content-type": documents.OCI_MANIFEST}, IMAGE.content),
    ("PATCH", "/v2/{name}/blobs/uploads/{upload}"): (dict([OCTETS]), NEW),
    ("PUT", "/v2/{name}/blobs/uploads/{upload}"): (dict([OCTETS]), NEW),
    ("POST", "/auth/token"): ({}, b""),
    ("POST", "/api/v1/user/access-tokens"): (
        {"content-type": "application/json"},
        b'{"label": "made", "grants": [{"pattern": "alice/app", "actions": ["pull"]}]}',
    ),
    ("POST", "/api/v1/user/transfers"): (
        {"content-type": "application/json"},
        b'{"repository": "alice/not-there", "to": "bobby"}',
    ),
    ("PUT", "/api/v1/repositories/{namespace}/{name}/collaborators/{person}"): (
        {"content-type": "application/json"},
        b'{"role": "read"}',
    ),
    ("POST", "/api/v1/repositories/{namespace}/{name}/tags/{tag}/restore"): (
        {"content-type": "application/json"},
        b'{"digest": "%b"}' % IMAGE.digest.encode(),
    ),
    ("POST", "/api/v1/repositories/{namespace}/{name}/tags/remove"): (
        {"content-type": "application/json"},
        b'{"tags": ["latest"], "preview": true}',
    ),
    ("PATCH", "/api/v1/repositories/{namespace}/{name}"): (
        {"content-type": "application/json"},
        b'{"description": "changed"}',
    ),
}


async def target(world: World, path: str, name: str) -> str:
    """A path with its parts filled in; an upload is begun for it."""
    upload = ""
    if "{upload}" in path:
        owner = await world.havre.actor("alice")
        upload = (await world.havre.app.uploads.start(RepositoryName(name), owner.user_id)).id
    values = {
        "{namespace}/{name}": name,
        "{name}": name,
        "{reference}": "latest",
        "{tag}": "latest",
        "{digest}": BLOB if "/blobs/" in path else IMAGE.digest,
        "{upload}": upload,
        "{uid}": "00000000-0000-0000-0000-000000000000",
        "{person}": "danny",
        "{repository}": "999999",
    }
    for part, value in values.items():
        path = path.replace(part, value)
    return path


async def ask(world: World, method: str, path: str, caller: str, name: str) -> int:
    """The status that this caller gets."""
    headers, body = BODIES.get((method, path), ({}, b""))
    filled = await target(world, path, name)
    if (method, path) == ("PUT", "/v2/{name}/blobs/uploads/{upload}"):
        filled += f"?digest={Digest.of(NEW)}"
    if (method, path) == ("POST", "/auth/token"):
        who, secret = world.secrets.get(caller, ("", ""))
        body = f"grant_type=password&username={who}&password={secret.replace(' ', '+')}".encode()
    elif path.startswith("/v2/"):
        headers = {**headers, **await world.bearer(caller, name)}
    else:
        headers = {**headers, **world.own(caller)}
    return (await world.someone()(method, filled, headers, body)).status


@pytest.mark.parametrize(("method", "path"), TABLE, ids=lambda part: part)
async def test_status(world: World, method: str, path: str):
    found, wanted = {}, {}
    for where, line in TABLE[method, path].items():
        wanted[where] = dict(zip(CALLERS, map(int, line.split()), strict=True))
        found[where] = {}
        for caller in CALLERS:
            found[where][caller] = await ask(world, method, path, caller, REPOSITORIES[where])
            if method in {"PUT", "DELETE"} and found[where][caller] < 300:
                await world.restore(where)
    assert found == wanted


@pytest.mark.parametrize("caller", ["reader", "elsewhere", "disabled", "expired"])
async def test_pages_know_nobody_by_what_clients_use_nor_by_a_session_that_ended(world: World, caller: str):
    # Every page as a visitor without a cookie, the signed-in ones are asked in tests/web.
    anyone = Caller(world.havre)
    headers = world.own(caller)
    if caller in {"disabled", "expired"}:
        person = await world.havre.app.accounts.by_name(world.secrets[caller][0])
        assert person is not None
        headers = {"cookie": f"havre_session={await world.havre.app.sessions.open(person.id, '192.0.2.1', 'Firefox')}"}
    month = 31 * 24 if caller == "expired" else 0
    world.havre.clock.forward(hours=month)
    for page in PAGES:
        if page.method == "GET" and "{" not in page.path:
            assert (await anyone.get(page.path, headers)).status == (await anyone.get(page.path)).status
    for path in ("/r/alice/secret", "/r/alice/secret/tags", "/repository/docker/alice/secret"):
        assert (await anyone.get(path, headers)).status == 404
    world.havre.clock.forward(hours=-month)
