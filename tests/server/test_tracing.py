"""Traces, as a collector of OpenTelemetry receives them: real requests in, protocol buffers out."""

from __future__ import annotations

import json
import logging
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from havre.server import logs
from havre.server.tracing.tracer import MAX_WAITING, Tracer, outgoing
from havre.storage.objects.blobs import ObjectBlobs
from havre.storage.objects.bucket import Bucket
from havre.storage.objects.place import place_of
from tests.support.inprocess import InProcess, prepare, until
from tests.support.server import HavreProcess

pytestmark = pytest.mark.anyio

CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
KEPT, NOT_KEPT = (f"00-{CALLER[0]}-{CALLER[1]}-{flag}" for flag in ("01", "00"))


@pytest.fixture(autouse=True, scope="module")
def prepared() -> None:
    prepare()


class Server:
    """Takes any request, keeps it, and answers with the next of ``statuses``, in the end with the last."""

    def __init__(self, *statuses: int, body: bytes = b"") -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        left = list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                outer.requests.append((f"{self.command} {self.path}", headers, sent))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                for name, value in (
                    ("content-length", str(len(body))),
                    ("etag", '"1"'),
                    ("last-modified", "Mon, 21 Sep 2026 13:15:00 GMT"),
                ):
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_POST = do_PUT = do_HEAD = answer  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def spans(self) -> list[Any]:
        """Of all that was exported."""
        return [span for one in self.resources for scope in one.scope_spans for span in scope.spans]

    @property
    def resources(self) -> list[Any]:
        return [
            found for _, _, sent in self.requests for found in ExportTraceServiceRequest.FromString(sent).resource_spans
        ]


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def make(*statuses: int, body: bytes = b"") -> Server:
        made.append(Server(*(statuses or (200,)), body=body))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def lines_without_traces() -> Iterator[None]:
    yield
    logs.tell_traces(str)


def facts(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


async def test_a_request_its_rows_and_its_bytes_are_one_trace(tmp_path: Path, server: Callable[..., Server]) -> None:
    collector = server()
    async with InProcess(tmp_path, traces_url=f"http://me:pass@{collector.host}", traces_percent="0") as havre:
        alice = await havre.caller("alice", "alice/app")
        await alice.push_blob("alice/app", b"unheard")
        begun = await alice.start_upload("alice/app")
        headers = [("traceparent", KEPT), ("tracestate", "other=1"), ("content-type", "application/octet-stream")]
        assert (await alice("PATCH", begun, headers, b"content")).status == 202
        assert (await alice.get("/v2/alice/app/blobs/none", [("traceparent", KEPT)])).status == 400
        assert (await alice.get("/v2/alice/app/tags/list", [("traceparent", NOT_KEPT)])).status == 200
        assert (await alice.get("/readyz", [("traceparent", KEPT)])).status == 200
    spans = collector.spans
    assert {bytes(one.trace_id).hex() for one in spans} == {CALLER[0]}
    first, second = [one for one in spans if one.kind == 2]
    assert first.name == "PATCH /v2/{name}/blobs/uploads/{upload}"
    assert bytes(first.parent_span_id).hex() == CALLER[1]
    assert first.trace_state == "other=1"
    assert facts(first) == {
        "http.request.method": "PATCH",
        "http.route": "/v2/{name}/blobs/uploads/{upload}",
        "url.scheme": "http",
        "url.path": begun.partition("?")[0],
        "http.response.status_code": 202,
        "client.address": "198.51.100.7",
        "user.name": "alice",
        "havre.request": facts(first)["havre.request"],
    }
    assert facts(second)["http.response.status_code"] == 400
    parts = [one for one in spans if one.parent_span_id == first.span_id]
    assert {"bytes.append", "rows.write"} <= {one.name for one in parts}
    (append,) = [one for one in parts if one.name == "bytes.append"]
    assert facts(append) == {"havre.size": 7}
    assert any(facts(one).get("code.function.name", "").startswith("havre.registry.uploads.") for one in parts)
    assert all(first.start_time_unix_nano <= one.start_time_unix_nano <= one.end_time_unix_nano for one in parts)
    resource = {one.key: one.value.string_value for one in collector.resources[0].resource.attributes}
    assert resource["service.name"] == "havre"
    line, sent, _ = collector.requests[0]
    assert (line, sent["content-type"]) == ("POST /v1/traces", "application/x-protobuf")
    assert sent["authorization"] == "Basic bWU6cGFzcw=="


async def test_a_collector_that_is_away_gets_it_later(tmp_path: Path, server: Callable[..., Server]) -> None:
    collector = server(503, 200)
    async with InProcess(tmp_path, traces_url=f"http://{collector.host}/custom", traces_percent="100") as havre:
        anyone = await havre.caller("")
        await anyone.get("/v2/")
        await until(lambda: havre.app.figures.events["spans_sent"] > 0)
        text = (await anyone.get("/metrics")).body.decode()
        number = len({bytes(one.span_id) for one in collector.spans})
        assert f"havre_spans_sent_total {number:.1f}" in text
        assert "havre_spans_dropped_total 0.0" in text
    assert [line for line, _, _ in collector.requests][:2] == ["POST /custom"] * 2
    assert collector.requests[0][2] == collector.requests[1][2]


async def test_a_failure_names_its_kind_and_a_full_queue_drops(tmp_path: Path) -> None:
    tracer = Tracer(100)
    span = tracer.begin(None, None)
    assert span is not None
    with pytest.raises(OSError, match="full"), tracer.within(span), tracer.step("bytes.append"):
        raise OSError("full")
    (failed,) = tracer.ended
    assert (failed.failure, failed.parent_id, failed.trace_id) == ("OSError", span.span_id, span.trace_id)
    for _ in range(MAX_WAITING):
        tracer.close(span)
    assert (len(tracer.ended), tracer.dropped) == (MAX_WAITING, 1)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        KEPT.upper(),
        f"ff{KEPT[2:]}",
        f"{KEPT}-more",
        f"00-{'0' * 32}-{CALLER[1]}-01",
        f"00-{CALLER[0]}-{'0' * 16}-01",
        KEPT * 100,
    ],
)
def test_what_is_no_trace_begins_one(header: str) -> None:
    span = Tracer(100).begin(header, None)
    assert span is not None
    assert (span.parent_id, span.sampled) == ("", True)
    assert span.trace_id != CALLER[0]
    assert Tracer(0).begin(header, None) is None


def test_a_later_version_of_the_header_is_understood() -> None:
    span = Tracer(0).begin(f"01-{CALLER[0]}-{CALLER[1]}-01-more", "x" * 600)
    assert span is not None
    assert (span.trace_id, span.state) == (CALLER[0], "")


async def test_the_object_store_is_told_of_the_trace(
    server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secrets.token_hex(8))
    store = server(body=b"content")
    place = place_of("s3://bucket", f"http://{store.host}", "us-east-1", "path")
    bucket = Bucket(place, outgoing)
    blobs = ObjectBlobs(bucket, lambda: 0)
    tracer = Tracer(100)
    key = f"uploads/u1/0-{'0' * 16}"
    assert await blobs.size(key) == 7
    span = tracer.begin(KEPT, "other=1")
    assert span is not None
    with tracer.within(span), tracer.step("bytes.size") as inner:
        assert await blobs.size(key) == 7
        await bucket.put(key, b"content")
    assert inner is not None
    before, *traced = [headers for _, headers, _ in store.requests]
    assert "traceparent" not in before
    expected = (f"00-{CALLER[0]}-{inner.span_id}-01", "other=1")
    assert [(one["traceparent"], one["tracestate"]) for one in traced] == [expected] * 2
    assert all(one["authorization"].startswith("AWS4-HMAC-SHA256") for one in traced)


def test_each_line_of_a_trace_names_it(tmp_path: Path, server: Callable[..., Server]) -> None:
    collector = server()
    with HavreProcess(tmp_path, traces_url=f"http://{collector.host}", log_format="json", workers="1") as havre:
        httpx.get(f"{havre.url}/v2/", headers={"traceparent": KEPT})
        httpx.get(f"{havre.url}/v2/", headers={"traceparent": NOT_KEPT})
    lines = [json.loads(line) for line in havre.log.read_text().splitlines() if line.startswith("{")]
    traced = [line for line in lines if line["message"] == "GET /v2/"]
    assert [line["trace_id"] for line in traced] == [CALLER[0]] * 2
    (span,) = [one for one in collector.spans if one.kind == 2]
    assert facts(span)["havre.request"] == traced[0]["request"]


def test_what_is_logged_within_a_trace_names_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    tracer = Tracer(100)
    span = tracer.begin(KEPT, None)
    assert span is not None
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("json", "info")
        logs.tell_traces(lambda: CALLER[0])
        logging.getLogger("havre.test").warning("careful")
    finally:
        root.handlers[:], root.level = handlers, level
    assert json.loads(capsys.readouterr().err)["trace_id"] == CALLER[0]


def test_nothing_of_it_is_loaded_unless_it_is_wanted() -> None:
    program = "import sys, havre.server.app; print([one for one in sys.modules if 'tracing' in one])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
