"""Alerts and dashboard, asked of a real Prometheus that scrapes a real server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.charts import EXAMPLES
from tests.support.requirements import require
from tests.support.server import HavreProcess, free_port

RULES, DASHBOARD = EXAMPLES / "prometheus-rules.yml", EXAMPLES / "grafana-dashboard.json"
REQUESTS = 30


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> list[str]:
    """What the dashboard asks, with its variables filled in."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [one.replace("$job", "havre").replace("$__rate_interval", "20s") for one in found]


def names(expressions: list[str]) -> set[str]:
    return {name for one in expressions for name in re.findall(r"\bhavre_\w+", one)}


def until(condition: Callable[[], bool], what: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HavreProcess]:
    folder = tmp_path_factory.mktemp("server")
    with HavreProcess(folder, workers="2", audit_sinks=f"file://{folder}/audit.jsonl") as havre:
        for number in range(REQUESTS):
            # A connection each, so that both workers get some.
            assert httpx.get(f"{havre.url}/v2/", headers={"connection": "close"}).status_code == 401
            httpx.get(f"{havre.url}/auth/token" if number % 2 else havre.url)
        yield havre


@pytest.fixture(scope="module")
def prometheus(server: HavreProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A Prometheus that has just begun to watch the server, with our rules."""
    program, folder, port = require("prometheus"), tmp_path_factory.mktemp("prometheus"), free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "havre", "static_configs": [{"targets": [server.host]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            until(lambda: answers(client), "Prometheus did not start")
            yield client
    finally:
        process.terminate()
        process.wait(20)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def value(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    reply = client.get("/api/v1/query", params={"query": query}).json()
    assert reply["status"] == "success", (query, reply)
    found: list[dict[str, Any]] = reply["data"]["result"]
    return found


def test_every_figure_of_rules_and_dashboard_is_one_that_the_server_has(server: HavreProcess) -> None:
    text = httpx.get(f"{server.url}/metrics").text
    offered = set(re.findall(r"^(havre_\w+)", text, re.MULTILINE))
    asked = names(queries()) | names([one["expr"] for one in alerts()])
    assert asked <= offered
    assert len(asked) > 10


def test_the_figures_of_all_workers_are_one(server: HavreProcess) -> None:
    line = f'havre_requests_total{{area="registry",method="GET",status="401"}} {REQUESTS:.1f}'
    # Each worker tells the others within seconds; whoever is asked says the same.
    until(lambda: all(line in httpx.get(f"{server.url}/metrics").text for _ in range(8)), "the sum is another")


def test_prometheus_answers_each_query_of_the_dashboard(prometheus: httpx.Client) -> None:
    until(lambda: all(value(prometheus, one) for one in queries()), "a query of the dashboard has no answer")
    (requests,) = value(prometheus, 'sum(havre_requests_total{area="registry"})')
    assert float(requests["value"][1]) >= REQUESTS


def test_no_alert_speaks_while_all_is_well(prometheus: httpx.Client) -> None:
    def evaluated() -> list[dict[str, Any]]:
        (group,) = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        found: list[dict[str, Any]] = group["rules"]
        return found

    until(lambda: all(one["health"] == "ok" for one in evaluated()), "a rule can not be evaluated")
    assert {one["name"] for one in evaluated() if one["state"] == "firing"} == set()


def test_each_alert_speaks_when_it_should(tmp_path: Path) -> None:
    promtool = require("promtool")
    shutil.copy(RULES, tmp_path)
    wanted = Path(__file__).with_name("alerts.yml")
    shutil.copy(wanted, tmp_path)
    for command in (["check", "rules", RULES.name], ["test", "rules", wanted.name]):
        done = subprocess.run(
            [promtool, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    tried = {
        one["alertname"] for test in yaml.safe_load(wanted.read_text())["tests"] for one in test["alert_rule_test"]
    }
    assert tried == {one["alert"] for one in alerts()}


def test_the_dashboard_is_laid_out_without_gaps_in_its_grid() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * len({y for _, y in taken})
    assert len({one["id"] for one in panels()}) == len(panels())
    assert {one["datasource"]["uid"] for one in panels()} == {"${source}"}
