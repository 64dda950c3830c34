"""Signing in and out: what the person reads and what the client keeps."""

import pytest

from tests.support.engines import Client, without_times
from tests.support.hub import ALICE, Hub

pytestmark = pytest.mark.clients


def test_the_right_password_signs_in_and_is_stored(client: Client, hub: Hub) -> None:
    assert "Login Succeeded" in client.login(hub.wire.host, ALICE.name, ALICE.password).ok()
    assert client.stored_login(hub.wire.host) == (ALICE.name, ALICE.password)


def test_signing_out_removes_the_stored_login(client: Client, hub: Hub) -> None:
    client.login(hub.wire.host, ALICE.name, ALICE.password).ok()
    client.logout(hub.wire.host).ok()
    assert client.stored_login(hub.wire.host) is None


def test_a_wrong_password_is_refused_and_not_stored(client: Client, hub: Hub) -> None:
    told = client.login(hub.wire.host, ALICE.name, "not her password").refused()
    assert "incorrect username or password" in told or "invalid username/password" in told
    assert client.stored_login(hub.wire.host) is None


def test_an_unknown_name_is_refused_in_the_same_words(client: Client, hub: Hub) -> None:
    known = client.login(hub.wire.host, ALICE.name, "not her password").refused()
    assert without_times(client.login(hub.wire.host, "nobody", "not her password").refused()) == without_times(known)
