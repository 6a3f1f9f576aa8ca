"""What the command prints is what the drivers and strategies need, and nothing else."""

import json
from typing import Any

import pytest

from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.manifests import main, roles
from webhook_drivers.kubernetes.strategies import STRATEGIES

VERBS = ("get", "list", "patch")
WATCHED = {("apps", "deployments", "watch"), ("apps", "daemonsets", "watch")}
DRIVERS = [
    "deploymentUpdate",
    "forwardPost",
    "gitCommit",
    "jobRun",
    "resourceUpdate",
    "restart",
    "scaleHost",
    "scaleService",
    "serviceUpgrade",
]


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    items: list[dict[str, Any]] = found["items"]
    return items


def granted(role: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_each_driver_and_each_strategy_that_needs_more_has_a_role(
    capsys: pytest.CaptureFixture[str],
) -> None:
    items = printed(capsys, "roles")
    assert items == roles([*DRIVERS, "blueGreen", "canary", "delegate"])
    assert {item["kind"] for item in items} == {"Role"}
    names = [item["metadata"]["name"] for item in items]
    assert len(set(names)) == len(names)


def test_the_role_of_deployment_update_is_enough_and_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (role,) = printed(capsys, "roles", "deploymentUpdate")
    assert role["metadata"] == {"name": "webhook-service-deployment-update"}
    kinds = [("apps", "deployments"), ("apps", "statefulsets"), ("apps", "daemonsets")]
    assert granted(role) == {
        *((*kind, verb) for kind in (*kinds, ("batch", "cronjobs")) for verb in VERBS),
        *WATCHED,
        ("", "events", "create"),
        ("", "events", "list"),
        ("", "pods", "list"),
        ("", "pods", "delete"),
        ("apps", "replicasets", "list"),
    }


@pytest.mark.parametrize("name", ["rolling", "recreate"])
def test_a_strategy_without_a_role_needs_what_deployment_update_has(name: str) -> None:
    assert set(STRATEGIES[name].rights) <= set(DeploymentUpdate.rights)


def test_the_role_of_a_strategy_holds_its_rights(capsys: pytest.CaptureFixture[str]) -> None:
    (role,) = printed(capsys, "roles", "blueGreen")
    assert role["metadata"] == {"name": "webhook-service-blue-green"}
    assert role["rules"] == [right.rule for right in STRATEGIES["blueGreen"].rights]


def test_an_upgrade_may_do_what_rolling_does() -> None:
    (upgrade,), (rolling,) = roles(["serviceUpgrade"]), roles(["deploymentUpdate"])
    more = {("batch", "cronjobs", verb) for verb in VERBS} | WATCHED
    assert granted(rolling) - granted(upgrade) == more


@pytest.mark.parametrize("name", ["unknown", "rolling"])
def test_a_name_without_a_role_is_told(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["roles", "restart", name]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"There is no Role of {name}; these have one: deploymentUpdate, ")


def test_the_policy_binds_the_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    accounts = ("--account", "ci:deployer", "--account", "shop:deployer")
    rules, binding = printed(capsys, "policy", *accounts)
    (condition,) = rules["spec"]["matchConditions"]
    for name in ("ci", "shop"):
        assert f"'system:serviceaccount:{name}:deployer'" in condition["expression"]
    assert binding["spec"]["policyName"] == rules["metadata"]["name"]


@pytest.mark.parametrize("said", ["deployer", "ci/deployer", "ci:", "ci:a:b", "ci:d' || true", ""])
def test_an_account_that_nobody_has_is_no_policy(
    capsys: pytest.CaptureFixture[str], said: str
) -> None:
    with pytest.raises(SystemExit):
        main(["policy", "--account", said])
    written = capsys.readouterr()
    assert written.out == ""
    assert f"{said} is not namespace:name of a ServiceAccount" in written.err
