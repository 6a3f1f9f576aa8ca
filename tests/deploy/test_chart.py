"""The chart: what it renders is valid everywhere, and its own rights are enough for a push."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import kubernetes_validate
import pytest
import yaml

from tests.e2e.host import Host
from tests.servers.control_plane import ControlPlane
from tests.servers.requirements import require_program
from tests.support import wait_for
from webhook_drivers.kubernetes.api.admission import policy
from webhook_drivers.kubernetes.manifests import main, roles
from webhook_service import Settings
from webhook_service.model.notice import Happened, Notice
from webhook_service.notifications.links import link_to, vote_url
from webhook_service.testing.samples import dockerhub_push

ROOT = Path(__file__).parents[2]
CHART = ROOT / "examples/deploy/chart"
IMAGE = {"image": {"repository": "registry.example.com/webhook-service"}}
POSTGRESQL = IMAGE | {
    "database": "postgresql",
    "postgresql": {"existingSecret": "database"},
    "secretKey": {"existingSecret": "key"},
}
TARGETS = [
    {"namespace": "shop", "drivers": ["deploymentUpdate", "canary"]},
    {"namespace": "web", "drivers": ["restart"]},
]
EVERYTHING = POSTGRESQL | {
    "replicas": 2,
    "targets": TARGETS,
    "admissionPolicy": {"enabled": True},
    "workers": {"replicas": 2, "existingSecret": "broker"},
    "ingress": {"enabled": True, "host": "hooks.example.com", "tlsSecret": "tls"},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "gateway"}]},
    "networkPolicy": {"enabled": True, "from": [{"podSelector": {}}]},
    "podDisruptionBudget": {"enabled": True},
    "autoscaling": {"enabled": True},
    "metrics": {"serviceMonitor": True, "rules": True, "dashboard": True},
    "tls": {"existingSecret": "tls"},
    "console": True,
    "operator": {"enabled": True, "replicas": 2},
    "settings": {"RECEIVER_RATE": "100", "BASE_URL": "https://hooks.example.com"},
}
OPERATED = IMAGE | {
    "targets": TARGETS,
    "operator": {"enabled": True},
    "settings": {"BASE_URL": "https://hooks.example.com"},
}
MATRIX = {
    "sqlite": IMAGE,
    "sqlite with targets": IMAGE | {"targets": TARGETS, "secretKey": {"existingSecret": "key"}},
    "sqlite with the operator": OPERATED,
    "postgresql": POSTGRESQL,
    "everything": EVERYTHING,
}
BASE, ENDPOINT = "https://hooks.example.com", "/v1-webhooks/endpoint"
ROUTES = ("ingress", "httpRoute")
WORKLOADS = {"Deployment", "StatefulSet"}
# The host, the workers, the operator where it has a pod of its own, and the pod of `helm test`.
PODS = dict.fromkeys(MATRIX, 2) | {"everything": 4}
# What https://kubernetes.io/docs/concepts/security/pod-security-standards/ does not speak of, or
# what the test looks into. Of volumes it is the standard's own list.
POD = {
    *("containers", "initContainers", "securityContext", "volumes", "serviceAccountName"),
    *("automountServiceAccountToken", "terminationGracePeriodSeconds", "restartPolicy"),
    *("imagePullSecrets", "nodeSelector", "tolerations", "affinity"),
}
SECURED = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}
CONTAINER = {
    *("name", "image", "imagePullPolicy", "command", "args", "env", "ports", "volumeMounts"),
    *("resources", "securityContext", "readinessProbe", "livenessProbe", "startupProbe"),
}
VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret"),
}
# Of other projects' custom resources there are no schemas.
FOREIGN = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}


def helm(
    *words: str | Path, values: dict[str, Any] | None = None
) -> "subprocess.CompletedProcess[str]":
    program = require_program("helm", "see .ci/helm")
    given = ["-f", "-"] if values is not None else []
    return subprocess.run(
        [program, *words, *given], input=json.dumps(values), capture_output=True, text=True
    )


def rendered(
    values: dict[str, Any], namespace: str = "cd", release: str = "hooks"
) -> list[dict[str, Any]]:
    done = helm("template", release, CHART, "--namespace", namespace, values=values)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


@pytest.mark.parametrize("name", MATRIX)
def test_the_chart_passes_lint_and_the_schemas_of_kubernetes(name: str) -> None:
    done = helm("lint", "--strict", CHART, values=MATRIX[name])
    assert done.returncode == 0, done.stdout
    objects = [found for found in rendered(MATRIX[name]) if found["kind"] not in FOREIGN]
    for version in ("1.30", kubernetes_validate.latest_version()):
        for found in objects:
            kubernetes_validate.validate(found, version, strict=True)


def pods(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The specs of all pods that the chart makes, that of `helm test` too."""
    found = rendered(values)
    templates = (each["spec"]["template"]["spec"] for each in found if each["kind"] in WORKLOADS)
    return [*templates, *(each["spec"] for each in found if each["kind"] == "Pod")]


@pytest.mark.parametrize("name", MATRIX)
def test_every_pod_is_confined_and_has_settings_that_exist(name: str) -> None:
    for spec in pods(MATRIX[name]):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            names = {each["name"] for each in container.get("env", [])} - {"HOME"}
            known = {f"WEBHOOK_SERVICE_{field.upper()}" for field in Settings.model_fields}
            assert names <= known


@pytest.mark.parametrize("name", MATRIX)
def test_no_pod_has_a_field_that_the_restricted_standard_forbids(name: str) -> None:
    """By its table: a field that is not named here needs a look there first."""
    found = pods(MATRIX[name])
    assert len(found) == PODS[name]
    for spec in found:
        assert spec.keys() <= POD
        secured = spec["securityContext"]
        assert secured.items() >= {"runAsNonRoot": True, "runAsUser": 65532}.items()
        assert secured["seccompProfile"] == {"type": "RuntimeDefault"}
        assert secured.keys() <= SECURED
        assert all(volume.keys() - {"name"} <= VOLUMES for volume in spec.get("volumes", []))
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container.keys() <= CONTAINER
            assert all("hostPort" not in port for port in container.get("ports", []))
            probes = [probe for field, probe in container.items() if field.endswith("Probe")]
            assert all("host" not in probe["httpGet"] for probe in probes)


def test_every_pod_is_pulled_and_placed_as_the_values_say() -> None:
    placed = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"podAntiAffinity": {}},
    }
    pulled = {"pullPolicy": "Always", "pullSecrets": ["registry"]}
    resources = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    image = EVERYTHING["image"] | pulled
    for spec in pods(EVERYTHING | placed | {"image": image, "resources": resources}):
        assert spec.items() >= placed.items()
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["imagePullPolicy"] == "Always"
            assert container["resources"]["limits"] == resources["limits"]
            assert container["resources"]["requests"].items() >= resources["requests"].items()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "say where your image"),
        (IMAGE | {"replicas": 2}, "several pods need one database"),
        (IMAGE | {"database": "postgresql"}, "postgresql.existingSecret"),
        (IMAGE | {"replica": 2}, "replica"),
        (IMAGE | {"targets": [{"namespace": "a", "drivers": ["nothing"]}]}, "drivers"),
        (IMAGE | {"settings": {"SECRET_KEY": "x" * 32}}, "SECRET_KEY"),
        (POSTGRESQL | {"workers": {"replicas": 1}}, "workers.existingSecret"),
        (IMAGE | {"ingress": {"enabled": True}}, "ingress.host"),
        (IMAGE | {"ingress": {"enabled": True, "host": "a", "paths": []}}, "paths"),
        (IMAGE | {"httpRoute": {"enabled": True, "paths": ["vote"]}}, "paths"),
        (OPERATED | {"settings": {}}, "settings.BASE_URL"),
        (OPERATED | {"targets": []}, "name the namespaces"),
    ],
)
def test_values_that_cannot_work_are_refused_with_the_reason(
    values: dict[str, Any], told: str
) -> None:
    done = helm("template", "hooks", CHART, values=values)
    assert done.returncode != 0
    assert told in done.stderr


def published(values: dict[str, Any]) -> dict[str, list[str]]:
    """The paths that are open to the outside, by the kind of the route."""
    found = {each["kind"]: each.get("spec", {}).get("rules") for each in rendered(values)}
    ((host,), (route,)) = found["Ingress"], found["HTTPRoute"]
    assert {each["name"] for each in route["backendRefs"]} == {"hooks"}
    assert {each["backend"]["service"]["name"] for each in host["http"]["paths"]} == {"hooks"}
    return {
        "Ingress": [each["path"] for each in host["http"]["paths"]],
        "HTTPRoute": [each["path"]["value"] for each in route["matches"]],
    }


def test_what_senders_and_links_in_messages_name_is_published_and_nothing_else() -> None:
    of = {"at": "", "receiver": "shop", "receiver_id": "rcv_1", "delivery": "dlv_1"}
    notice = Notice(happened=Happened.HELD, project="shop", **of)
    links = vote_url(BASE, "x"), link_to(BASE, notice)
    vote, page = (urlsplit(link).path for link in links)
    assert vote == "/vote" and page.startswith("/console/")
    private, public = (published(EVERYTHING | {"console": shown}) for shown in (False, True))
    assert private == dict.fromkeys(("Ingress", "HTTPRoute"), [ENDPOINT, vote])
    assert public == dict.fromkeys(("Ingress", "HTTPRoute"), [ENDPOINT, vote, "/console"])


def test_a_path_is_published_once() -> None:
    paths = {"paths": ["/", "/console"]}
    routes = {name: EVERYTHING[name] | paths for name in ROUTES}
    assert set(map(tuple, published(EVERYTHING | routes).values())) == {("/", "/console")}


def test_rights_and_policy_of_the_chart_are_those_of_the_drivers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rights = json.loads((CHART / "rights.json").read_text())
    assert rights == {name: roles([name])[0]["rules"] for name in rights}
    assert main(["roles"]) == 0
    assert len(json.loads(capsys.readouterr().out)["items"]) == len(rights)
    assert json.loads((CHART / "policy.json").read_text()) == list(policy(["ACCOUNT"]))
    account = "system:serviceaccount:cd:hooks"
    (found,) = [
        each for each in rendered(EVERYTHING) if each["kind"] == "ValidatingAdmissionPolicy"
    ]
    assert account in json.dumps(found) and "ACCOUNT'" not in json.dumps(found)


def test_the_chart_brings_the_definition_of_receivers_and_leaves_it() -> None:
    made = json.loads((CHART / "receivers.json").read_text())
    (found,) = [each for each in rendered(OPERATED) if each["kind"] == made["kind"]]
    assert found["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert found == made


def test_the_alerts_and_the_dashboard_name_metrics_that_exist() -> None:
    import re

    page = (ROOT / "docs/metrics.md").read_text()
    known = set(re.findall(r"^\| `(webhook_\w+)`", page, re.MULTILINE))
    text = (CHART / "dashboard.json").read_text() + json.dumps(rendered(EVERYTHING))
    named = set(
        re.findall(r"\bwebhook_\w+", text + (ROOT / "docs/deployment/alerts.md").read_text())
    )
    assert len(named) > 5
    assert {re.sub(r"_(count|bucket)$", "", name) for name in named} <= known


@pytest.mark.e2e
def test_a_push_is_rolled_out_by_the_charts_own_account_until_it_is_uninstalled(
    control_plane: ControlPlane, namespace: str, target: str, tmp_path: Path
) -> None:
    where = ["--namespace", namespace, "--kubeconfig", control_plane.kubeconfig]
    nothing, granted = (
        IMAGE,
        IMAGE | {"targets": [{"namespace": target, "drivers": ["deploymentUpdate"]}]},
    )
    for values in (nothing, granted):
        done = helm("upgrade", "--install", "hooks", CHART, *where, values=values)
        assert done.returncode == 0, done.stderr
    assert f'"namespace": "{target}"' in done.stdout
    api = control_plane.api
    made = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/hooks"
    (container,) = api.get(made)["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    settings = {"NAMESPACES": env["WEBHOOK_SERVICE_NAMESPACES"]}
    kubeconfig = control_plane.kubeconfig_for_service_account(namespace, "hooks")
    with Host(tmp_path, kubeconfig, settings) as host:
        receiver = host.create_receiver(
            name="shop",
            driver="deploymentUpdate",
            deploymentUpdateConfig={"namespace": target, "name": "shop"},
            source={"format": "dockerhub", "registry": "registry.invalid"},
            match={"repositories": ["registry.invalid/acme/shop"]},
            verify={"scheme": "none"},
        )
        httpx.post(receiver["url"], content=dockerhub_push("acme/shop", "1.0.1"))
        execution = host.wait_for_end("1.0.1")
        assert execution["state"] == "succeeded", execution["message"]
        assert helm("rollback", "hooks", "1", *where).returncode == 0
        httpx.post(receiver["url"], content=dockerhub_push("acme/shop", "1.0.2"))
        execution = host.wait_for_end("1.0.2")
        assert (execution["state"], execution["reason"]) == ("failed", "forbidden")
    done = helm("uninstall", "hooks", *where)
    assert done.returncode == 0, done.stderr
    gone = api.get(f"/apis/apps/v1/namespaces/{namespace}/statefulsets")
    assert wait_for(
        lambda: not gone["items"] or "deletionTimestamp" in gone["items"][0]["metadata"]
    )
