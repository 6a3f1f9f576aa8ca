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
    MATRIX,
    OPERATED,
    POSTGRESQL,
    helm,
    rendered,
)
from tests.servers.control_plane import ControlPlane

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
        if "properties" in of:
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
