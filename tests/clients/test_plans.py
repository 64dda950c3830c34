"""Plans as the terminal meets them: the sentence a person reads, before a byte of their image was sent."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.desk import Desk
from tests.support.engines import Client
from tests.support.hub import BOBBY, Hub, Pages
from tests.support.images import Image, layer, noise
from tests.support.terminal import Terminal

pytestmark = pytest.mark.clients

REFUSAL = "bobby has 0 of the 0 private repositories that the plan 'Frugal' allows"


def frugal(hub: Hub) -> Iterator[Hub]:
    """Bobby's first pushes make private repositories, of which his plan allows none."""
    hub.command("plan", "set", "frugal", "--private", "0")
    hub.command("plan", "give", BOBBY.name, "frugal")
    pages = Pages(hub, BOBBY)
    pages.send("/settings/profile", language="", visibility="private")
    yield hub
    pages.send("/settings/profile", language="", visibility="public")
    hub.command("plan", "give", BOBBY.name, "free")


@pytest.fixture
def frugal_hub(hub: Hub) -> Iterator[Hub]:
    yield from frugal(hub)


@pytest.fixture
def frugal_quiet_hub(quiet_hub: Hub) -> Iterator[Hub]:
    yield from frugal(quiet_hub)


def large(name: str) -> Image:
    """An image that nobody has and that does not compress."""
    return Image(name, (layer({"noise": noise(name, 2_000_000)}),))


def found(hub: Hub, name: str) -> int:
    with urlopen(f"{hub.url}/v1/search?q={name}", timeout=20) as answer:
        number: int = json.loads(answer.read())["num_results"]
        return number


def test_a_push_beyond_the_plan_is_refused_before_bytes_are_sent(client: Client, frugal_hub: Hub) -> None:
    image = large(f"beyond-{client.name}")
    with Desk(client, frugal_hub, BOBBY) as bobby, frugal_hub.wire.watched() as traffic:
        told = bobby.push(image).refused()
    assert REFUSAL in told
    assert f"see http://{frugal_hub.wire.host}/settings/usage" in told
    assert traffic.blob_bytes_sent == 0
    assert found(frugal_hub, image.name) == 0


def test_havre_push_tells_it_too(frugal_quiet_hub: Hub, tmp_path: Path) -> None:
    hub, image, bobby = frugal_quiet_hub, large("beyond-havre"), Terminal(tmp_path / "bobby")
    target = f"{hub.wire.host}/bobby/{image.name}"
    bobby("login", hub.wire.host, "-u", "bobby", "--password-stdin", typed=BOBBY.password)
    bobby("load", "-i", image.archive(tmp_path))
    bobby("tag", image.name, target)
    with hub.wire.watched() as traffic:
        said = bobby("push", target, code=5)
    assert REFUSAL in said.err
    assert traffic.blob_bytes_sent == 0
    assert found(hub, image.name) == 0
