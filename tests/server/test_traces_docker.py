"""What docker sends (20.10 and 28), request by request: signing in, pushing, pulling, searching, and being refused."""

from collections.abc import Sequence

from tests.support import documents
from tests.support.documents import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_LIST, DOCKER_MANIFEST, descriptor
from tests.support.inprocess import PASSWORD
from tests.support.server import HavreProcess
from tests.support.traces import BASIC, BEARER, UUID, Player, Step

DAEMON = ("User-Agent: docker/20.10.24+dfsg1 go/go1.19.8 os/linux arch/amd64 UpstreamClient(Docker-Client/28.2.2)",)
CLI = ("User-Agent: Docker-Client/28.2.2 (linux)",)

ACCEPTS = tuple(
    f"Accept: {one}"
    for one in (
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/json",
        "application/vnd.oci.image.index.v1+json",
        DOCKER_LIST,
        "application/vnd.oci.image.manifest.v1+json",
        DOCKER_MANIFEST,
    )
)
"""One line for each type, in no particular order."""

PING = Step("GET /v2/", 401, needs={"WWW-Authenticate": 'Bearer realm="http://{host}/auth/token",service="{host}"'})
MAY_PUSH = Step("GET {realm}?account=alice&scope=repository%3A{repo_q}%3Apush%2Cpull&service={service}", 200, [BASIC])
MAY_PULL = Step("GET {realm}?account=alice&scope=repository%3A{repo_q}%3Apull&service={service}", 200, [BASIC])
ANYONE_MAY_PULL = Step("GET {realm}?scope=repository%3A{repo_q}%3Apull&service={service}", 200)


def docker(havre: HavreProcess, repository: str, name: str = "alice", always: Sequence[str] = DAEMON) -> Player:
    known = {"repo": repository, "repo_q": repository.replace("/", "%2F")}
    return Player(havre.host, always, name=name, secret=PASSWORD, **known)


def upload(name: str, content: bytes) -> list[Step]:
    """A blob: one stream of unknown length, of no type, closed with the digest; then a look whether it is there."""
    half = len(content) // 2
    return [
        Step(
            "POST /v2/{repo}/blobs/uploads/",
            202,
            [BEARER],
            needs={"Location": "/v2/{repo}/blobs/uploads/.+", "Docker-Upload-UUID": UUID, "Range": "0-0"},
        ),
        Step(
            "PATCH {location}", 202, [BEARER], (content[:half], content[half:]),
            needs={"Location": ".+", "Range": f"0-{len(content) - 1}"},
        ),
        Step(
            f"PUT {{location}}&digest={{{name}_q}}", 201, [BEARER],
            needs={"Location": f"/v2/{{repo}}/blobs/{{{name}}}", "Docker-Content-Digest": f"{{{name}}}"},
        ),
        Step(
            f"HEAD /v2/{{repo}}/blobs/{{{name}}}", 200, [BEARER],
            needs={"Content-Length": str(len(content)), "Docker-Content-Digest": f"{{{name}}}"},
        ),
    ]  # fmt: skip


CONFIG, FIRST, SECOND = b'{"architecture":"amd64","os":"linux"}', b"the first layer " * 999, b"the second layer " * 9999
IMAGE = documents.manifest(
    descriptor(CONFIG, DOCKER_CONFIG),
    [descriptor(FIRST, DOCKER_LAYER), descriptor(SECOND, DOCKER_LAYER)],
    mediaType=DOCKER_MANIFEST,
)
LIST = documents.index(
    [descriptor(IMAGE, DOCKER_MANIFEST, platform={"os": "linux", "architecture": "amd64"})], mediaType=DOCKER_LIST
)
CONTENTS = {"config": CONFIG, "first": FIRST, "second": SECOND, "image": IMAGE, "list": LIST}

TAG_IT = Step(
    "PUT /v2/{repo}/manifests/latest", 201, [BEARER, f"Content-Type: {DOCKER_MANIFEST}"], IMAGE,
    needs={"Docker-Content-Digest": "{image}"},
)  # fmt: skip


def pushed(havre: HavreProcess, repository: str) -> Player:
    """The first push of the image, with nothing known about its layers."""
    player = docker(havre, repository)
    player.know(**CONTENTS)
    player.knock()
    player.play(
        PING,
        MAY_PUSH,
        Step("HEAD /v2/{repo}/blobs/{first}", 404, [BEARER]),
        Step("HEAD /v2/{repo}/blobs/{second}", 404, [BEARER]),
        *upload("first", FIRST),
        *upload("second", SECOND),
        Step("HEAD /v2/{repo}/blobs/{config}", 404, [BEARER]),
        *upload("config", CONFIG),
        TAG_IT,
    )
    return player


def test_login(havre: HavreProcess):
    player = docker(havre, "alice/login")
    player.knock()
    player.play(
        PING,
        Step(
            "GET {realm}?account=alice&client_id=docker&offline_token=true&service={service}", 200, [BASIC],
            needs={"Content-Type": "application/json"},
        ),
        Step("GET /v2/", 200, [BEARER]),
    )  # fmt: skip


def test_login_with_a_wrong_password_shows_the_sentence_of_the_token_server(havre: HavreProcess):
    player = docker(havre, "alice/login")
    player.known["basic"] = "YWxpY2U6d3Jvbmc="  # alice:wrong
    login = "GET {realm}?account=alice&client_id=docker&offline_token=true&service={service}"
    player.play(PING, Step(login, 401, [BASIC], says='"message":"incorrect username or password"'))


def test_first_push(havre: HavreProcess):
    pushed(havre, "alice/first-push")


def test_push_again_sends_the_manifest_alone(havre: HavreProcess):
    pushed(havre, "alice/push-again").play(
        PING,
        MAY_PUSH,
        Step("HEAD /v2/{repo}/blobs/{first}", 200, [BEARER], needs={"Docker-Content-Digest": "{first}"}),
        Step("HEAD /v2/{repo}/blobs/{second}", 200, [BEARER], needs={"Content-Length": str(len(SECOND))}),
        Step("HEAD /v2/{repo}/blobs/{config}", 200, [BEARER]),
        TAG_IT,
    )


def test_push_to_another_repository_mounts_the_layers(havre: HavreProcess):
    pushed(havre, "alice/mount-source")
    player = docker(havre, "alice/mount-target")
    player.know(**CONTENTS)
    mounts = [
        step
        for layer in ("first", "second")
        for step in (
            Step(f"HEAD /v2/{{repo}}/blobs/{{{layer}}}", 404, [BEARER]),
            Step(
                f"POST /v2/{{repo}}/blobs/uploads/?from=alice%2Fmount-source&mount={{{layer}_q}}", 201, [BEARER],
                needs={"Location": f"/v2/{{repo}}/blobs/{{{layer}}}", "Docker-Content-Digest": f"{{{layer}}}"},
            ),
            Step(f"HEAD /v2/{{repo}}/blobs/{{{layer}}}", 200, [BEARER], needs={"Content-Length": "[1-9][0-9]*"}),
        )
    ]  # fmt: skip
    both = "&scope=repository%3Aalice%2Fmount-source%3Apull&scope=repository%3A{repo_q}%3Apull%2Cpush"
    player.play(
        PING,
        Step(f"GET {{realm}}?account=alice{both}&service={{service}}", 200, [BASIC]),
        *mounts,
        Step("HEAD /v2/{repo}/blobs/{config}", 404, [BEARER]),
        *upload("config", CONFIG),
        TAG_IT,
    )


def test_a_mount_from_a_repository_that_is_gone_goes_on_as_an_upload(havre: HavreProcess):
    player = docker(havre, "alice/no-source")
    player.know(first=FIRST)
    begun, *rest = upload("first", FIRST)
    lost = Step(
        "POST /v2/{repo}/blobs/uploads/?from=alice%2Fnever-was&mount={first_q}", 202, [BEARER], needs=begun.needs
    )
    player.play(PING, MAY_PUSH, lost, *rest)


def test_pull_by_someone_who_has_not_signed_in(havre: HavreProcess):
    pushed(havre, "alice/public")
    player = docker(havre, "alice/public", name="")
    player.know(**CONTENTS)
    player.knock()
    player.play(
        PING,
        ANYONE_MAY_PULL,
        Step(
            "HEAD /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER],
            needs={
                "Content-Type": DOCKER_MANIFEST.replace("+", r"\+"),
                "Content-Length": str(len(IMAGE)),
                "Docker-Content-Digest": "{image}",
            },
        ),
        Step("GET /v2/{repo}/manifests/{image}", 200, [*ACCEPTS, BEARER], gives=IMAGE),
        Step("GET /v2/{repo}/blobs/{config}", 200, [BEARER], gives=CONFIG),
        Step("GET /v2/{repo}/blobs/{first}", 200, [BEARER], gives=FIRST, needs={"Content-Length": str(len(FIRST))}),
        Step("GET /v2/{repo}/blobs/{second}", 200, [BEARER], gives=SECOND),
    )  # fmt: skip


def test_a_broken_download_goes_on_where_it_stopped(havre: HavreProcess):
    player = pushed(havre, "alice/resumed")
    rest = Step(
        "GET /v2/{repo}/blobs/{second}", 206, ["Range: bytes=777-", BEARER], gives=SECOND[777:],
        needs={"Content-Range": f"bytes 777-{len(SECOND) - 1}/{len(SECOND)}", "Content-Length": str(len(SECOND) - 777)},
    )  # fmt: skip
    player.play(MAY_PULL, rest)


def test_a_pull_that_is_up_to_date_asks_for_the_digest_alone(havre: HavreProcess):
    player = pushed(havre, "alice/up-to-date")
    known = Step(
        "HEAD /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER], needs={"Docker-Content-Digest": "{image}"}
    )
    player.play(PING, MAY_PULL, known)


def test_all_tags(havre: HavreProcess):
    pushed(havre, "alice/all-tags").play(
        PING,
        MAY_PULL,
        Step("GET /v2/{repo}/tags/list", 200, [BEARER], gives=b'{"name":"alice/all-tags","tags":["latest"]}'),
        Step("HEAD /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER]),
    )


def test_a_list_is_made_by_the_command_line_itself(havre: HavreProcess):
    pushed(havre, "alice/listed")
    player = docker(havre, "alice/listed", always=CLI)
    player.know(**CONTENTS)
    player.knock()
    is_list = f"Content-Type: {DOCKER_LIST}"
    player.play(
        PING,
        MAY_PULL,
        Step("GET /v2/{repo}/manifests/latest", 200, [*ACCEPTS, BEARER], gives=IMAGE),
        Step("GET /v2/{repo}/blobs/{config}", 200, [BEARER], gives=CONFIG),
        PING,
        MAY_PUSH,
        Step(
            "PUT /v2/{repo}/manifests/all", 201, [is_list, BEARER], LIST, needs={"Docker-Content-Digest": "{list}"}
        ),
        Step("HEAD /v2/{repo}/manifests/all", 200, [*ACCEPTS, BEARER], needs={"Docker-Content-Digest": "{list}"}),
        Step("GET /v2/{repo}/manifests/{list}", 200, [*ACCEPTS, BEARER], gives=LIST),
        Step("GET /v2/{repo}/manifests/{image}", 200, [*ACCEPTS, BEARER], gives=IMAGE),
    )  # fmt: skip


def test_search(havre: HavreProcess):
    pushed(havre, "alice/searched")
    docker(havre, "", name="").play(
        Step("GET /v1/_ping", 200),
        Step(
            "GET /v1/search?q=searched&n=25", 200, ["X-Docker-Token: true"], says='"name":"alice/searched"',
            needs={"Content-Type": "application/json"},
        ),
    )  # fmt: skip


def test_an_unknown_tag_is_asked_for_twice_to_read_the_reason(havre: HavreProcess):
    pushed(havre, "alice/refused")
    for repository, code in (("alice/refused", "MANIFEST_UNKNOWN"), ("alice/never-was", "NAME_UNKNOWN")):
        docker(havre, repository).play(
            PING,
            MAY_PULL,
            Step("HEAD /v2/{repo}/manifests/none", 404, [*ACCEPTS, BEARER]),
            Step("GET /v2/{repo}/manifests/none", 404, [*ACCEPTS, BEARER], says=f'"code":"{code}"'),
        )


def test_a_push_to_the_namespace_of_another_is_denied_with_a_sentence(havre: HavreProcess):
    player = docker(havre, "bobby/not-hers")
    player.know(first=FIRST)
    player.play(
        PING,
        MAY_PUSH,
        Step("HEAD /v2/{repo}/blobs/{first}", 404, [BEARER]),
        Step("POST /v2/{repo}/blobs/uploads/", 403, [BEARER], says='"code":"DENIED"'),
    )


def test_a_manifest_that_is_none_is_refused_with_its_code(havre: HavreProcess):
    is_image = f"Content-Type: {DOCKER_MANIFEST}"
    docker(havre, "alice/invalid").play(
        PING,
        MAY_PUSH,
        Step("PUT /v2/{repo}/manifests/latest", 400, [is_image, BEARER], b"{}", says='"code":"MANIFEST_INVALID"'),
    )
