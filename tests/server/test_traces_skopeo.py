"""What skopeo sends (1.9), request by request: looking, copying a list, and deleting."""

import orjson

from tests.support import documents
from tests.support.documents import OCI_INDEX, OCI_MANIFEST, descriptor
from tests.support.inprocess import PASSWORD
from tests.support.server import HavreProcess
from tests.support.traces import BASIC, BEARER, Player, Step

ALWAYS = ("User-Agent: skopeo/1.9.3", "Docker-Distribution-Api-Version: registry/2.0")
ACCEPTS = tuple(f"Accept: {one}" for one in (OCI_MANIFEST, documents.DOCKER_MANIFEST, documents.DOCKER_LIST, OCI_INDEX))
OCTETS = "Content-Type: application/octet-stream"

PING = Step("GET /v2/", 401, needs={"WWW-Authenticate": 'Bearer realm="http://{host}/auth/token",service="{host}"'})


def may(actions: str) -> Step:
    scope = f"repository%3A{{repo_q}}%3A{actions.replace(',', '%2C')}"
    return Step(f"GET {{realm}}?account=alice&scope={scope}&service={{service}}", 200, [BASIC])


IMAGES = (documents.image("skopeo amd64", "amd64"), documents.image("skopeo arm64", "arm64"))
INDEX = documents.index(
    [
        descriptor(one.content, OCI_MANIFEST, platform={"os": "linux", "architecture": architecture})
        for one, architecture in zip(IMAGES, ("amd64", "arm64"), strict=True)
    ]
)
CONTENTS = {
    f"blob{one}{other}": blob for one, image in enumerate(IMAGES) for other, blob in enumerate(image.blobs)
} | {"image0": IMAGES[0].content, "image1": IMAGES[1].content, "index": INDEX}  # fmt: skip


def upload(name: str) -> list[Step]:
    """A blob of a size that is known, as all are that come from another registry or a folder."""
    return [
        Step(f"HEAD /v2/{{repo}}/blobs/{{{name}}}", 404, [BEARER]),
        Step("POST /v2/{repo}/blobs/uploads/", 202, [BEARER], needs={"Location": "/v2/.+"}),
        Step("PATCH {location}", 202, [OCTETS, BEARER], CONTENTS[name], needs={"Location": "/v2/.+"}),
        Step(f"PUT {{location}}&digest={{{name}_q}}", 201, [OCTETS, BEARER]),
    ]


def copied(havre: HavreProcess, repository: str) -> Player:
    """``skopeo copy --all`` to here: each image by its digest, the list by its tag."""
    known = {"repo": repository, "repo_q": repository.replace("/", "%2F")}
    player = Player(havre.host, ALWAYS, name="alice", secret=PASSWORD, **known)
    player.know(**CONTENTS)
    player.knock()
    player.play(PING, may("pull,push"))
    for number, image in enumerate(IMAGES):
        for blob in ("1", "2", "0"):
            player.play(*upload(f"blob{number}{blob}"))
        is_image = f"Content-Type: {OCI_MANIFEST}"
        player.play(
            Step(f"PUT /v2/{{repo}}/manifests/{{image{number}}}", 201, [is_image, BEARER], image.content)
        )  # fmt: skip
    player.play(Step("PUT /v2/{repo}/manifests/latest", 201, [f"Content-Type: {OCI_INDEX}", BEARER], INDEX))
    return player


def test_copy_all_and_back(havre: HavreProcess):
    player = copied(havre, "alice/s-copied")
    player.play(PING, may("pull"), Step("GET /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER], gives=INDEX))
    for number, image in enumerate(IMAGES):
        player.play(
            Step(f"GET /v2/{{repo}}/manifests/{{image{number}}}", 200, [*ACCEPTS, BEARER], gives=image.content),
            *(
                Step(f"GET /v2/{{repo}}/blobs/{{blob{number}{other}}}", 200, [BEARER], gives=blob)
                for other, blob in enumerate(image.blobs)
            ),
        )


def test_inspect_signs_in_twice(havre: HavreProcess):
    player = copied(havre, "alice/s-inspected")
    player.play(
        PING,
        may("pull"),
        Step("GET /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER], gives=INDEX),
        Step("GET /v2/{repo}/manifests/{image0}", 200, [*ACCEPTS, BEARER], gives=IMAGES[0].content),
        Step("GET /v2/{repo}/blobs/{blob00}", 200, [BEARER], gives=IMAGES[0].blobs[0]),
    )
    player.knock()
    listed = orjson.dumps({"name": "alice/s-inspected", "tags": ["latest"]})
    player.play(PING, may("pull"), Step("GET /v2/{repo}/tags/list", 200, [BEARER], gives=listed))


def test_delete_finds_the_digest_and_removes_it_with_its_tags(havre: HavreProcess):
    player = copied(havre, "alice/s-deleted")
    player.play(
        PING,
        # It asks for every action there is, under a name that no registry defines.
        may("*"),
        Step(
            "GET /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER], needs={"Docker-Content-Digest": "{index}"}
        ),
        Step("DELETE /v2/{repo}/manifests/{index}", 202, [BEARER]),
        Step("GET /v2/{repo}/manifests/latest", 404, [*ACCEPTS, BEARER], says='"MANIFEST_UNKNOWN"'),
        Step("GET /v2/{repo}/manifests/{image0}", 200, [*ACCEPTS, BEARER], gives=IMAGES[0].content),
        Step("GET /v2/{repo}/tags/list", 200, [BEARER], gives=b'{"name":"alice/s-deleted","tags":[]}'),
    )  # fmt: skip


def test_deleting_what_is_not_there_says_so(havre: HavreProcess):
    player = copied(havre, "alice/s-missing")
    player.play(
        PING, may("*"), Step("GET /v2/{repo}/manifests/none", 404, [*ACCEPTS, BEARER], says='"MANIFEST_UNKNOWN"')
    )
