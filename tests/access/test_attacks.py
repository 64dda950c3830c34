"""Attacks on the registry API as a whole: forged and stale tokens, names that mean to confuse, other people's content."""

import base64
import json
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from havre.access.actors import Action, Grant
from havre.access.bearer import LIFE
from havre.oci.digest import Digest
from havre.oci.names import RepositoryName
from havre.registry.records import Visibility
from tests.support import documents
from tests.support.fixtures import people
from tests.support.inprocess import OCTETS, PASSWORD, Caller, InProcess, Reply, basic

__all__ = ["people"]

pytestmark = pytest.mark.anyio

SECRET = RepositoryName("alice/secret")
IMAGE = documents.image("alice/secret")
BLOB = documents.digest_of(IMAGE.blobs[0])
NOWHERE = documents.digest_of(b"bytes that nobody has")


@pytest.fixture
async def harbour(people: None, tmp_path: Path) -> AsyncIterator[InProcess]:
    """Alice has a private repository, which was once called alice/before; bobby has one of his own."""
    async with InProcess(tmp_path, uploads_per_account="10000") as havre:
        alice = await havre.caller("alice", "alice/before", "alice/open")
        await alice.push_image("alice/before", "latest", seed="alice/secret")
        await alice.push_image("alice/open", "latest")
        app = havre.app
        await app.repositories.set_visibility(RepositoryName("alice/before"), Visibility.PRIVATE)
        await app.renames.rename(RepositoryName("alice/before"), "secret", by=await havre.actor("alice"))
        await (await havre.caller("bobby", "bobby/app")).push_image("bobby/app", "latest")
        yield havre


@pytest.fixture
async def bobby(harbour: InProcess) -> Caller:
    return await harbour.caller("bobby", "bobby/app", "alice/secret", "alice/before", "alice/none")


def same(reply: Reply, other: Reply, *words: tuple[str, str]) -> bool:
    """Do two answers tell the same, but for what was asked for itself?"""
    return told(reply, words, 0) == told(other, words, 1)


def told(reply: Reply, words: tuple[tuple[str, str], ...], side: int) -> tuple[object, ...]:
    body = reply.body.decode()
    headers = [f"{name}: {value}" for name, value in reply.headers if name not in {"x-request-id", "content-length"}]
    for number, pair in enumerate(words):
        body, headers = (
            body.replace(pair[side], f"<{number}>"),
            [one.replace(pair[side], f"<{number}>") for one in headers],
        )
    return reply.status, headers, body


# ---------------------------------------------------------------- tokens


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def read(text: str) -> dict[str, object]:
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


async def test_a_scope_is_not_widened_by_editing(harbour: InProcess):
    header, claims, signature = (await harbour.token("bobby", "repository:bobby/app:pull")).split(".")
    wider = read(claims) | {"acc": {"alice/secret": "pull,push,delete"}, "adm": True}
    for forged in (
        f"{header}.{part(wider)}.{signature}",
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(wider)}.",
        f"{part({'alg': 'none'})}.{part(wider)}.{signature}",
        f"{part({'alg': 'ES256', 'jwk': {'kty': 'EC', 'crv': 'P-256', 'x': 'AA', 'y': 'AA'}})}.{part(wider)}.{signature}",
        f"{part({'alg': 'HS256'})}.{part(wider)}.{signature}",
        f"{part({'alg': 'ES256', 'crit': ['exp'], 'b64': False})}.{part(wider)}.{signature}",
    ):
        thief = Caller(harbour, forged)
        for method in ("GET", "HEAD"):
            assert (await thief(method, f"/v2/{SECRET}/manifests/latest")).status == 401
        assert (await thief("DELETE", f"/v2/{SECRET}/manifests/latest")).status == 401


async def test_a_token_for_one_repository_opens_no_other(harbour: InProcess):
    scoped = Caller(harbour, await harbour.token("alice", "repository:alice/open:pull"))
    assert (await scoped.get("/v2/alice/open/manifests/latest")).status == 200
    assert (await scoped.get(f"/v2/{SECRET}/manifests/latest")).status == 401
    assert (await scoped("PUT", "/v2/alice/open/manifests/more", body=IMAGE.content)).status == 401


async def test_what_was_revoked_ends_within_the_life_of_a_bearer_token(harbour: InProcess):
    app, user_id = harbour.app, (await harbour.actor("alice")).user_id
    assert user_id is not None
    record, secret = await app.access_tokens.create(user_id, "laptop", [Grant("alice/*", frozenset({Action.PULL}))])
    scope = f"/auth/token?scope=repository:{SECRET}:pull"
    anyone = Caller(harbour)
    bearer = (await anyone.get(scope, basic("alice", secret))).json()["token"]
    await app.access_tokens.revoke(user_id, record.uid)
    assert (await anyone.get(scope, basic("alice", secret))).status == 401
    # The window that SECURITY.md tells of: what was handed out lasts five minutes at most.
    thief = Caller(harbour, bearer)
    harbour.clock.forward(seconds=LIFE - 1)
    assert (await thief.get(f"/v2/{SECRET}/manifests/latest")).status == 200
    harbour.clock.forward(seconds=2)
    assert (await thief.get(f"/v2/{SECRET}/manifests/latest")).status == 401


async def test_a_session_or_bearer_token_is_no_password(harbour: InProcess):
    user_id = (await harbour.actor("alice")).user_id
    assert user_id is not None
    session = await harbour.app.sessions.open(user_id, "198.51.100.7", "Firefox")
    for secret in (session, await harbour.token("alice", f"repository:{SECRET}:pull")):
        assert (await Caller(harbour).get("/auth/token", basic("alice", secret))).status == 401
    assert (await Caller(harbour, session).get(f"/v2/{SECRET}/manifests/latest")).status == 401
    cookie = {"cookie": f"havre_session={session}"}
    assert (await Caller(harbour).get(f"/v2/{SECRET}/manifests/latest", cookie)).status == 401


# ---------------------------------------------------------------- names


CONFUSED = [
    "alice%2Fsecret",
    "alice%2fsecret",
    "alice/%73ecret",
    "Alice/secret",
    "alice/SECRET",
    "alice//secret",
    "alice/./secret",
    "bobby/app/../../alice/secret",
    "bobby/app/%2e%2e/%2e%2e/alice/secret",
    "bobby%2fapp%2f..%2f..%2falice/secret",
    "alice/secret%00",
    "alice/secret%20",
    "alice/secret.",
    "alice\\secret",
    "alice%5csecret",
    "%61lice/secret",
    "аlice/secret",  # noqa: RUF001 - Cyrillic
    "alice/ѕecret",  # noqa: RUF001 - Cyrillic
    "ａｌｉｃｅ/secret",  # noqa: RUF001 - full width
    "alice/se\u00adcret",
    "alice/secret%0d%0aX-Evil: 1",
    "alice/before",
]


@pytest.mark.parametrize("name", CONFUSED)
async def test_no_spelling_opens_what_is_private(harbour: InProcess, bobby: Caller, name: str):
    written = "".join(f"%{byte:02x}" if byte > 126 else chr(byte) for byte in name.encode())
    for caller in (bobby, Caller(harbour)):
        for noun in ("manifests/latest", f"blobs/{BLOB}", "tags/list", f"referrers/{IMAGE.digest}"):
            reply = await caller.get(f"/v2/{written}/{noun}")
            assert reply.status in {400, 401, 404}, (name, noun, reply)
            assert IMAGE.content not in reply.body
            assert not any("evil" in header for header, _ in reply.headers)
    scope = f"/auth/token?scope=repository:{written}:pull,push,delete"
    granted = (await Caller(harbour).get(scope, basic("bobby", PASSWORD))).json()
    assert granted.get("scope", "") == ""


async def test_a_scope_written_twice_is_granted_no_more(harbour: InProcess):
    scope = "/auth/token?scope=repository:bobby/app:pull+repository:alice/secret:pull&scope=repository:alice/secret:*"
    granted = (await Caller(harbour).get(scope, basic("bobby", PASSWORD))).json()
    assert granted["scope"] == "repository:bobby/app:pull"


# ---------------------------------------------------------------- other people's content


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_digest_opens_nothing_elsewhere(harbour: InProcess, bobby: Caller, method: str):
    for path in ("blobs", "manifests"):
        known = IMAGE.digest if path == "manifests" else BLOB
        guessed = await bobby(method, f"/v2/bobby/app/{path}/{known}", {"range": "bytes=0-3"})
        wrong = await bobby(method, f"/v2/bobby/app/{path}/{NOWHERE}", {"range": "bytes=0-3"})
        assert guessed.status == 404
        assert same(guessed, wrong, (known, NOWHERE))


@pytest.mark.parametrize("source", ["", "&from=alice/secret", "&from=alice/before", "&from=alice/none", "&from=A//b"])
async def test_nobody_mounts_what_they_may_not_pull(harbour: InProcess, bobby: Caller, source: str):
    reply = await bobby("POST", f"/v2/bobby/app/blobs/uploads/?mount={BLOB}{source}")
    assert reply.status == 202
    assert (await bobby.get(f"/v2/bobby/app/blobs/{BLOB}")).status == 404


async def test_content_is_not_claimed_without_its_bytes(harbour: InProcess, bobby: Caller):
    for digest, content in ((BLOB, b""), (BLOB, b"x"), (IMAGE.digest, b"")):
        place = await bobby.start_upload("bobby/app")
        assert (await bobby("PUT", f"{place}?digest={digest}", [OCTETS], content)).status == 400
    pushed = await bobby.push_manifest("bobby/app", "mine", IMAGE.content)
    assert (pushed.status, pushed.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    index = documents.encoded(
        {
            "schemaVersion": 2,
            "mediaType": documents.OCI_INDEX,
            "manifests": [documents.descriptor(IMAGE.content, documents.OCI_MANIFEST)],
        }
    )
    assert (await bobby.push_manifest("bobby/app", "mine", index, documents.OCI_INDEX)).status == 404
    assert (await bobby.get(f"/v2/bobby/app/blobs/{BLOB}")).status == 404


async def test_nobody_goes_on_with_the_upload_of_another(harbour: InProcess, bobby: Caller):
    alice = await harbour.caller("alice", str(SECRET))
    place = await alice.start_upload(str(SECRET))
    moved = place.replace(str(SECRET), "bobby/app")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        assert (await bobby(method, moved, [OCTETS], b"x")).status in {400, 404}
        assert (await bobby(method, place, [OCTETS], b"x")).status == 403
    assert (await alice.get(place)).status == 204


# ---------------------------------------------------------------- what a private repository is called


REQUESTS = [
    ("GET", "/v2/{name}/manifests/latest"),
    ("HEAD", "/v2/{name}/manifests/latest"),
    ("PUT", "/v2/{name}/manifests/latest"),
    ("DELETE", "/v2/{name}/manifests/latest"),
    ("GET", "/v2/{name}/tags/list"),
    ("GET", f"/v2/{{name}}/blobs/{BLOB}"),
    ("GET", f"/v2/{{name}}/referrers/{IMAGE.digest}"),
    ("POST", "/v2/{name}/blobs/uploads/"),
    ("GET", "/auth/token?scope=repository:{name}:pull,push"),
    ("GET", "/api/v1/repositories/{name}"),
    ("PATCH", "/api/v1/repositories/{name}"),
    ("DELETE", "/api/v1/repositories/{name}"),
    ("GET", "/api/v1/repositories/{name}/tags"),
    ("GET", "/api/v1/repositories/{name}/collaborators"),
    ("PUT", "/api/v1/user/starred/{name}"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
async def test_it_answers_as_a_name_that_was_never_used(harbour: InProcess, bobby: Caller, method: str, path: str):
    for caller, headers in ((bobby, {}), (Caller(harbour), {}), (Caller(harbour), basic("bobby", PASSWORD))):
        if "/v2/" not in path and caller is bobby:
            continue
        replies = []
        for name in ("alice/secret", "alice/before", "alice/never1"):
            reply = await caller(method, path.format(name=name), headers)
            text = reply.body.decode()
            if "/auth/token" in path:
                assert reply.json()["scope"] == ""
                continue
            replies.append((reply, (name, name.rpartition("/")[2])))
            assert "latest" not in text or "latest" in path
        for reply, words in replies[:-1]:
            never, others = replies[-1]
            assert same(reply, never, *zip(words, others, strict=True)), (reply, never)


async def test_lists_leave_it_out(harbour: InProcess, bobby: Caller):
    catalogue = Caller(harbour, await harbour.token("bobby", "registry:catalog:*"))
    everyone = Caller(harbour, await harbour.token("", "registry:catalog:*"))
    for caller in (catalogue, everyone):
        assert "secret" not in (await caller.get("/v2/_catalog")).body.decode()
    for query in ("secret", "before", "alice", "alice/secret", "se", ""):
        for headers in ({}, basic("bobby", PASSWORD)):
            for path in (f"/v1/search?q={query}", f"/api/v1/repositories?q={query}"):
                body = (await Caller(harbour).get(path, headers)).body.decode().replace(f'"query":"{query}"', "")
                assert "alice/secret" not in body
                assert "alice/before" not in body
    found = await Caller(harbour, await harbour.token("alice", "registry:catalog:*")).get("/v2/_catalog")
    assert "alice/secret" in found.json()["repositories"]


async def test_time_does_not_tell_it_from_a_name_that_was_never_used(harbour: InProcess, bobby: Caller):
    """Coarse, since machines are busy: by turns, the middle of many, and half as much again is still no difference."""
    spent: dict[str, list[float]] = {"alice/secret": [], "alice/never1": []}
    for _ in range(150):
        for name, times in spent.items():
            started = time.perf_counter()
            reply = await bobby.get(f"/v2/{name}/manifests/latest")
            times.append(time.perf_counter() - started)
            assert reply.status == 404
    slower, faster = sorted((statistics.median(times) for times in spent.values()), reverse=True)
    assert slower < faster * 1.5 + 0.0005


async def test_a_blob_of_a_private_image_is_told_by_its_owner_alone(harbour: InProcess):
    owner = await harbour.caller("alice", str(SECRET))
    assert (await owner.get(f"/v2/{SECRET}/blobs/{BLOB}")).status == 200
    assert await harbour.app.blobs.stat(SECRET, Digest(BLOB))
