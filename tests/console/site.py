"""A console to test: a real host over SQLite, the real drivers, and a simulated cluster."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from tests.support import SECRET, wait_for
from webhook_service.console import MOUNT, build_console
from webhook_service.demo.scenario import SIMULATED, deployment
from webhook_service.host.app import create_app
from webhook_service.host.server import Server, server_config
from webhook_service.model.execution import ENDED, Execution
from webhook_service.model.people.tokens import Role
from webhook_service.net.listener import bind
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.testing import FakeCluster

PROJECT = "shop"
PATIENCE = 60


@dataclass(frozen=True)
class ConsoleSite:
    """A running console; ``base`` is its address, without a slash at the end."""

    service: WebhookService
    cluster: FakeCluster
    base: str
    receiver: str
    settings: Settings

    @contextmanager
    def another_host(self) -> Iterator["ConsoleSite"]:
        """A second host over the same database, which runs nothing itself."""
        with (
            WebhookService.open(self.settings, run=False) as service,
            _serving(service, self.settings) as address,
        ):
            yield replace(self, service=service, base=address + MOUNT)

    def token(self, role: Role = Role.OWNER, project: str = PROJECT) -> str:
        return self.service.create_token(project, role, name=f"the {role}")[1]

    def link(self, role: Role = Role.OWNER, project: str = PROJECT) -> str:
        """A link that logs in."""
        token, _ = self.service.create_token(project, role, name=f"the {role}")
        return f"{self.base}/login/link?link={self.service.sessions.make_link(token)}"

    def log_in(self, page: Any) -> None:
        """Log a browser's page in, and wait until the page of welcome has gone on by itself.

        That would break off where the page is sent meanwhile.
        """
        page.goto(self.link())
        page.wait_for_url("**/deliveries")

    @contextmanager
    def client(
        self, role: Role | None = Role.OWNER, project: str = PROJECT
    ) -> Iterator[httpx.Client]:
        """A browser without JavaScript, logged in, whose POSTs come from the console's pages."""
        headers = {"origin": self.base.removesuffix(MOUNT)}
        with httpx.Client(base_url=self.base, headers=headers, timeout=20) as client:
            if role is not None:
                answer = client.post("/login", data={"token": self.token(role, project)})
                assert answer.status_code == 303, answer.text
            yield client

    def push(self, tag: str, receiver: str | None = None) -> Execution:
        """Push a tag, and wait for what comes of it."""
        made = self.service.interventions.push(
            PROJECT, receiver or self.receiver, f"acme/shop:{tag}"
        )
        return self.wait(made.executions[0])

    @contextmanager
    def hanging(self, **more: Any) -> Iterator[Execution]:
        """A push of a bad tag whose rollout waits until the end of the block, or until an abort."""
        body = receiver_body("hangs", match={"repositories": ["acme/shop"]}, **more)
        body["deploymentUpdateConfig"]["timeoutSeconds"] = 600
        receiver = self.service.create_receiver(PROJECT, body)
        made = self.service.interventions.push(PROJECT, receiver.id, "acme/shop:2.0.0-bad")

        def rolls() -> Execution | None:
            found = self.service.get_execution(PROJECT, made.executions[0])
            return found if found.state == "waiting" else None

        try:
            yield wait_for(rolls, PATIENCE)
        finally:
            found = self.service.get_execution(PROJECT, made.executions[0])
            if found.state not in ENDED:
                self.service.interventions.abort(PROJECT, found.id)
            self.wait(found.id)
            self.service.delete_receiver(PROJECT, receiver.id)

    def wait(self, execution: str, seconds: float = PATIENCE) -> Execution:
        def ended() -> Execution | None:
            found = self.service.get_execution(PROJECT, execution)
            return found if found.state in ENDED else None

        found: Execution = wait_for(ended, seconds)
        return found


def receiver_body(name: str = "shop", **more: Any) -> dict[str, Any]:
    config = {"namespace": "shop", "name": "shop", "timeoutSeconds": 3, "rollbackOnFailure": True}
    return {
        "name": name,
        "driver": "deploymentUpdate",
        "deploymentUpdateConfig": config,
        "source": {"format": "dockerhub"},
        "match": {"repositories": ["acme/shop"], "tags": {"policy": "semver", "value": "^1"}},
        "verify": {"scheme": "none"},
        **more,
    }


@contextmanager
def console_site(folder: Path, **settings: Any) -> Iterator[ConsoleSite]:
    """Serve a console whose project has one receiver for the Deployment shop/shop.

    Each login of a test makes a token, and all tests of the package share a project: no limit.
    """
    with ExitStack() as stack:
        cluster = stack.enter_context(FakeCluster(ready_delay=0.05))
        cluster.apply(deployment(SIMULATED))
        known = load_settings(
            **{"database_url": f"sqlite:///{folder / 'console.db'}", "max_tokens": 0}
            | {"secret_key": SECRET, "kubeconfig": cluster.write_kubeconfig(folder / "kubeconfig")}
            | settings
        )
        service = stack.enter_context(WebhookService.open(known))
        address = stack.enter_context(_serving(service, known))
        made = service.create_receiver(PROJECT, receiver_body())
        yield ConsoleSite(service, cluster, address + MOUNT, made.id, known)


@contextmanager
def _serving(service: WebhookService, settings: Settings) -> Iterator[str]:
    ready, addresses = threading.Event(), list[str]()

    def on_ready(address: str) -> None:
        addresses.append(address)
        ready.set()

    beside: Mapping[str, Any] = {MOUNT: build_console(settings, service)}
    app = create_app(service, manage_service=False, beside=beside)
    server = Server(server_config(app), on_ready)
    thread = threading.Thread(target=server.run, args=([bind("127.0.0.1", 0)],), name="console")
    thread.start()
    try:
        assert ready.wait(15), "the host did not start"
        yield addresses[0]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "an open feed kept the host"


class Slow:
    """The first answer to a page from an address is kept back until it is let go."""

    def __init__(self, page: Any, address: str) -> None:
        self._page = page
        self._kept: tuple[Any, Any] | None = None
        page.route(address, self._ask)

    def _ask(self, route: Any) -> None:
        if self._kept:
            route.continue_()
        else:
            self._kept = route, route.fetch()

    def let_go(self) -> None:
        while not self._kept:
            self._page.wait_for_timeout(20)
        route, answer = self._kept
        route.fulfill(response=answer)
