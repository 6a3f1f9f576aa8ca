"""The story that the demonstration tells: a receiver, a push, a rollout, and then yours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from webhook_service.demo import commands, scenario
from webhook_service.demo.cluster import DemoCluster, Snapshot
from webhook_service.demo.scenario import Scenario
from webhook_service.demo.view import View
from webhook_service.errors import DriverError
from webhook_service.model.delivery import Delivery, DeliveryState
from webhook_service.model.execution import ENDED, Execution, ExecutionState
from webhook_service.model.pages import PageRequest
from webhook_service.service import WebhookService
from webhook_service.testing.samples import dockerhub_push

PROJECT = "demo"
POLL = 0.1
FIRST_ROLLOUT_TIMEOUT = 120.0
RECENT = PageRequest(limit=50)


class Story:
    """Tells it on a view; the service runs, and is served at ``address``.

    Args:
        consoles: the paths below it at which there is a console.
    """

    def __init__(
        self,
        view: View,
        service: WebhookService,
        cluster: DemoCluster,
        told: Scenario,
        address: str,
        consoles: Sequence[str] = (),
    ) -> None:
        self._view = view
        self._service = service
        self._cluster = cluster
        self._scenario = told
        self._address = address
        self._consoles = consoles
        self._seen: set[str] = set()

    def prepare(self, where: str) -> None:
        """Make what is missing, wait until it runs, and create the receiver."""
        self._view.say(where)
        for made in self._cluster.prepare(self._scenario):
            self._view.say(f"  made the {made}")
        before = self._wait_until_ready()
        for name, image in before.images.items():
            self._view.say(f"  {scenario.NAMESPACE}/{scenario.NAME}: container {name} runs {image}")
        receiver = self._service.create_receiver(PROJECT, scenario.receiver(self._scenario))
        key = self._service.receiver_key(PROJECT, receiver.id)
        self._url = commands.endpoint(self._address, key, PROJECT)
        self._view.say()
        self._view.say(f"The receiver {receiver.name!r} has the driver {receiver.spec.driver}:")
        self._view.say(f"  {self._url}", "cyan")

    def push(self) -> bool:
        """Send one push over HTTP; whether all of it came true in the cluster."""
        before = self._cluster.look()
        tag = self._other_tag(before)
        image = self._scenario.image(tag)
        self._view.say()
        self._view.say(f"Docker Hub calls it: {image} was pushed.")
        now = datetime.now(UTC).replace(microsecond=0)
        answer = commands.post(
            self._url, dockerhub_push(self._scenario.repository, tag, pushed_at=now)
        )
        self._view.say(f"  200 {answer['state']}, stored as {answer['id']}")
        self._seen.add(answer["id"])
        done = [self._follow(execution) for execution in answer["executions"]]
        return self._conclude(done, before, image)

    def stay(self) -> None:
        """Follow what others push, until the user has seen enough."""
        known, token = self._service.create_token(PROJECT, name="demo")
        links = [
            f"{self._address}{path}/login/link?link={self._service.sessions.make_link(known)}"
            for path in self._consoles
        ]
        for line in commands.hints(self._url, self._address, token, self._scenario, links):
            self._view.say(line, "" if line.endswith(":") else "cyan")
        self._view.say()
        self._view.say("It goes on listening; Ctrl-C ends it.")
        while True:
            for delivery in self._new_deliveries():
                self._tell(delivery)
            time.sleep(POLL)

    def _wait_until_ready(self) -> Snapshot:
        """A push into the first rollout would work, but there would be less to see."""
        deadline = time.monotonic() + FIRST_ROLLOUT_TIMEOUT
        while True:
            seen = self._cluster.look()
            if seen.container_of(self._scenario.repository) is None:
                raise DriverError(_other_repository(seen, self._scenario))
            ready = len(seen.pods) == seen.replicas and all(pod.ready for pod in seen.pods)
            if ready or time.monotonic() > deadline:
                return seen
            time.sleep(POLL)

    def _other_tag(self, before: Snapshot) -> str:
        """On a real cluster an earlier demonstration may have left the pushed tag running."""
        told = self._scenario
        running = told.image(told.pushed) in before.images.values()
        return told.running if running else told.pushed

    def _follow(self, execution_id: str) -> Execution:
        with self._view.rollout() as show:
            while True:
                execution = self._service.get_execution(PROJECT, execution_id)
                show(execution, self._cluster.look())
                if execution.state in ENDED:
                    return execution
                time.sleep(POLL)

    def _conclude(self, done: Sequence[Execution], before: Snapshot, image: str) -> bool:
        for execution in done:
            self._summarise(execution)
        after = self._cluster.look()
        untouched = self._compare_sidecars(before, after)
        complete = after.all_run(image)
        count = f"all {after.replicas} pods" if complete else "not all pods"
        self._view.say(f"  read back from the cluster: {count} run {image}", "bold")
        succeeded = [execution.state for execution in done] == [ExecutionState.SUCCEEDED]
        return succeeded and complete and untouched

    def _compare_sidecars(self, before: Snapshot, after: Snapshot) -> bool:
        """Whether the containers that the push is not about are as they were."""
        mine = before.container_of(self._scenario.repository)
        others = [name for name in before.images if name != mine]
        for name in others:
            same = after.images.get(name) == before.images[name]
            verb = "still runs" if same else "now runs"
            self._view.say(f"  the sidecar {name} {verb} {after.images.get(name)}")
        return all(after.images.get(name) == before.images[name] for name in others)

    def _summarise(self, execution: Execution) -> None:
        took = ((execution.finished or execution.created) - execution.created).total_seconds()
        self._view.state(execution, f"  {execution.state} after {took:.1f} s as {execution.id}")
        if execution.state is not ExecutionState.SUCCEEDED:
            self._view.say(f"  {execution.message}")
        for change in execution.changes:
            values = f"{change.before or '(none)'} -> {change.after or '(none)'}"
            self._view.say(f"  {change.target} {change.field}: {values}")

    def _new_deliveries(self) -> list[Delivery]:
        page = self._service.list_deliveries(PROJECT, RECENT)
        found = [item for item in reversed(page.items) if item.id not in self._seen]
        self._seen.update(item.id for item in found)
        return found

    def _tell(self, delivery: Delivery) -> None:
        self._view.say()
        reason = f" ({delivery.reason})" if delivery.reason else ""
        self._view.say(f"{delivery.id} {delivery.state}{reason}")
        if delivery.state is DeliveryState.ACCEPTED:
            for execution in delivery.executions:
                self._summarise(self._follow(execution))


def _other_repository(seen: Snapshot, told: Scenario) -> str:
    running = ", ".join(seen.images.values())
    return (
        f"The deployment {scenario.NAME} in the namespace {scenario.NAMESPACE} runs {running}, "
        f"not {told.repository}: the demonstration leaves it alone."
    )
