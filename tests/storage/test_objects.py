"""An object store, beyond what the contract asks of every store: segments, parts, a store that fails, and settings."""

import asyncio
import json
import os
import secrets
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from havre.errors import ClientGone, ConfigError, StorageFull, Unavailable, UploadInvalid
from havre.oci.digest import Digest, Hasher
from havre.oci.ranges import ByteRange
from havre.registry.byte_ports import Elsewhere
from havre.storage import Storage, open_storage
from havre.storage.objects.bucket import MARK, PART, Bucket
from havre.storage.objects.place import Credentials, Place, credentials, place_of
from havre.storage.objects.signing import signed
from havre.storage.objects.writing import settled
from tests.storage.parts import Stores, TurnedClock, body, content, cut, in_objects, joined, torn
from tests.support.faulty import CutAnswer, CutUpload, Faulty, Refusal
from tests.support.objectstore import BUCKET, REGION, ObjectStore

pytestmark = pytest.mark.anyio

DAY = 24 * 60 * 60 * 1000
SLOW_DOWN = Refusal(503, "SlowDown")


@pytest.fixture
def prefix() -> str:
    return f"objects-{secrets.token_hex(4)}"


@pytest.fixture
def backend(object_store: ObjectStore, prefix: str) -> Iterator[Stores]:
    yield from in_objects(object_store, prefix, TurnedClock(time.time_ns() // 1_000_000))


@pytest.fixture
async def stores(backend: Stores, anyio_backend: str) -> AsyncIterator[Stores]:
    yield backend
    await backend.empty()
    await settled()


@pytest.fixture
def line(object_store: ObjectStore) -> Iterator[Faulty]:
    """A line to the store that fails on order."""
    with Faulty(urlsplit(object_store.endpoint).netloc) as line:
        yield line


@pytest.fixture
def behind(line: Faulty, prefix: str) -> Iterator[Stores]:
    """The store behind that line."""
    clock = TurnedClock(time.time_ns() // 1_000_000)
    storage = open_storage(f"s3://{BUCKET}/{prefix}", prefix, clock, (f"http://{line.host}", REGION, "auto"))
    line.seen.clear()
    yield Stores(storage.blobs, storage.uploads, clock, locks=False)
    storage.close()


# ---------------------------------------------------------------- segments


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 3 * PART + 7])
async def test_what_comes_in_one_request_is_content_as_it_lies(
    stores: Stores, object_store: ObjectStore, prefix: str, size: int
) -> None:
    data = content(size)
    await stores.append("u1", 0, *cut(data, 300_000))
    (segment,) = stores.rows["u1"]
    assert segment.size == size
    assert await stores.finish("u1", data) == segment.key
    assert await stores.whole(segment.key) == data
    assert object_store.keys_below(prefix) == [MARK, segment.key]


async def test_several_segments_are_joined_and_removed(stores: Stores, object_store: ObjectStore, prefix: str) -> None:
    data = content(2 * PART + 5_000_000)
    for start, stop in ((0, PART + 1), (PART + 1, PART + 2), (PART + 2, len(data))):
        await stores.append("u1", start, *cut(data[start:stop], 1_000_000))
    assert [one.size for one in stores.rows["u1"]] == [PART + 1, 1, PART + 5_000_000 - 2]
    key = await stores.finish("u1", data)
    assert await stores.whole(key) == data
    assert object_store.keys_below(prefix) == [MARK, key]


async def test_the_end_that_brings_bytes_joins_what_came_before(
    stores: Stores, object_store: ObjectStore, prefix: str
) -> None:
    await stores.append("u1", 0, b"begin ")
    (first,) = stores.rows["u1"]
    async with stores.uploads.hold("u1", 6, (first,)) as held:
        assert await held.append(body(b"end"), Hasher()) == 9
        key = await held.finish(Digest.of(b"begin end"), 9)
    stores.keys.add(key)
    await settled()
    assert await stores.whole(key) == b"begin end"
    assert sorted(object_store.keys_below(prefix)) == sorted([MARK, first.key, key])


async def test_a_large_body_whose_sender_leaves_is_kept(stores: Stores) -> None:
    data = content(2 * PART + 100)
    with pytest.raises(ClientGone):
        await stores.take("u1", 0, torn(*cut(data, 700_000)), Hasher())
    assert await stores.stored("u1", len(data)) == data


async def test_what_two_senders_sent_lies_apart(stores: Stores, object_store: ObjectStore, prefix: str) -> None:
    await stores.take("u1", 0, body(b"one's"), Hasher(), acknowledged=False)
    await stores.append("u1", 0, b"other's")
    await settled()
    (segment,) = stores.rows["u1"]
    assert object_store.keys_below(prefix) == [MARK, segment.key]
    assert await stores.whole(await stores.finish("u1", b"other's")) == b"other's"


async def test_a_segment_that_is_lost_is_not_taken_for_content(stores: Stores) -> None:
    await stores.append("u1", 0, b"content")
    await stores.blobs.delete(stores.rows["u1"][0].key)
    with pytest.raises(UploadInvalid, match="0 bytes of the upload u1 are stored, not 7"):
        await stores.finish("u1", b"content")


# ---------------------------------------------------------------- leftovers


async def test_parts_of_who_died_are_forgotten_after_a_day(
    stores: Stores, object_store: ObjectStore, prefix: str
) -> None:
    died, alive = f"uploads/died/0-{'0' * 16}", f"uploads/alive/0-{'0' * 16}"
    for key in (died, alive):
        assert object_store.ask("POST", f"{prefix}/{key}", uploads="")[0] == 200
    assert sorted(object_store.begun_below(prefix)) == [alive, died]

    async def known(uploads: Collection[str]) -> Collection[str]:
        return {"alive"} & set(uploads)

    stores.clock.now += DAY // 2
    assert await stores.uploads.stale(known) == 0
    stores.clock.now += DAY
    assert await stores.uploads.stale(known) == 1
    assert object_store.begun_below(prefix) == [alive]
    assert await stores.uploads.stale(nobody) == 1


async def nobody(_: Collection[str]) -> Collection[str]:
    return ()


async def test_what_is_not_ours_is_no_stray(stores: Stores, prefix: str) -> None:
    bucket = Bucket(place_of(f"s3://{BUCKET}/{prefix}", *endpoint_of(stores)))
    foreign = ["README", "uploads/readme", "uploads/u1/0-12", "sha256/aa/short", "quarantine/x"]
    for key in foreign:
        await bucket.put(key, b"x")
    stray = await stores.push("u1", b"a stray")
    stores.clock.now += DAY
    swept = await stores.blobs.strays(nobody)
    assert (swept.looked, swept.removed, swept.bytes) == (len(foreign) + 2, 1, 7)
    assert await stores.blobs.size(stray) is None
    await bucket.delete(foreign)


def endpoint_of(stores: Stores) -> tuple[str, str]:
    found: Place = stores.blobs._bucket.place  # type: ignore[attr-defined]
    return found.endpoint, found.region


# ---------------------------------------------------------------- downloads


async def test_a_signed_address_ends_soon_and_tells_no_secret(stores: Stores, object_store: ObjectStore) -> None:
    key = await stores.push("u1", b"content")
    place = await stores.blobs.locate(key)
    assert isinstance(place, Elsewhere)
    asked = parse_qs(urlsplit(place.url).query)
    assert asked["X-Amz-Expires"] == ["600"]
    assert object_store.keys.secret_key not in place.url
    async with httpx.AsyncClient() as anybody:
        answer = await anybody.get(place.url)
        assert answer.headers["content-disposition"] == "attachment"
        assert (await anybody.get(place.url.replace("0-", "1-", 1))).status_code in {403, 404}
        assert (await anybody.put(place.url, content=b"other")).status_code == 403


# ---------------------------------------------------------------- a store that fails


async def test_throttling_is_waited_out(line: Faulty, behind: Stores) -> None:
    data = content(2 * PART)
    line.order("PUT", "", SLOW_DOWN, SLOW_DOWN)
    line.order("POST", "", SLOW_DOWN, SLOW_DOWN)
    await behind.append("u1", 0, *cut(data, 1_000_000))
    line.order("HEAD", "", SLOW_DOWN)
    key = await behind.finish("u1", data)
    line.order("GET", "", SLOW_DOWN, SLOW_DOWN)
    assert await joined(behind.blobs.read(key, ByteRange(0, len(data)))) == data
    line.order("DELETE", "", SLOW_DOWN)
    line.order("POST", "delete", SLOW_DOWN)
    await behind.blobs.delete(key)
    assert await behind.blobs.size(key) is None


async def test_a_connection_that_breaks_in_the_middle(line: Faulty, behind: Stores) -> None:
    data = content(PART // 2)
    line.order("PUT", "", CutUpload(1_000_000), CutUpload(0))
    key = await behind.push("u1", data)
    line.order("GET", "", CutAnswer(1_000_000), CutAnswer(2_000_000))
    assert await joined(behind.blobs.read(key, ByteRange(0, len(data)))) == data
    assert line.open_orders == 0
    await behind.blobs.delete(key)


async def test_throttling_without_an_end_is_told(line: Faulty, behind: Stores) -> None:
    line.order("HEAD", "", *[SLOW_DOWN] * 200)
    with pytest.raises(Unavailable, match=r"object store failed \(503, while looking for content\)") as caught:
        await behind.blobs.size(f"uploads/u1/0-{'0' * 16}")
    assert caught.value.retry_after == 10
    assert 1 < len(line.asked("HEAD")) <= 50


async def test_no_room_is_told_as_such(line: Faulty, behind: Stores) -> None:
    line.order("PUT", "", Refusal(403, "QuotaExceeded"))
    with pytest.raises(StorageFull, match=r"storage is full \(QuotaExceeded, while storing content\)"):
        await behind.append("u1", 0, b"x")
    assert await behind.append("u1", 0, b"x") == 1
    await behind.discard("u1")


async def test_no_room_in_the_middle_of_a_body(line: Faulty, behind: Stores, object_store: ObjectStore, prefix: str):
    line.order("PUT", "partNumber=2", Refusal(403, "QuotaExceeded"))
    data = cut(content(6 * PART), 1_000_000)
    with pytest.raises(StorageFull):
        await asyncio.wait_for(behind.append("u1", 0, *data), 60)
    await settled()
    assert object_store.keys_below(prefix) == [MARK]
    assert object_store.begun_below(prefix) == []


async def test_a_refusal_names_no_address(line: Faulty, behind: Stores) -> None:
    line.order("PUT", "", Refusal(403, "AccessDenied"))
    with pytest.raises(Unavailable, match=r"refuses it \(AccessDenied, while storing content\)") as caught:
        await behind.append("u1", 0, b"x")
    assert line.host not in caught.value.message


async def test_a_store_that_comes_back(object_store: ObjectStore, stores: Stores) -> None:
    """Whoever sends while the store restarts waits; what was acknowledged before is there afterwards."""
    key = await stores.push("u1", b"before")
    data = content(3 * PART)

    async def slowly() -> AsyncIterator[bytes]:
        for number, chunk in enumerate(cut(data, PART)):
            if number == 1:
                object_store.kill()
                returning.append(asyncio.create_task(asyncio.to_thread(object_store.start)))
            yield chunk

    returning: list[asyncio.Task[None]] = []
    try:
        assert await stores.take("u2", 0, slowly(), Hasher()) == len(data)
    finally:
        await asyncio.gather(*returning)
    assert await stores.stored("u2", len(data)) == data
    assert await stores.whole(key) == b"before"


# ---------------------------------------------------------------- a check


@pytest.fixture
def storage(object_store: ObjectStore, prefix: str) -> Iterator[Storage]:
    clock = TurnedClock(time.time_ns() // 1_000_000)
    url = f"s3://{BUCKET}/{prefix}"
    storage = open_storage(url, prefix, clock, (object_store.endpoint, REGION, "auto"))
    yield storage
    storage.close()


async def unpaced(_: int) -> None:
    """As fast as it goes."""


async def test_a_check_reads_and_sets_aside(storage: Storage, object_store: ObjectStore, prefix: str) -> None:
    async with storage.uploads.hold("u1", 0) as held:
        await held.append(body(b"content"), Hasher())
        key = await held.finish(Digest.of(b"content"), 7)
    found = await storage.checks.examine(key, "sha256", unpaced)
    assert found is not None
    assert (found.size, found.digest) == (7, Digest.of(b"content"))
    assert not await storage.checks.quarantine(key, f"{found.mark}.")
    assert not storage.checks.absent(key)
    assert await storage.checks.quarantine(key, found.mark)
    assert storage.checks.absent(key)
    assert await storage.checks.examine(key, "sha256", unpaced) is None
    await storage.checks.keep("manifest-sha256-12", b"{}")
    first, second, mark = sorted(object_store.keys_below(prefix), key=lambda one: (one == MARK, one))
    assert first.startswith("quarantine/manifest-sha256-12.")
    assert second.startswith(f"quarantine/{key.replace('/', '-')}.")
    assert mark == MARK
    assert [batch async for batch in storage.checks.files()] == [[]]


async def test_nothing_is_lost_where_nothing_of_ours_can_be_seen(
    storage: Storage, object_store: ObjectStore, prefix: str
) -> None:
    key = f"uploads/u1/0-{'0' * 16}"
    assert storage.checks.absent(key)
    object_store.ask("DELETE", f"{prefix}/{MARK}")
    with pytest.raises(Unavailable, match="shows nothing of this registry"):
        storage.checks.absent(key)


# ---------------------------------------------------------------- settings


def test_a_place_is_read_from_an_address() -> None:
    assert place_of("s3://bucket") == Place("s3", "bucket", virtual=True)
    assert place_of("s3://dotted.bucket/") == Place("s3", "dotted.bucket")
    found = place_of("s3://bucket/deep/prefix/", "https://s3.example.org/", "eu-1")
    assert found == Place("s3", "bucket", "deep/prefix", "https://s3.example.org", "eu-1")
    assert found.base_url == "https://s3.example.org"
    hosted = place_of("s3://bucket", "https://s3.example.org", "eu-1", "virtual")
    assert hosted.base_url == "https://bucket.s3.example.org"
    assert place_of("s3://bucket", "", "eu-1").base_url == "https://bucket.s3.eu-1.amazonaws.com"
    assert str(found) == "s3://bucket/deep/prefix"


@pytest.mark.parametrize(
    ("url", "endpoint", "sentence"),
    [
        ("s3://", "", "names no bucket"),
        ("s3:///prefix", "", "names no bucket"),
        ("s3://key:secret@bucket", "", "credentials come from the environment"),
        ("s3://bucket/prefix?region=x", "", "a bucket and a prefix alone"),
        ("s3://bucket/../up", "", "a prefix that can not be used"),
        ("s3://bucket/a//b", "", "a prefix that can not be used"),
        ("gs://bucket", "http://localhost", "storage_endpoint is for s3"),
    ],
)
def test_addresses_that_can_not_be_used(url: str, endpoint: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        place_of(url, endpoint)
    assert "secret" not in caught.value.message


def test_credentials_of_the_environment_come_first(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        "[default]\naws_access_key_id = A1\naws_secret_access_key = s%1\n"
        "[work]\naws_access_key_id = A2\naws_secret_access_key = s2\naws_session_token = t2\n[empty]\n"
    )
    here = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    assert credentials(here) == Credentials("A1", "s%1")
    assert credentials({**here, "AWS_PROFILE": "work"}) == Credentials("A2", "s2", "t2")
    given = {"AWS_ACCESS_KEY_ID": "A3", "AWS_SECRET_ACCESS_KEY": "s3", "AWS_SESSION_TOKEN": "t3"}
    assert credentials({**here, **given}) == Credentials("A3", "s3", "t3")
    assert credentials({"HOME": str(tmp_path)}) is None
    for profile in ("empty", "none"):
        with pytest.raises(ConfigError, match=f"profile '{profile}'"):
            credentials({**here, "AWS_PROFILE": profile})


def test_a_signature_of_amazons_own_example() -> None:
    """The object of the S3 guide, "Signature Calculations for the Authorization Header", its second bucket query."""
    # In two halves each, so that nobody who looks for secrets takes them for some.
    keys = Credentials("AKIAIOSFODNN" + "7EXAMPLE", "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY")
    at = datetime(2013, 5, 24, tzinfo=UTC)
    host, query = "examplebucket.s3.amazonaws.com", "max-keys=2&prefix=J"
    found = signed(keys, "us-east-1", "GET", host, "/", query, at)
    assert found["authorization"].endswith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


async def test_azure_and_google_sign_addresses_too(tmp_path: Path) -> None:
    """As far as it goes without them: settings are understood, addresses signed with what the environment holds."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    account = {"type": "service_account", "client_email": "havre@example.org", "private_key_id": "1"}
    file = tmp_path / "account.json"
    file.write_text(json.dumps({**account, "private_key": key.decode(), "disable_oauth": False}))
    given = {
        "AZURE_STORAGE_ACCOUNT_NAME": "harbour",
        "AZURE_STORAGE_ACCOUNT_KEY": b64encode(bytes(64)).decode(),
        "GOOGLE_SERVICE_ACCOUNT": str(file),
    }
    before = dict(os.environ)
    os.environ.update(given)
    try:
        azure = await Bucket(place_of("az://container/registry")).link("uploads/u1/0-00")
        google = await Bucket(place_of("gs://bucket/registry")).link("uploads/u1/0-00")
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert azure.startswith("https://harbour.blob.core.windows.net/container/registry/uploads/u1/0-00?")
    assert parse_qs(urlsplit(azure).query)["sp"] == ["r"]
    assert google.startswith("https://storage.googleapis.com/bucket/registry/uploads/u1/0-00?")
    assert parse_qs(urlsplit(google).query)["X-Goog-Expires"] == ["600"]


@pytest.mark.parametrize(
    ("bucket", "rights", "sentence"),
    [
        ("nowhere", "all", "there is no bucket 'nowhere' at http://localhost"),
        (BUCKET, "wrong", "the store does not accept the credentials (SignatureDoesNotMatch"),
        (BUCKET, "unknown", "the store does not accept the credentials (InvalidAccessKeyId"),
        (BUCKET, "read", "the credentials do not allow to write (AccessDenied"),
    ],
)
def test_what_is_wrong_is_told_when_it_is_opened(
    object_store: ObjectStore, prefix: str, bucket: str, rights: str, sentence: str
) -> None:
    keys = {
        "all": object_store.keys,
        "wrong": Credentials(object_store.keys.access_key, "wrong"),
        "unknown": Credentials("NOBODY", "wrong"),
        "read": object_store.reader,
    }[rights]
    os.environ.update(object_store.environ(keys))
    try:
        with pytest.raises(ConfigError) as caught:
            open_storage(f"s3://{bucket}/{prefix}", prefix, store=(object_store.endpoint, REGION, "auto"))
    finally:
        os.environ.update(object_store.environ())
    assert f"the storage s3://{bucket}/{prefix} can not be used: {sentence}" in caught.value.message
    assert keys.secret_key == "wrong" or keys.secret_key not in caught.value.message


def test_a_store_that_does_not_answer(object_store: ObjectStore, prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"http://127\.0\.0\.1:9 does not answer"):
        open_storage(f"s3://{BUCKET}/{prefix}", prefix, store=("http://127.0.0.1:9", REGION, "auto"))
