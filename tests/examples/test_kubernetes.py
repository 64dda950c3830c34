"""The Helm chart and the plain manifests: rendered by Helm, checked against Kubernetes' own schemas and what Havre does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from havre.config import SETTINGS, environment_name, load
from havre.server.routes import FIXED
from havre.server.wire.processes import KILL_SECONDS
from tests.support import charts
from tests.support.requirements import library

helm = library("helm_python")
validator = library("kubernetes_validate")

KUBERNETES = ("1.30", "1.37")
"""The oldest that the chart is for, and the newest."""

ELSEWHERE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def documents(text: str) -> dict[str, dict[str, Any]]:
    """By kind, each of which there is once."""
    found = [one for one in yaml.safe_load_all(text) if one]
    kinds = {one["kind"]: one for one in found}
    assert len(kinds) == len(found)
    return kinds


def made(form: str, **changed: Any) -> dict[str, dict[str, Any]]:
    return documents(charts.render(charts.values(form) | changed))


def pod(kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = (kinds.get("Deployment") or kinds["StatefulSet"])["spec"]["template"]
    return found


def variables(kinds: dict[str, dict[str, Any]]) -> dict[str, str]:
    return kinds["ConfigMap"]["data"] | kinds.get("Secret", {}).get("stringData", {})


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("form", charts.FORMS)
def test_kubernetes_knows_every_field(form: str, version: str) -> None:
    secrets = {"secretSettings": {"database_url": "postgresql://havre:secret@db/havre"}, "existingSecret": ""}
    for kinds in (made(form), made(form, **secrets)):
        for document in kinds.values():
            validator.validate(document, version, strict=True)


def test_the_schemas_would_find_a_slip() -> None:
    document = made("single")["StatefulSet"]
    document["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(validator.ValidationError):
        validator.validate(document, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("form", charts.FORMS)
def test_helm_finds_nothing_to_complain_about(form: str) -> None:
    found = helm.lint(charts.CHART, charts.values(form), strict=True)
    assert not found["errors"]
    assert {one["error"] for one in found["messages"]} <= {"icon is recommended"}


@pytest.mark.parametrize("form", charts.FORMS)
def test_the_plain_manifests_are_those_of_the_chart(form: str) -> None:
    kept = (charts.EXAMPLES / "kubernetes" / f"{form}.yaml").read_text()
    assert kept == charts.plain(form), "run python -m tests.support.charts"
    for document in documents(kept).values():
        validator.validate(document, KUBERNETES[-1], strict=True)


def test_the_forms_are_what_they_promise() -> None:
    single, replicated = made("single"), made("replicated")
    assert set(single) == {"ConfigMap", "Service", "Ingress", "StatefulSet"}
    assert set(replicated) == {
        "ConfigMap", "Service", "Ingress", "Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler",
    }  # fmt: skip
    assert single["StatefulSet"]["spec"]["replicas"] == 1
    (claim,) = single["StatefulSet"]["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "data"
    assert "replicas" not in replicated["Deployment"]["spec"], "the autoscaler says how many"
    spread = {one["topologyKey"] for one in pod(replicated)["spec"]["topologySpreadConstraints"]}
    assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    alone = made("replicated", autoscaling={"enabled": False})
    assert "HorizontalPodAutoscaler" not in alone
    assert alone["Deployment"]["spec"]["replicas"] == 3


@pytest.mark.parametrize("form", charts.FORMS)
def test_the_pod_is_confined_as_the_image_was_tested(form: str) -> None:
    spec = pod(made(form))["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    whole = spec["securityContext"]
    assert (whole["runAsNonRoot"], whole["runAsUser"], whole["runAsGroup"], whole["fsGroup"]) == (True, *[65532] * 3)
    assert spec["automountServiceAccountToken"] is False
    assert {one["mountPath"] for one in container["volumeMounts"]} == {"/data", "/tmp"}


@pytest.mark.parametrize("form", charts.FORMS)
def test_the_pod_is_asked_what_the_server_answers_and_given_time_to_end(form: str) -> None:
    spec = pod(made(form))["spec"]
    (container,) = spec["containers"]
    offered = {route.path for route in FIXED if route.method == "GET"}
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert set(asked.values()) | {"/metrics"} <= offered
    assert container["readinessProbe"]["timeoutSeconds"] > 3, "readiness answers within three seconds"
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] >= pause + KILL_SECONDS + 5


@pytest.mark.parametrize("form", charts.FORMS)
def test_every_variable_is_a_setting_and_they_work_together(form: str) -> None:
    kinds = made(
        form,
        existingSecret="",
        secretSettings={"database_url": "postgresql://havre:secret@db/havre"},
        secretEnvironment=dict.fromkeys(ELSEWHERE, "x"),
    )
    given = variables(kinds)
    assert set(given) - ELSEWHERE <= {environment_name(name) for name in SETTINGS}
    config = load(environ=given)
    assert (config.port, str(config.data), config.external_url) == (5000, "/data", "https://hub.example.org")
    assert pod(kinds)["spec"]["containers"][0]["ports"] == [{"name": "http", "containerPort": config.port}]
    hidden = {environment_name(name) for name in SETTINGS if SETTINGS[name].secret and name != "storage_url"}
    assert not hidden & set(kinds["ConfigMap"]["data"])


def test_other_settings_are_other_pods() -> None:
    before = pod(made("single"))["metadata"]["annotations"]
    settings = charts.values("single")["settings"] | {"signup": "closed"}
    after = pod(made("single", settings=settings))["metadata"]["annotations"]
    assert before["checksum/settings"] != after["checksum/settings"]


@pytest.mark.parametrize(
    ("form", "changed", "says"),
    [
        ("replicated", {"existingSecret": ""}, "rows in PostgreSQL"),
        ("replicated", {"settings": {"external_url": "https://hub.example.org"}}, "object store"),
        ("single", {"settings": {"external_url": ""}}, "external_url"),
        ("single", {"settings": {"external_url": "https://h", "database_url": "postgresql://x"}}, "database_url"),
        ("single", {"replicaCount": 3}, "replicaCount"),
        ("both", {}, "form"),
    ],
)
def test_what_can_not_work_is_refused(form: str, changed: dict[str, Any], says: str) -> None:
    given = charts.values("single" if form == "both" else form) | {"form": form} | changed
    with pytest.raises(helm.HelmError, match=says):
        charts.render(given)
