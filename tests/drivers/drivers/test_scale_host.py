"""scaleHost: the machines of a group, chosen by labels as v1.6 chose hosts."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.drivers.kills import WAYS, killed
from webhook_drivers.kubernetes.drivers.scale_host import ScaleHost, ScaleHostConfig
from webhook_service import Change, Context, Done, DriverError, InvalidConfig, Request
from webhook_service.testing import FakeCluster, definition, sample_context

CALL = Request(body=b"")


def config(**more: Any) -> ScaleHostConfig:
    values = {"hostSelector": {"Pool": "web"}, "amount": 1, "action": "up", "min": 1, "max": 6}
    return ScaleHostConfig.model_validate(values | more)


def down(**more: Any) -> ScaleHostConfig:
    return config(action="down", deleteOption="mostRecent", **more)


def call(number: int) -> Context:
    return sample_context(execution=f"exe_{number}", project="1a5")


def machines(name: str, replicas: int, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "kind": "MachineDeployment",
        "metadata": {"name": name, "namespace": "1a5", "labels": labels or {"pool": "Web"}},
        "spec": {
            "clusterName": "main",
            "replicas": replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        },
    }


@pytest.fixture
def hosts(fake: FakeCluster) -> FakeCluster:
    fake.apply(definition("MachineDeployment"))
    fake.apply(machines("a", 2))
    fake.apply(machines("b", 1))
    fake.apply(machines("other", 5, pool="database"))
    return fake


@pytest.fixture
def driver(fake: FakeCluster, tmp_path: Path) -> Iterator[ScaleHost]:
    path = fake.write_kubeconfig(tmp_path / "kubeconfig")
    with closing(ScaleHost({"kubeconfig": str(path)})) as driver:
        yield driver


def sizes(fake: FakeCluster) -> dict[str, int]:
    found = fake.list("MachineDeployment", "1a5")
    return {item["metadata"]["name"]: item["spec"]["replicas"] for item in found}


def test_scaling_up_adds_to_the_smallest_of_the_group(
    driver: ScaleHost, hosts: FakeCluster
) -> None:
    outcome = driver.execute(config(), CALL, call(1))
    change = Change("MachineDeployment 1a5/b", "spec.replicas", "1", "2")
    assert outcome == Done((change,), "MachineDeployment 1a5/b was scaled from 1 to 2.")
    assert sizes(hosts) == {"a": 2, "b": 2, "other": 5}


@pytest.mark.parametrize(
    ("option", "policy"), [("mostRecent", "Newest"), ("leastRecent", "Oldest")]
)
def test_scaling_down_takes_from_the_largest_and_says_which_machines_go(
    driver: ScaleHost, hosts: FakeCluster, option: str, policy: str
) -> None:
    driver.execute(config(action="down", deleteOption=option), CALL, call(1))
    assert sizes(hosts) == {"a": 1, "b": 1, "other": 5}
    strategy = hosts.get("MachineDeployment", "1a5", "a")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "deletePolicy": policy}


def test_v1beta2_has_the_delete_policy_elsewhere() -> None:
    assert down(apiVersion="v1beta2").patch() == {"spec": {"deletion": {"order": "Newest"}}}


def test_the_limits_are_those_of_the_whole_group(driver: ScaleHost, hosts: FakeCluster) -> None:
    with pytest.raises(DriverError, match="^Cannot scale above provided max scale value"):
        driver.execute(config(max=3), CALL, call(1))
    with pytest.raises(DriverError, match="^Cannot scale below provided min scale value"):
        driver.execute(down(min=3), CALL, call(2))
    with pytest.raises(DriverError, match="has 3 machines to give up: scale down in smaller steps"):
        hosts.apply(machines("c", 2))
        driver.execute(down(amount=3), CALL, call(3))
    assert sizes(hosts) == {"a": 2, "b": 1, "c": 2, "other": 5}


def test_an_empty_value_matches_any(driver: ScaleHost, hosts: FakeCluster) -> None:
    with pytest.raises(DriverError, match="group of hosts has 8,"):
        driver.execute(config(hostSelector={"POOL": ""}), CALL, call(1))


def test_no_hosts_are_told_in_v1_6s_words(driver: ScaleHost, fake: FakeCluster) -> None:
    fake.apply(definition("MachineDeployment"))
    with pytest.raises(DriverError, match="^No hosts for scaling found"):
        driver.execute(config(), CALL, call(1))
    fake.apply(machines("a", 1, pool="database"))
    with pytest.raises(DriverError, match=r"^No host with label \{'Pool': 'web'\} exists"):
        driver.execute(config(), CALL, call(1))


@pytest.mark.parametrize("after", WAYS)
@pytest.mark.parametrize("at", [1, 2])
def test_a_call_that_dies_at_any_place_scales_exactly_once(
    hosts: FakeCluster, tmp_path: Path, at: int, after: bool
) -> None:
    with killed(hosts, tmp_path, ScaleHost, at, after) as kill:
        outcome = kill.run(config(), CALL, call(1))
    assert kill.happened
    assert isinstance(outcome, Done) and outcome.changes[0].after == "2"
    assert sizes(hosts) == {"a": 2, "b": 2, "other": 5}


def test_a_repeated_step_finds_what_it_did_on_any_member(
    driver: ScaleHost, hosts: FakeCluster
) -> None:
    first = driver.execute(config(), CALL, call(1))
    driver.execute(config(amount=2), CALL, call(2))
    assert driver.execute(config(), CALL, call(1)) == first
    assert sum(sizes(hosts).values()) == 5 + 6


def test_a_cluster_without_cluster_api_is_told_at_creation(driver: ScaleHost) -> None:
    with pytest.raises(InvalidConfig, match=r"does not serve machinedeployments\.cluster\.x-k8s"):
        driver.validate(config(), call(1))


def test_a_named_namespace_wins_over_the_projects(driver: ScaleHost, hosts: FakeCluster) -> None:
    driver.validate(config(), call(1))
    with pytest.raises(DriverError, match="No hosts for scaling found in namespace default"):
        driver.execute(config(namespace="default"), CALL, call(1))


def test_missing_rights_are_named_at_creation(driver: ScaleHost, hosts: FakeCluster) -> None:
    hosts.deny("list", "machinedeployments")
    with pytest.raises(InvalidConfig, match=r"Not allowed to list machinedeployments\.cluster"):
        driver.validate(config(), call(1))


def test_the_plan_says_what_a_call_would_do(driver: ScaleHost, hosts: FakeCluster) -> None:
    plan = driver.plan(config(amount=2), CALL, call(1))
    assert plan.changes == (Change("MachineDeployment 1a5/b", "spec.replicas", "1", "3"),)
    assert sizes(hosts)["b"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action": ""}, "Scale action not provided"),
        ({"hostSelector": None}, "HostSelector not provided"),
        ({"hostSelector": {}}, "hostSelector: without a label it would choose everything"),
        ({"min": 0}, "Minimum scale not provided/invalid"),
        ({"min": 7}, "Max must be greater than min"),
        ({"deleteOption": "mostRecent"}, "Delete option not to be provided while scaling up"),
        ({"action": "down"}, "Invalid delete option/Delete option missing"),
        (
            {"action": "down", "deleteOption": "random"},
            "Invalid delete option/Delete option missing random",
        ),
    ],
)
def test_a_config_that_cannot_work_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**change)
    assert message in str(caught.value)
