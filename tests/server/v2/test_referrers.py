"""Referrers: what points at a digest, in pages, by type, whether or not the digest is here."""

import json
import re
from typing import Any

import pytest

from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, artifact, digest_of
from tests.support.inprocess import Caller

pytestmark = pytest.mark.anyio

SUBJECT = documents.image("subject")
POINTER = {"mediaType": OCI_MANIFEST, "digest": SUBJECT.digest, "size": len(SUBJECT.content)}
URL = f"/v2/alice/app/referrers/{SUBJECT.digest}"
SIGNATURE, SBOM = "application/vnd.example.signature.v1", "application/vnd.example.sbom.v1"
NEXT = re.compile(r'<([^>]+)>; rel="next"')


async def attach(caller: Caller, number: int = 0, **fields: Any) -> str:
    """Push something that refers to the subject; returns its digest."""
    fields = {"artifactType": SIGNATURE, "annotations": {"number": str(number)}, **fields}
    content = artifact(subject=POINTER, **fields)
    reply = await caller.push_manifest("alice/app", digest_of(content), content)
    assert (reply.status, reply["oci-subject"]) == (201, SUBJECT.digest)
    return digest_of(content)


@pytest.fixture
async def owner(alice: Caller) -> Caller:
    """Alice, whose repository has the empty blob that artifacts need."""
    await alice.push_blob("alice/app", documents.EMPTY)
    return alice


@pytest.mark.spec("referrers-200", "referrers-empty", "referrers-type", "referrers-404")
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_nothing_refers_to_an_unknown_digest(owner: Caller, algorithm: str):
    reply = await owner.get(f"/v2/alice/app/referrers/{digest_of(b'nothing', algorithm)}")
    assert (reply.status, reply["content-type"]) == (200, OCI_INDEX)
    assert reply.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    assert "link" not in reply
    assert "oci-filters-applied" not in reply


@pytest.mark.spec("referrers-404")
async def test_nor_to_one_in_a_repository_that_does_not_exist(alice: Caller):
    reply = await alice.get(URL)
    assert (reply.status, reply.json()["manifests"]) == (200, [])


@pytest.mark.spec("referrers-400")
@pytest.mark.parametrize("digest", ["sha256:abc", "latest", "md5:d41d8cd98f00b204e9800998ecf8427e"])
async def test_a_malformed_digest_is_400(owner: Caller, digest: str):
    reply = await owner.get(f"/v2/alice/app/referrers/{digest}")
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    assert digest in reply.message


@pytest.mark.spec(
    "subject-first", "referrers-json", "referrers-artifact", "referrers-annotations", "upgrade-new", "upgrade-all"
)
async def test_a_referrer_may_come_before_its_subject(owner: Caller):
    annotations = {"org.example.sbom.format": "json", "é": "ü"}
    digest = await attach(owner, artifactType=SBOM, annotations=annotations)
    for _ in ("before", "after"):
        (entry,) = (await owner.get(URL)).json()["manifests"]
        size = int((await owner.head(f"/v2/alice/app/manifests/{digest}"))["content-length"])
        assert entry == {
            "mediaType": OCI_MANIFEST,
            "digest": digest,
            "size": size,
            "artifactType": SBOM,
            "annotations": annotations,
        }
        await owner.push_image("alice/app", "latest", seed="subject")


@pytest.mark.spec("referrers-config")
@pytest.mark.parametrize("fields", [{}, {"artifactType": ""}], ids=["missing", "empty"])
async def test_the_config_names_the_type_when_the_manifest_does_not(owner: Caller, fields: dict[str, str]):
    config = documents.descriptor(documents.EMPTY, "application/vnd.example.config")
    content = documents.manifest(config, [], subject=POINTER, **fields)
    assert (await owner.push_manifest("alice/app", digest_of(content), content)).status == 201
    (entry,) = (await owner.get(URL)).json()["manifests"]
    assert entry["artifactType"] == "application/vnd.example.config"
    assert "annotations" not in entry


@pytest.mark.spec("referrers-index")
async def test_an_index_may_refer_too(owner: Caller):
    for fields in ({"artifactType": SBOM}, {}, {"artifactType": ""}):
        content = documents.index([], subject=POINTER, **fields)
        reply = await owner.push_manifest("alice/app", digest_of(content), content, OCI_INDEX)
        assert (reply.status, reply["oci-subject"]) == (201, SUBJECT.digest)
    entries = (await owner.get(URL)).json()["manifests"]
    assert {entry["mediaType"] for entry in entries} == {OCI_INDEX}
    assert sorted(entry.get("artifactType", "none") for entry in entries) == [SBOM, "none", "none"]


@pytest.mark.spec("referrers-filter", "referrers-filter-told", "referrers-filters")
async def test_filter_by_type(owner: Caller):
    signature, sbom = await attach(owner, 1), await attach(owner, 2, artifactType=SBOM)
    other = await attach(owner, 3, artifactType="application/other")
    for query, wanted in {
        f"?artifactType={SBOM}": {sbom},
        f"?artifactType={SBOM}&artifactType={SIGNATURE}": {sbom, signature},
        "?artifactType=application/none": set(),
    }.items():
        reply = await owner.get(URL + query)
        assert reply["oci-filters-applied"] == "artifactType"
        assert {entry["digest"] for entry in reply.json()["manifests"]} == wanted
    assert len((await owner.get(f"{URL}?artifactType=")).json()["manifests"]) == 3
    assert other


@pytest.mark.spec("upgrade-listed")
async def test_referrers_that_a_client_wrote_under_a_tag(owner: Caller):
    digest = await attach(owner)
    size = int((await owner.head(f"/v2/alice/app/manifests/{digest}"))["content-length"])
    fallback = documents.index([{"mediaType": OCI_MANIFEST, "digest": digest, "size": size}])
    tag = SUBJECT.digest.replace(":", "-")
    assert (await owner.push_manifest("alice/app", tag, fallback, OCI_INDEX)).status == 201
    assert [entry["digest"] for entry in (await owner.get(URL)).json()["manifests"]] == [digest]


async def test_head(owner: Caller):
    await attach(owner)
    whole = await owner.get(URL)
    reply = await owner.head(URL)
    assert (reply.status, reply["content-length"], reply.body) == (200, str(len(whole.body)), b"")


async def test_a_deleted_referrer_is_not_listed(owner: Caller):
    digest = await attach(owner)
    assert (await owner.delete(f"/v2/alice/app/manifests/{digest}")).status == 202
    assert (await owner.get(URL)).json()["manifests"] == []


async def test_referrers_outlive_their_subject(owner: Caller):
    await owner.push_image("alice/app", "latest", seed="subject")
    digest = await attach(owner)
    assert (await owner.delete(f"/v2/alice/app/manifests/{SUBJECT.digest}")).status == 202
    assert [entry["digest"] for entry in (await owner.get(URL)).json()["manifests"]] == [digest]


async def test_referrers_stay_in_their_repository(owner: Caller):
    await attach(owner)
    assert (await owner.get(URL.replace("alice/app", "alice/other"))).json()["manifests"] == []


async def pages(caller: Caller, target: str) -> list[Any]:
    """The answers of all pages, by the Link header."""
    found = []
    while target:
        reply = await caller.get(target)
        assert (reply.status, reply["content-type"]) == (200, OCI_INDEX)
        found.append(reply)
        link = NEXT.fullmatch(reply["link"]) if "link" in reply else None
        target = link[1] if link else ""
    return found


@pytest.mark.spec("referrers-link", "referrers-link-form")
async def test_more_than_one_page(owner: Caller):
    wanted = {await attach(owner, number) for number in range(500)}
    (only,) = await pages(owner, URL)
    assert {entry["digest"] for entry in only.json()["manifests"]} == wanted
    wanted |= {await attach(owner, artifactType=SBOM), *[await attach(owner, number) for number in range(500, 503)]}
    found = [reply.json()["manifests"] for reply in await pages(owner, URL)]
    assert [len(page) for page in found] == [500, 4]
    assert {entry["digest"] for page in found for entry in page} == wanted
    filtered = await pages(owner, f"{URL}?artifactType={SIGNATURE}")
    assert [len(reply.json()["manifests"]) for reply in filtered] == [500, 3]
    assert all(reply["oci-filters-applied"] == "artifactType" for reply in filtered)


async def test_no_page_is_larger_than_clients_accept(owner: Caller):
    wanted = {await attach(owner, number, annotations={"text": f"{number}" * 1_500_000}) for number in range(5)}
    wanted.add(await attach(owner, annotations={"text": "y" * 4_100_000}))
    found = await pages(owner, URL)
    assert len(found) > 2
    assert all(len(reply.body) <= 4 * 1024 * 1024 for reply in found)
    listed = [entry["digest"] for reply in found for entry in json.loads(reply.body)["manifests"]]
    assert len(listed) == 6
    assert set(listed) == wanted
