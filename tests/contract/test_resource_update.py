"""resourceUpdate on the kinds of Argo CD, Flux and Knative, with controllers that follow."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.contract.client import MERGE, Client, eventually
from tests.contract.conftest import Cluster
from tests.contract.shop import account
from tests.drivers.steps import Clock, context, push
from tests.servers import deployers
from tests.servers.deployers import ARGO_HELM, ARGO_KUSTOMIZE, FLUX_HELM, TOOLS, Controller, Tool
from webhook_drivers.kubernetes.drivers.resource_update import ResourceUpdate, ResourceUpdateConfig
from webhook_drivers.kubernetes.fields.push import FieldPush
from webhook_drivers.kubernetes.manifests import roles
from webhook_drivers.pushed import WrittenImage
from webhook_service import (
    Context,
    Done,
    DriverError,
    Interruption,
    InvalidConfig,
    Outcome,
    PushEvent,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
)

STEPS = 40
Step = Callable[[ResourceUpdateConfig, PushEvent, Context], Outcome]


@pytest.fixture(scope="module")
def defined(client: Client) -> Iterator[None]:
    with deployers.defined(client, TOOLS.values()):
        yield


@dataclass
class Thing:
    """One object of a tool, with a controller that does one step each time it is asked."""

    client: Client
    namespace: str
    tool: Tool
    well: bool = True

    def __post_init__(self) -> None:
        self.controller = Controller(
            self.client, self.namespace, self.tool, lambda found: self.well
        )

    @property
    def path(self) -> str:
        return f"{self.controller.path}/shop"

    @property
    def spec(self) -> Any:
        return self.client.ok("GET", self.path)["spec"]

    @property
    def value(self) -> str:
        """What the field of the push has now."""
        found = self.client.ok("GET", self.path)
        pushed = WrittenImage(push("2"), context(0, named=True))
        address = self.config().address
        (value,) = (
            FieldPush(address=address, fields=self.tool.fields, pushed=pushed)
            .values(found, self.tool.fields)
            .values()
        )
        return value

    def config(self, **more: Any) -> ResourceUpdateConfig:
        return ResourceUpdateConfig.model_validate(self.tool.config(self.namespace, **more))

    def create(self) -> None:
        self.client.ok("POST", self.controller.path, self.tool.manifest(self.namespace))
        self.controller.settle()

    def change(self, spec: Any) -> None:
        self.client.ok("PATCH", self.path, {"spec": spec}, MERGE)

    def run(self, step: Step, event: PushEvent, said: Context, **more: Any) -> tuple[Outcome, int]:
        """A push to its end, and how many steps it waited."""
        config = self.config(**more)
        for count in range(STEPS):
            outcome = step(config, event, said)
            if not isinstance(outcome, Wait):
                return outcome, count
            said = replace(said, state=outcome.state)
            self.controller.follow()
        raise AssertionError(outcome.message)


@pytest.fixture(params=TOOLS)
def thing(request: pytest.FixtureRequest, defined: None, client: Client, namespace: str) -> Thing:
    made = Thing(client, namespace, TOOLS[request.param])
    made.create()
    return made


@pytest.fixture
def make(defined: None, client: Client, namespace: str) -> Callable[[Tool], Thing]:
    def made(tool: Tool) -> Thing:
        thing = Thing(client, namespace, tool)
        thing.create()
        return thing

    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    client: Client,
    namespace: str,
    clock: Clock,
    defined: None,
) -> Iterator[ResourceUpdate]:
    path = cluster.kubeconfig
    if cluster.real:
        path = account(request, client, namespace, roles(["resourceUpdate"]))
    with closing(ResourceUpdate({"kubeconfig": str(path)}, now=clock)) as driver:
        if cluster.real:
            settings = ResourceUpdateConfig.model_validate(FLUX_HELM.config(namespace))
            reads = driver.cluster(settings, context(0))
            eventually(lambda: reads.may("patch", settings.address))
        yield driver


def named(number: int, **more: Any) -> Context:
    return context(number, named=True, **more)


def test_a_push_sets_the_field_and_waits_for_the_controller(
    driver: ResourceUpdate, thing: Thing
) -> None:
    driver.validate(thing.config(), named(0))
    before = thing.spec
    assert thing.value == thing.tool.before
    outcome, waited = thing.run(driver.execute, push("2"), named(1))
    assert isinstance(outcome, Done)
    assert waited >= 2, "it succeeded by what the controller had said of the image before"
    (change,) = outcome.changes
    assert (change.before or "").endswith("acme/shop:1")
    assert (change.after or "").endswith("acme/shop:2")
    assert thing.value == thing.tool.wrote
    restored = str(thing.spec).replace(repr(thing.tool.wrote), repr(thing.tool.before))
    assert restored == str(before)


def test_the_same_push_and_an_older_one_change_nothing(
    driver: ResourceUpdate, thing: Thing
) -> None:
    thing.run(driver.execute, push("2"), named(2))
    again = driver.execute(thing.config(), push("2"), named(2, order_key="0003", execution="exe_9"))
    assert isinstance(again, Unchanged) and "already has" in again.reason
    with pytest.raises(Superseded, match="already got a newer push"):
        driver.execute(thing.config(), push("3"), named(1))
    assert thing.value == thing.tool.wrote


def test_a_change_that_fails_is_taken_back_and_held(
    driver: ResourceUpdate, thing: Thing, clock: Clock
) -> None:

    def step(config: ResourceUpdateConfig, event: PushEvent, said: Context) -> Outcome:
        if thing.tool.kind == "Service" and not thing.controller.left["shop"] and not thing.well:
            clock.ahead += 30  # Knative does not say that it has given up
        outcome = driver.execute(config, event, said)
        thing.well = thing.value == thing.tool.before
        return outcome

    with pytest.raises(DriverError) as caught:
        thing.run(step, push("2"), named(1), rollbackOnFailure=True)
    assert caught.value.reason == "rolled_back", caught.value.message
    assert thing.value == thing.tool.before
    again = driver.execute(thing.config(), push("2"), named(1, order_key="0009", execution="exe_9"))
    assert isinstance(again, Unchanged) and "was rolled back" in again.reason
    thing.well = True
    outcome, _ = thing.run(driver.execute, push("3"), named(4))
    assert isinstance(outcome, Done)


def test_a_change_that_fails_stays_unless_the_receiver_wants_it_back(
    driver: ResourceUpdate, make: Callable[[Tool], Thing]
) -> None:
    thing = make(ARGO_KUSTOMIZE)
    thing.well = False
    with pytest.raises(DriverError, match="health is Degraded") as caught:
        thing.run(driver.execute, push("2"), named(1))
    assert caught.value.reason == "rollout_failed"
    assert thing.value == thing.tool.wrote


def test_an_application_that_was_degraded_before_is_not_a_failure(
    driver: ResourceUpdate, make: Callable[[Tool], Thing]
) -> None:
    thing = make(ARGO_HELM)
    failed = {"phase": "Failed", "message": "old", "syncResult": {"source": {"repoURL": "x"}}}
    bad = {"health": {"status": "Degraded"}, "operationState": failed}
    thing.client.ok("PATCH", thing.path, {"status": bad}, MERGE)
    outcome, _ = thing.run(driver.execute, push("2"), named(1))
    assert isinstance(outcome, Done)


def test_a_failed_push_over_one_that_failed_goes_back_to_the_last_good_one(
    driver: ResourceUpdate, make: Callable[[Tool], Thing]
) -> None:
    thing = make(FLUX_HELM)
    thing.well = False
    with pytest.raises(DriverError):
        thing.run(driver.execute, push("2"), named(1))
    with pytest.raises(DriverError, match=r"acme/shop:1"):
        thing.run(driver.execute, push("3"), named(2), rollbackOnFailure=True)
    assert thing.value == "1"


def test_people_go_back_and_the_push_they_undo_stays_away(
    driver: ResourceUpdate, thing: Thing
) -> None:
    thing.run(driver.execute, push("2"), named(1))
    back = named(2, rolls_back="push-1", identity="back-1")
    outcome, _ = thing.run(driver.execute, push("1"), back)
    assert isinstance(outcome, Done) and thing.value == thing.tool.before
    again = driver.execute(thing.config(), push("2"), named(1, order_key="0009", execution="exe_9"))
    assert isinstance(again, Unchanged) and thing.value == thing.tool.before


def test_an_abort_sets_the_value_before(driver: ResourceUpdate, thing: Thing) -> None:
    first = driver.execute(thing.config(), push("2"), named(1))
    assert isinstance(first, Wait)

    def abort(config: ResourceUpdateConfig, event: PushEvent, said: Context) -> Outcome:
        return driver.interrupt(config, event, said, Interruption.ABORT)

    outcome, _ = thing.run(abort, push("2"), named(1, state=first.state))
    assert isinstance(outcome, Done) and "was aborted" in outcome.message
    assert thing.value == thing.tool.before
    with pytest.raises(Superseded):
        driver.interrupt(thing.config(), push("2"), named(1), Interruption.NEWER)


def test_what_somebody_else_sets_meanwhile_stays(
    driver: ResourceUpdate, make: Callable[[Tool], Thing]
) -> None:
    thing = make(FLUX_HELM)
    first = driver.execute(thing.config(), push("2"), named(1))
    assert isinstance(first, Wait)
    thing.change({"values": {"image": {"tag": "hand"}}})
    with pytest.raises(TargetConflict, match="changed by somebody else"):
        driver.execute(thing.config(), push("2"), named(1, state=first.state))
    assert thing.value == "hand"


def test_strangers_change_nothing(driver: ResourceUpdate, thing: Thing) -> None:
    with pytest.raises(DriverError, match=r"nothing was changed|has no image of"):
        driver.execute(thing.config(), push("2", repository="evil/shop"), context(1))
    assert thing.value == thing.tool.before


def test_what_is_missing_is_said_before_anything_changes(
    driver: ResourceUpdate, make: Callable[[Tool], Thing]
) -> None:
    thing = make(FLUX_HELM)
    wrong = thing.config(fields={"spec.values.image.digest": "{digest}"})
    with pytest.raises(DriverError, match=r"spec\.values\.image\.digest: it has no such field"):
        driver.execute(wrong, push("2"), named(1))
    with pytest.raises(DriverError, match="The push has no digest"):
        driver.execute(
            thing.config(fields={"spec.values.image.tag": "{digest}"}), push("2"), named(1)
        )
    with pytest.raises(InvalidConfig, match=r"There is no HelmRelease|not found"):
        driver.validate(thing.config(name="nobody"), named(0))


def test_a_preview_and_a_look_tell_the_images(
    driver: ResourceUpdate, make: Callable[[Tool], Thing]
) -> None:
    thing = make(FLUX_HELM)
    (change,) = driver.plan(thing.config(), push("2"), named(1)).changes
    assert (change.before, change.after) == ("docker.io/acme/shop:1", "docker.io/acme/shop:2")
    assert driver.running(thing.config(), push("2"), named(1)) == ("1",)
    assert thing.value == "1"
    thing.run(driver.execute, push("2"), named(1))
    (seen,) = driver.observe(thing.config(), push("2"), named(1))
    assert (seen.image, seen.ours, seen.replaced) == (
        "docker.io/acme/shop:2",
        True,
        "docker.io/acme/shop:1",
    )
