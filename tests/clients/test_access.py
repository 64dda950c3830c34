"""Who may: private images, other people's namespaces, tokens that may less; and the sentence the person reads."""

import base64
import contextlib
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.support.desk import Desk
from tests.support.engines import Client, Machine, without_times
from tests.support.hub import ALICE, CAROL, Hub
from tests.support.images import Image
from tests.support.wire import Wire

pytestmark = pytest.mark.clients

ATTEMPTS = 10  # wrong passwords for one account from one address


def test_a_private_image_looks_to_strangers_as_if_it_were_not_there(alice: Desk, stranger: Desk, image: Image) -> None:
    alice.publish(image)
    alice.hub.make_private(ALICE, image.name)
    private, absent = (stranger.pull(name, of=ALICE).refused() for name in (image.name, "never-pushed"))
    assert without_times(private).replace(image.name, "never-pushed") == without_times(absent)


def test_a_private_image_looks_to_others_as_if_it_were_not_there(alice: Desk, bobby: Desk, image: Image) -> None:
    alice.publish(image)
    alice.hub.make_private(ALICE, image.name)
    private, absent = (bobby.pull(name, of=ALICE).refused() for name in (image.name, "never-pushed"))
    assert without_times(private).replace(image.name, "never-pushed") == without_times(absent)


def test_the_owner_pulls_a_private_image(alice: Desk, elsewhere: Machine, image: Image) -> None:
    alice.publish(image)
    alice.hub.make_private(ALICE, image.name)
    with Desk(elsewhere.client(alice.client.name), alice.hub, ALICE) as home:
        home.pull(image.name).ok()


def test_nobody_pushes_without_signing_in(stranger: Desk, hub: Hub, image: Image) -> None:
    stranger.push(image, of=ALICE).refused()
    assert repositories_called(image.name, hub) == []


def test_a_push_to_anothers_namespace_is_denied_and_says_where_to_push(bobby: Desk, image: Image) -> None:
    told = bobby.push(image, of=ALICE).refused()
    assert f"denied: bobby may not push to alice/{image.name}; use your own namespace (bobby/{image.name})" in told


def test_only_administrators_push_official_images(client: Client, bobby: Desk, hub: Hub, image: Image) -> None:
    official = f"{hub.wire.host}/{image.name}"
    bobby.client.take(image, official)
    assert "only administrators may push to" in bobby.client.push(official).refused()
    with Desk(client, hub, CAROL) as carol:
        carol.client.take(image, official)
        carol.client.push(official).ok()


def test_an_access_token_signs_in_and_pushes(client: Client, hub: Hub, image: Image) -> None:
    secret = hub.access_token(ALICE, "alice/*", "push")
    with Desk(client, hub, ALICE, secret=secret) as alice:
        assert client.stored_login(alice.host) == (ALICE.name, secret)
        alice.publish(image)


def test_an_access_token_for_pulling_cannot_push(client: Client, hub: Hub, image: Image) -> None:
    with Desk(client, hub, ALICE, secret=hub.access_token(ALICE, "alice/*", "pull")) as alice:
        told = alice.push(image).refused()
    assert f"denied: the access token of alice may not push to alice/{image.name}" in told


def test_an_access_token_for_pulling_pulls_private_images(
    alice: Desk, elsewhere: Machine, hub: Hub, image: Image
) -> None:
    alice.publish(image)
    hub.make_private(ALICE, image.name)
    reader = hub.access_token(ALICE, f"alice/{image.name}", "pull")
    with Desk(elsewhere.client(alice.client.name), hub, ALICE, secret=reader) as robot:
        robot.pull(image.name).ok()


@pytest.mark.parametrize("client", ["docker"], indirect=True)
def test_guessing_passwords_is_stopped_without_locking_the_owner_out(client: Client, hub: Hub) -> None:
    with Wire(hub.host, source="127.0.0.66") as attacker:
        for guess in range(ATTEMPTS):
            try_password(attacker.host, CAROL.name, f"guess number {guess}")
        told = client.login(attacker.host, CAROL.name, CAROL.password).refused()
    assert "too many wrong passwords" in told
    client.login(hub.wire.host, CAROL.name, CAROL.password).ok()
    client.logout(hub.wire.host).ok()


def try_password(host: str, name: str, password: str) -> None:
    proof = base64.b64encode(f"{name}:{password}".encode()).decode()
    question = Request(f"http://{host}/auth/token?account={name}", headers={"Authorization": f"Basic {proof}"})
    with contextlib.suppress(HTTPError):
        urlopen(question, timeout=20).close()


def repositories_called(name: str, hub: Hub) -> list[str]:
    with urlopen(f"{hub.url}/v1/search?q={name}", timeout=20) as answer:
        return [found for found in answer.read().decode().split('"') if found.endswith(f"/{name}")]
