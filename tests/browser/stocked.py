"""The harbour of the walks, with what only some people meet: mailed links, second factors, images read inside."""

from __future__ import annotations

import base64
import email
import email.policy
import re
import time
from collections.abc import Mapping

import httpx

from havre.access import totp
from havre.server.mail import OUTBOX
from tests.conftest import PASSWORD
from tests.support.harbour import Crane, stock
from tests.support.server import HavreProcess

BUILT = 60.0
"""Seconds for the layers to be read, at most."""

INSIDE = (
    "/r/alice/lighthouse/tags/latest/files",
    "/r/alice/lighthouse/tags/2.1/files",
    "/r/alice/lighthouse/compare?from=2.0&to=2.1",
)


class Harbour(HavreProcess):
    """A server full of repositories. ``links`` fill the places of addresses in ``places.py``."""

    links: Mapping[str, str]

    def arrange(self) -> None:
        """Fill it. Alice begins to set up an app and forgets her password; bobby's second factor is on."""
        stock(self)
        with Crane(self, "alice", PASSWORD) as alice:
            alice.send("/forgot", name="alice")
            alice.send("/settings/profile", email="alice@example.com", password=PASSWORD, form="email")
            alice.send("/settings/two-factor", form="app", password=PASSWORD)
        with Crane(self, "bobby", PASSWORD) as bobby:
            bobby.send("/settings/two-factor", form="app", password=PASSWORD)
            page = bobby.read("/settings/two-factor/app")
            (shown,) = re.findall(r'class="secret"><code>([A-Z2-7 ]+)<', page)
            secret = base64.b32decode(shown.replace(" ", ""))
            code = totp.code(secret, totp.step_at(time.time_ns() // 1_000_000))
            bobby.send("/settings/two-factor/app", code=code)
        self.links = {"reset": self._mailed("/reset"), "verify": self._mailed("/verify")}
        self._read_inside()

    def _mailed(self, page: str) -> str:
        """The code of the newest letter that leads to a page."""
        deadline = time.monotonic() + BUILT
        while time.monotonic() < deadline:
            for letter in sorted((self.data / OUTBOX).glob("*.eml"), reverse=True):
                message = email.message_from_bytes(letter.read_bytes(), policy=email.policy.default)
                body = message.get_body(("plain",))
                if found := re.search(re.escape(page) + r"\?code=([\w-]+)", body.get_content() if body else ""):
                    return found[1]
            time.sleep(0.05)
        raise TimeoutError(f"no letter leads to {page}")

    def _read_inside(self) -> None:
        """Wait until the layers of the images that are looked into have been read."""
        deadline = time.monotonic() + BUILT
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            waiting = list(INSIDE)
            while waiting and time.monotonic() < deadline:
                waiting = [one for one in waiting if "data-building" in client.get(one).raise_for_status().text]
                time.sleep(0.05)
        if waiting:
            raise TimeoutError(f"still being read: {waiting}")
