"""Each value of the chart: each form that it may have is valid, and changes something."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.deploy.test_chart import (
    CHART,
    EVERYTHING,
    FOREIGN,
    IMAGE,
    MATRIX,
    OPERATED,
    POSTGRESQL,
    WORKLOADS,
    helm,
    rendered,
)
from tests.servers.api import ApiError
from tests.servers.control_plane import ControlPlane
from tests.support import wait_for
from webhook_service import Settings

DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/receivers.webhook-service.io"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
# Helm's own name for what charts share: nothing of this chart reads it.
UNREAD = "global"
BASE = {"BASE_URL": "https://hooks.example.com"}
TWO_ROUTES = [["/v1-webhooks/endpoint"], ["/v1-webhooks", "/vote"]]
# Beside booleans and enumerations, of which the schema knows all members.
FORMS: dict[str, list[Any]] = {
    "image.repository": ["registry.example.com/a", "localhost:5000/b"],
    "image.tag": ["", "1.2.3"],
    "image.digest": ["", "sha256:" + "0" * 64],
    "image.pullSecrets": [[], ["registry"]],
    "postgresql.existingSecret": ["database", "other"],
    "replicas": [1, 3],
    "persistence.size": ["1Gi", "20Gi"],
    "persistence.storageClass": ["", "fast"],
    "secretKey.existingSecret": ["key", "other"],
    "settings": [BASE, BASE | {"LOG_FORMAT": "text"}, BASE | {"NAMESPACES": '{"*": ["shop"]}'}],
    "extraEnv": [[], [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]],
    "extraVolumes": [[], [{"name": "roots", "configMap": {"name": "roots"}}]],
    "extraVolumeMounts": [[], [{"name": "tmp", "mountPath": "/roots", "readOnly": True}]],
    "targets": [[{"namespace": name, "drivers": ["restart"]}] for name in ("shop", "web")],
    "workers.replicas": [0, 2],
    "workers.existingSecret": ["broker", "other"],
    "operator.replicas": [1, 2],
    "operator.intervalSeconds": [5, 60],
    "serviceAccount.name": ["", "own"],
    "serviceAccount.annotations": [{}, {"example.com/role": "hooks"}],
    "service.port": [80, 8085],
    "tls.existingSecret": ["", "certificate"],
    "ingress.className": ["", "nginx"],
    "ingress.host": ["hooks.example.com", "*.example.com"],
    "ingress.tlsSecret": ["", "certificate"],
    "ingress.annotations": [{}, {"example.com/limit": "1"}],
    "ingress.paths": TWO_ROUTES,
    "httpRoute.hosts": [[], ["hooks.example.com"]],
    "httpRoute.paths": TWO_ROUTES,
    "httpRoute.parentRefs": [[{"name": "a"}], [{"name": "b", "namespace": "infra"}]],
    "networkPolicy.from": [[], [{"podSelector": {}}]],
    "autoscaling.min": [1, 3],
    "autoscaling.max": [6, 9],
    "autoscaling.cpu": [50, 100],
    "resources": [{}, {"limits": {"memory": "1Gi"}}],
    "nodeSelector": [{}, {"disk": "fast"}],
    "tolerations": [[], [{"operator": "Exists"}]],
    "affinity": [{}, {"podAntiAffinity": {}}],
    "podAnnotations": [{}, {"example.com/scrape": "no"}],
}
# What else must be set for a value to count: by default everything is.
STEADY = EVERYTHING | {"autoscaling": {"enabled": False}}
GROUNDS = {"database": POSTGRESQL, "persistence": OPERATED, "replicas": STEADY}


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[Any] | None]]:
    """The values by their paths, with all members where the schema names them."""
    for name, of in schema["properties"].items():
        here = f"{path}.{name}".lstrip(".")
        if "required" in of:
            yield from leaves(of, here)
        elif here != UNREAD:
            yield here, [False, True] if of.get("type") == "boolean" else of.get("enum")


# Names of objects, which may be digits only.
NAMES = [
    *("postgresql.existingSecret", "secretKey.existingSecret", "workers.existingSecret"),
    *("tls.existingSecret", "serviceAccount.name", "persistence.storageClass"),
    *("ingress.className", "ingress.tlsSecret"),
]
LEAVES = dict(leaves(SCHEMA))
# A Secret of the chart's own each.
SECRET = {"DATABASE_URL", "SECRET_KEY", "BROKER_URL"}
DRIVERS = SCHEMA["properties"]["targets"]["items"]["properties"]["drivers"]["items"]["enum"]


def changed(values: dict[str, Any], path: str, to: Any) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    return values | {name: changed(values.get(name, {}), rest, to) if rest else to}


def valid(objects: list[dict[str, Any]]) -> None:
    for found in objects:
        if found["kind"] not in FOREIGN:
            for version in ("1.30", kubernetes_validate.latest_version()):
                kubernetes_validate.validate(found, version, strict=True)


def test_every_value_of_the_chart_is_tried() -> None:
    named = {path for path, members in LEAVES.items() if members}
    assert FORMS.keys() | named == LEAVES.keys()
    assert FORMS.keys() & named == set()


@pytest.mark.parametrize("path", LEAVES)
def test_each_form_of_a_value_changes_what_is_rendered_and_is_valid(path: str) -> None:
    ground = GROUNDS.get(path.partition(".")[0], EVERYTHING)
    # What the ground makes is checked with the chart.
    unchanged = rendered(ground)
    seen: list[list[dict[str, Any]]] = []
    for form in FORMS.get(path) or LEAVES[path] or []:
        objects = rendered(changed(ground, path, form))
        assert objects not in seen, form
        valid([each for each in objects if each not in unchanged])
        seen.append(objects)
    assert len(seen) > 1


def test_the_settings_of_the_chart_are_those_of_the_service() -> None:
    """An unknown one would keep every pod from its start."""
    known = {name.upper() for name in Settings.model_fields} - SECRET
    assert SCHEMA["properties"]["settings"]["properties"].keys() == known


def env_names(objects: list[dict[str, Any]]) -> Iterator[list[str]]:
    for spec in (each["spec"]["template"]["spec"] for each in objects if each["kind"] in WORKLOADS):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            yield [each["name"] for each in container["env"]]


@pytest.mark.parametrize(
    "more",
    [
        {"settings": BASE | {"LISTEN": "[::]:8085"}},
        {"settings": BASE | {"CONSOLE": "false"}},
        {"settings": BASE | {"ENGINE": "local"}},
        {"settings": BASE | {"TLS_CERT": "/other.crt"}},
        {"extraEnv": [{"name": "WEBHOOK_SERVICE_DATABASE_URL", "value": "sqlite:///a"}]},
        {"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
    ],
)
def test_a_variable_that_would_be_there_twice_is_refused(more: dict[str, Any]) -> None:
    assert all(len(names) == len(set(names)) for names in env_names(rendered(EVERYTHING)))
    done = helm("template", "hooks", CHART, values=EVERYTHING | more)
    assert done.returncode != 0
    assert "is set twice: take it out of settings or extraEnv" in done.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("settings", BASE | {"RECEIVER_RAET": "1"}),
        ("extraEnv", ["A=b"]),
        ("extraVolumes", [{"secret": {"secretName": "a"}}]),
        ("extraVolumeMounts", [{"name": "a"}]),
        ("podAnnotations", {"example.com/scrape": False}),
        ("nodeSelector", {"disk": 1}),
        ("ingress.annotations", {"example.com/limit": 1}),
        ("ingress.host", "https://hooks.example.com/"),
        ("serviceAccount.annotations", {"a": True}),
        ("httpRoute.hosts", ["hooks.example.com:443"]),
        ("httpRoute.parentRefs", ["gateway"]),
        ("persistence.size", "1 GB"),
        ("tolerations", ["all"]),
        ("networkPolicy.from", ["10.0.0.0/8"]),
        ("autoscaling.min", 7),
    ],
)
def test_what_the_api_server_would_refuse_the_chart_refuses_by_name(path: str, value: Any) -> None:
    done = helm("template", "hooks", CHART, values=changed(EVERYTHING, path, value))
    assert done.returncode != 0
    assert path.replace(".", "/") in done.stderr or path in done.stderr


def test_a_namespace_that_is_named_twice_has_one_role_with_all_rights() -> None:
    twice = [{"namespace": "shop", "drivers": [name]} for name in ("restart", "jobRun")]
    once = [{"namespace": "shop", "drivers": ["restart", "jobRun"]}]
    for ground in (OPERATED, POSTGRESQL):
        assert rendered(ground | {"targets": twice}) == rendered(ground | {"targets": once})


def test_every_listener_takes_ipv6_where_pods_have_it() -> None:
    text, other = (json.dumps(rendered(EVERYTHING | {"ipv6": on})) for on in (True, False))
    assert text.count("[::]:") == other.count("0.0.0.0:") > 0
    assert "0.0.0.0" not in text and "[::]" not in other


def notes(values: dict[str, Any]) -> str:
    done = helm("install", "hooks", CHART, "--dry-run=client", values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


def test_the_notes_name_a_project_and_a_namespace_that_may_be_used() -> None:
    jobs = {"namespace": "jobs", "drivers": ["jobRun"]}
    web = {"namespace": "web", "drivers": ["restart", "deploymentUpdate"]}
    both = notes(OPERATED | {"targets": [jobs, web]})
    assert "--project web " in both and '"namespace": "web"' in both
    assert "BASE_URL" not in both
    only_jobs = notes(IMAGE | {"targets": [jobs]})
    assert "receiver create" not in only_jobs and "webhook-service driver list" in only_jobs
    assert 'Set "settings.BASE_URL"' in only_jobs


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_rights_of_each_driver_are_valid(driver: str) -> None:
    objects = rendered(OPERATED | {"targets": [{"namespace": "shop", "drivers": [driver]}]})
    roles = [each for each in objects if each["kind"].startswith("Role")]
    assert {"Role", "RoleBinding"} <= {each["kind"] for each in roles}
    valid(roles)


@pytest.mark.parametrize("path", [*LEAVES, *(name for name in DEFAULTS if name not in LEAVES)])
def test_a_value_that_is_missing_is_named(path: str) -> None:
    """As with `helm upgrade --reuse-values` from an older chart, which had no such value."""
    done = helm("template", "hooks", CHART, values=changed(EVERYTHING, path, None))
    above, _, name = path.rpartition(".")
    where = f"/{above}" if above else ""
    assert done.returncode != 0
    assert f"- at '{where}': missing property '{name}'\n" in done.stderr


@pytest.mark.parametrize("ground", ["sqlite with the operator", "everything"])
def test_what_yaml_takes_for_a_number_stays_text(ground: str) -> None:
    """Secrets, namespaces and classes may have such names."""
    name = "123"
    values = changed(MATRIX[ground], "image.pullSecrets", [name])
    values = changed(values, "targets", [{"namespace": name, "drivers": ["restart"]}])
    for path in NAMES:
        values = changed(values, path, name)
    objects = rendered(values, namespace=name, release=name)
    valid(objects)
    text = json.dumps(objects)
    assert (text.count('"123"') > 20, re.search(r"[^\w]123[,}\]]", text)) == (True, None)


@pytest.fixture
def undefined(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane without the definition of Receivers, before and after: Helm keeps it."""

    def is_gone() -> bool:
        try:
            control_plane.api.delete(DEFINITION)
        except ApiError as exc:
            assert exc.status in (404, 409)  # 409: it is being deleted
            return exc.status == 404
        return False

    wait_for(is_gone, 60)
    yield control_plane
    wait_for(is_gone, 60)


@pytest.mark.e2e
def test_a_second_release_has_an_operator_where_another_brings_the_definition(
    undefined: ControlPlane, namespace: str
) -> None:
    where = ["--namespace", namespace, "--kubeconfig", undefined.kubeconfig]
    targets = [{"namespace": namespace, "drivers": ["restart"]}]
    values = changed(OPERATED, "targets", targets)
    mine = changed(values, "operator.definition", False)
    assert helm("install", "first", CHART, *where, values=values).returncode == 0
    taken = helm("install", "second", CHART, *where, values=values)
    assert (taken.returncode != 0, "cannot be imported" in taken.stderr) == (True, True)
    done = helm("install", "second", CHART, *where, values=mine)
    assert done.returncode == 0, done.stderr
    for name in ("first", "second"):
        assert helm("uninstall", name, *where).returncode == 0


@pytest.mark.e2e
def test_an_upgrade_from_an_older_chart_names_what_it_lacks_or_takes_the_new_defaults(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    older = shutil.copytree(CHART, tmp_path / "chart")
    lacking = {name: value for name, value in DEFAULTS.items() if name != "console"}
    (older / "values.yaml").write_text(yaml.safe_dump(lacking))
    (older / "values.schema.json").unlink()
    where = ["--namespace", namespace, "--kubeconfig", control_plane.kubeconfig]
    done = helm("install", "hooks", older, *where, values=POSTGRESQL | {"replicas": 2})
    assert done.returncode == 0, done.stderr
    done = helm("upgrade", "hooks", CHART, "--reuse-values", *where)
    assert (done.returncode != 0, "missing property 'console'" in done.stderr) == (True, True)
    done = helm("upgrade", "hooks", CHART, "--reset-then-reuse-values", *where)
    assert done.returncode == 0, done.stderr
    assert "REVISION: 2\n" in done.stdout
    made = control_plane.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/hooks")
    assert made["spec"]["replicas"] == 2
