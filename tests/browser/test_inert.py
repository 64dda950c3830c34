"""What people upload, opened in a real browser at our own address: it is shown or saved, and never runs."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Error

from tests.conftest import PASSWORD
from tests.support.documents import OCI_EMPTY, OCI_MANIFEST, descriptor, digest_of, encoded
from tests.support.inprocess import basic
from tests.support.server import HavreProcess

SCRIPT = "document.title='RAN';window.ran=1;document.cookie='ran=1';fetch('/ran')"
HTML = f'<!doctype html><title>still</title><script>{SCRIPT}</script><img src=x onerror="{SCRIPT}">'.encode()
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"><script>{SCRIPT}</script></svg>'.encode()
XML = f'<?xml version="1.0"?><x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>{SCRIPT}</h:script></x>'.encode()
README = (
    f'# Hello\n\n<script>{SCRIPT}</script>\n\n<img src=x onerror="{SCRIPT}">\n\n<svg onload="{SCRIPT}"></svg>\n\n'
    f'<a href="javascript:{SCRIPT}">press</a> [press too](javascript:{SCRIPT.replace("(", "%28").replace(")", "%29")})\n\n'
    f'<details open ontoggle="{SCRIPT}"><summary>x</summary></details>\n\n<iframe srcdoc="<script>{SCRIPT}</script>">'
)


class Alice:
    """Pushes over the wire."""

    def __init__(self, server: HavreProcess) -> None:
        self.url = server.url
        token = self.ask("GET", "/auth/token?scope=repository:alice/evil:pull,push", basic("alice", PASSWORD))
        self.bearer = {"authorization": "Bearer " + json.loads(token)["token"]}

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
        with urlopen(Request(self.url + path, body, headers, method=method), timeout=20) as answer:
            return bytes(answer.read())

    def push(self, content: bytes) -> str:
        digest = digest_of(content)
        kind = {"content-type": "application/octet-stream"}
        self.ask("POST", f"/v2/alice/evil/blobs/uploads/?digest={digest}", self.bearer | kind, content)
        return f"/v2/alice/evil/blobs/{digest}"


def test_nothing_uploaded_runs(havre: HavreProcess, chromium: Browser) -> None:
    alice = Alice(havre)
    places = [alice.push(content) for content in (HTML, SVG, XML)]
    alice.push(b"{}")
    for number, media_type in enumerate(
        ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", OCI_MANIFEST)
    ):
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor(b"{}", OCI_EMPTY),
            "layers": [descriptor(HTML, "text/html")],
            "annotations": {"org.opencontainers.image.title": HTML.decode()},
        }
        content = encoded(manifest)
        alice.ask("PUT", f"/v2/alice/evil/manifests/t{number}", alice.bearer | {"content-type": media_type}, content)
        places.append(f"/v2/alice/evil/manifests/t{number}")
    places += [f"/r/alice/evil/tags/t4{end}" for end in ("", "/manifest", "/manifest.json")]
    described = json.dumps({"readme": README, "description": f"<script>{SCRIPT}</script>"}).encode()
    changed = basic("alice", PASSWORD) | {"content-type": "application/json"}
    alice.ask("PATCH", "/api/v1/repositories/alice/evil", changed, described)
    places += ["/r/alice/evil", "/search?q=evil", "/u/alice"]
    context = chromium.new_context(base_url=havre.url, accept_downloads=True)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    for place in places:
        page = context.new_page()
        answer = None
        try:
            answer = page.goto(place)
        except Error as error:
            if "Download is starting" not in str(error):  # to be saved is as good
                raise
        if answer is not None:
            assert answer.status == 200, place
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert page.title() != "RAN", place
        if place == "/r/alice/evil":
            assert page.get_by_text("Hello", exact=True).is_visible()
            for link in page.get_by_text("press").all():
                link.click(timeout=3000)
        page.close()
    assert not any(url.endswith("/ran") for url in asked)
    assert not [cookie for cookie in context.cookies() if cookie.get("name") == "ran"]
    context.close()
