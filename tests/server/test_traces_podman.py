"""What podman and buildah send (containers/image 5.23), request by request."""

import pytest

from tests.support import documents
from tests.support.documents import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    descriptor,
)
from tests.support.inprocess import PASSWORD
from tests.support.server import HavreProcess
from tests.support.traces import BASIC, BEARER, NOBODY, UUID, Player, Step

ALWAYS = (
    "User-Agent: containers/5.23.1 (github.com/containers/image)",
    "Docker-Distribution-Api-Version: registry/2.0",
)
ACCEPTS = tuple(
    f"Accept: {one}"
    for one in (
        OCI_MANIFEST,
        DOCKER_MANIFEST,
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
        DOCKER_LIST,
        OCI_INDEX,
    )
)
"""One line for each type, always in this order."""
OCTETS = "Content-Type: application/octet-stream"

PING = Step("GET /v2/", 401, needs={"WWW-Authenticate": 'Bearer realm="http://{host}/auth/token",service="{host}"'})
MAY_PUSH = Step("GET {realm}?account=alice&scope=repository%3A{repo_q}%3Apull%2Cpush&service={service}", 200, [BASIC])
MAY_PULL = Step("GET {realm}?account=alice&scope=repository%3A{repo_q}%3Apull&service={service}", 200, [BASIC])
ANYONE_MAY_PULL = Step("GET {realm}?scope=repository%3A{repo_q}%3Apull&service={service}", 200)

IMAGE = documents.image("podman")
CONFIG, FIRST, SECOND = IMAGE.blobs
INDEX = documents.index([descriptor(IMAGE.content, OCI_MANIFEST, platform={"os": "linux", "architecture": "amd64"})])
CONTENTS = {"config": CONFIG, "first": FIRST, "second": SECOND, "image": IMAGE.content, "index": INDEX}
UNPACKED = documents.digest_of(b"a layer as it was before it was compressed")


def podman(havre: HavreProcess, repository: str, name: str = "alice") -> Player:
    known = {"repo": repository, "repo_q": repository.replace("/", "%2F")}
    player = Player(havre.host, ALWAYS, name=name, secret=PASSWORD if name else "", **known)
    player.know(**CONTENTS)
    return player


def upload(name: str, content: bytes, *, size_is_known: bool = False) -> list[Step]:
    """A blob: a look, a stream (whole, where the size is known), the digest; and no look afterwards."""
    half = len(content) // 2
    return [
        Step(f"HEAD /v2/{{repo}}/blobs/{{{name}}}", 404, [BEARER]),
        Step(
            "POST /v2/{repo}/blobs/uploads/", 202, [BEARER],
            needs={"Location": "/v2/{repo}/blobs/uploads/.+", "Docker-Upload-UUID": UUID},
        ),
        Step(
            "PATCH {location}", 202, [OCTETS, BEARER], content if size_is_known else (content[:half], content[half:]),
            needs={"Location": ".+"},
        ),
        Step(f"PUT {{location}}&digest={{{name}_q}}", 201, [OCTETS, BEARER]),
    ]  # fmt: skip


def manifest(reference: str, content: bytes, media_type: str) -> Step:
    return Step(f"PUT /v2/{{repo}}/manifests/{reference}", 201, [f"Content-Type: {media_type}", BEARER], content)


TAG_IT = manifest("latest", IMAGE.content, OCI_MANIFEST)


def pushed(havre: HavreProcess, repository: str) -> Player:
    """The first push: two tokens, since it asks for them in parallel, and first a look for a layer by another digest."""
    player = podman(havre, repository)
    player.knock()
    player.play(
        PING,
        MAY_PUSH,
        MAY_PUSH,
        Step(f"HEAD /v2/{{repo}}/blobs/{UNPACKED}", 404, [BEARER]),
        *upload("first", FIRST),
        *upload("second", SECOND),
        *upload("config", CONFIG, size_is_known=True),
        TAG_IT,
    )
    return player


def test_login(havre: HavreProcess):
    player = podman(havre, "alice/login")
    player.knock()
    player.play(
        PING,
        Step("GET {realm}?account=alice&service={service}", 200, [BASIC]),
        Step("GET /v2/", 200, [BEARER]),
    )


def test_login_with_a_wrong_password(havre: HavreProcess):
    player = podman(havre, "alice/login")
    player.known["basic"] = "YWxpY2U6d3Jvbmc="  # alice:wrong
    player.play(PING, Step("GET {realm}?account=alice&service={service}", 401, [BASIC], says='"UNAUTHORIZED"'))


def test_first_push(havre: HavreProcess):
    pushed(havre, "alice/p-first-push")


def test_push_again(havre: HavreProcess):
    pushed(havre, "alice/p-again").play(
        PING,
        MAY_PUSH,
        *(Step(f"HEAD /v2/{{repo}}/blobs/{{{name}}}", 200, [BEARER]) for name in ("first", "second", "config")),
        TAG_IT,
    )


def test_a_known_layer_is_looked_for_in_the_other_repository_and_mounted(havre: HavreProcess):
    pushed(havre, "alice/p-source")
    player = podman(havre, "alice/p-target")
    mounts = [
        step
        for layer in ("first", "second")
        for step in (
            Step(f"HEAD /v2/{{repo}}/blobs/{{{layer}}}", 404, [BEARER]),
            Step(
                f"HEAD /v2/alice/p-source/blobs/{{{layer}}}", 200, [BEARER], needs={"Content-Length": "[1-9][0-9]*"}
            ),
            Step(f"POST /v2/{{repo}}/blobs/uploads/?from=alice%2Fp-source&mount={{{layer}_q}}", 201, [BEARER]),
        )
    ]  # fmt: skip
    both = "scope=repository%3A{repo_q}%3Apull%2Cpush&scope=repository%3Aalice%2Fp-source%3Apull"
    player.play(
        PING,
        Step(f"GET {{realm}}?account=alice&{both}&service={{service}}", 200, [BASIC]),
        *mounts,
        *upload("config", CONFIG, size_is_known=True),
        TAG_IT,
    )


def test_repositories_it_remembers_that_are_gone_do_not_stop_a_push(havre: HavreProcess):
    gone = ("alice/once", "bobby/once", "library/once", "alice/p-gone")
    scopes = "&".join(f"scope=repository%3A{name.replace('/', '%2F')}%3Apull" for name in gone)
    podman(havre, "alice/p-gone").play(
        PING,
        Step(
            f"GET {{realm}}?account=alice&scope=repository%3A{{repo_q}}%3Apull%2Cpush&{scopes}&service={{service}}",
            200,
            [BASIC],
        ),
        *(Step(f"HEAD /v2/{name}/blobs/{{first}}", 404, [BEARER]) for name in gone),
        *upload("first", FIRST),
    )


def test_a_mount_that_is_impossible_is_an_upload_which_it_discards(havre: HavreProcess):
    podman(havre, "alice/p-discard").play(
        PING,
        MAY_PUSH,
        Step("POST /v2/{repo}/blobs/uploads/?from=bobby%2Fnothing&mount={first_q}", 202, [BEARER]),
        Step("DELETE {location}", 204, [BEARER]),
        *upload("first", FIRST),
    )


@pytest.mark.parametrize("proof", [(), (NOBODY,)], ids=["no header", "an empty name and password"])
def test_pull_by_someone_who_has_not_signed_in(havre: HavreProcess, proof: tuple[str, ...]):
    name = "alice/p-public" if proof else "alice/p-open"
    pushed(havre, name)
    player = podman(havre, name, name="")
    player.knock()
    player.play(
        PING,
        Step(ANYONE_MAY_PULL.request, 200, proof),
        Step(
            "GET /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER], gives=IMAGE.content,
            needs={"Content-Type": OCI_MANIFEST.replace("+", r"\+"), "Docker-Content-Digest": "{image}"},
        ),
        Step("GET /v2/{repo}/blobs/{config}", 200, [BEARER], gives=CONFIG),
        Step("GET /v2/{repo}/blobs/{first}", 200, [BEARER], gives=FIRST),
        Step("GET /v2/{repo}/blobs/{second}", 200, [BEARER], gives=SECOND),
    )  # fmt: skip


def test_an_empty_name_and_password_at_the_registry_itself_is_nobody(havre: HavreProcess):
    pushed(havre, "alice/p-nobody")
    podman(havre, "alice/p-nobody", name="").play(
        Step("GET /v2/{repo}/manifests/latest", 200, [*ACCEPTS, NOBODY], gives=IMAGE.content),
        Step("POST /v2/{repo}/blobs/uploads/", 401, [NOBODY], says='"UNAUTHORIZED"'),
    )


def test_a_list_is_pushed_by_digest_first_and_by_tag_last(havre: HavreProcess):
    player = pushed(havre, "alice/p-list")
    player.play(
        PING,
        MAY_PUSH,
        *(Step(f"HEAD /v2/{{repo}}/blobs/{{{name}}}", 200, [BEARER]) for name in ("first", "second", "config")),
        manifest("{image}", IMAGE.content, OCI_MANIFEST),
        manifest("all", INDEX, OCI_INDEX),
        PING,
        MAY_PULL,
        Step("GET /v2/{repo}/manifests/all", 200, [*ACCEPTS, BEARER], gives=INDEX),
        Step("GET /v2/{repo}/manifests/{image}", 200, [*ACCEPTS, BEARER], gives=IMAGE.content),
    )


def test_search(havre: HavreProcess):
    player = pushed(havre, "alice/p-searched")
    player.play(
        PING,
        Step("GET /v1/search?n=25&q=p-searched", 200, says='"name":"alice/p-searched"'),
        Step("GET {realm}?account=alice&scope=registry%3Acatalog%3A%2A&service={service}", 200, [BASIC]),
        Step("GET /v2/_catalog", 200, [BEARER], says='"alice/p-searched"'),
    )


def test_tags_of_a_repository(havre: HavreProcess):
    listed = b'{"name":"alice/p-tags","tags":["latest"]}'
    pushed(havre, "alice/p-tags").play(PING, MAY_PULL, Step("GET /v2/{repo}/tags/list", 200, [BEARER], gives=listed))


def test_refusals(havre: HavreProcess):
    pushed(havre, "alice/p-refused").play(
        PING,
        MAY_PULL,
        Step("GET /v2/{repo}/manifests/none", 404, [*ACCEPTS, BEARER], says='"MANIFEST_UNKNOWN"'),
        Step(
            "POST /v2/{repo}/blobs/uploads/", 401, [BEARER], needs={"WWW-Authenticate": '.*error="insufficient_scope"'}
        ),
        MAY_PUSH,
        Step("POST /v2/bobby/app/blobs/uploads/", 403, [BEARER], says='"DENIED"'),
    )


def test_a_manifest_whose_config_was_never_pushed_is_refused_with_its_code(havre: HavreProcess):
    broken = documents.manifest(descriptor(b"never pushed", OCI_CONFIG), [descriptor(FIRST, OCI_LAYER)])
    pushed(havre, "alice/p-broken").play(
        PING,
        MAY_PUSH,
        Step(
            "PUT /v2/{repo}/manifests/latest", 404, [f"Content-Type: {OCI_MANIFEST}", BEARER], broken,
            says='"MANIFEST_BLOB_UNKNOWN"',
        ),
    )  # fmt: skip
