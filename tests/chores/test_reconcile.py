"""Lost calls: what was pushed to a real registry is deployed after the next look, once."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartRegistry
from tests.servers.canned import Canned, reply, routing
from tests.servers.images import Image, build
from tests.servers.images import push as push_image
from tests.servers.registry import Registry
from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url, stub_of, wait_for
from webhook_service.chores.breaker import Breaker
from webhook_service.chores.reconcile import Reconcile
from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.model.delivery import Delivery
from webhook_service.model.execution import Execution
from webhook_service.net.outbound import Outbound
from webhook_service.registry.client import RegistryClient
from webhook_service.service import WebhookService

EXACT = {"policy": "exact", "value": "1.2.3"}


class World:
    """A service that looks after a registry, without an engine of its own."""

    def __init__(self, service: WebhookService, address: str, folder: Path) -> None:
        self.service = service
        self.address = address
        self.folder = folder
        self.breaker = Breaker()
        self.outbound = Outbound(allow_private=[ip_network("127.0.0.0/8")], timeout=5.0)
        client = RegistryClient(self.outbound, insecure=[address])
        self.chore = Reconcile(
            service.store, service._receivers, lambda: client, service.commit, self.breaker
        )

    @property
    def repository(self) -> str:
        return f"{self.address}/acme/shop"

    def receiver(self, tags: dict[str, Any] | None = None, **fields: Any) -> tuple[str, str]:
        match = {"repositories": [self.repository], "tags": tags or EXACT}
        registry = {"poll": 900}
        return add_receiver(
            self.service, match=match, registry=registry, verify={"scheme": "none"}, **fields
        )

    def push(self, tag: str, image: Image | None = None) -> Image:
        """Push an image; nobody is told."""
        image = image or build(self.folder / f"image-{len(list(self.folder.iterdir()))}")
        push_image(image, f"{self.repository}:{tag}")
        return image

    def look(self, receiver: str) -> int:
        """One look at a receiver's repositories; the number of lost pushes."""
        self.service.store.sightings.rest(receiver, -1)
        return self.chore.step("").count

    def tell(self, key: str, tag: str) -> Delivery:
        """A call that tells of a push, without its digest, as Docker Hub does."""
        return push(self.service, key, tag, self.repository, pushed_at=None)

    def executions(self) -> list[Execution]:
        """All executions, newest first."""
        return list(self.service.list_executions(PROJECT).items)

    def pushes(self) -> list[tuple[str | None, str | None]]:
        events = [execution.event for execution in reversed(self.executions())]
        return [(event.tag, event.digest) for event in events if isinstance(event, PushEvent)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    with make_service(sqlite_url(tmp_path), run=False) as service:
        yield service


@pytest.fixture
def registry(start_registry: StartRegistry) -> Registry:
    return start_registry(None)


@pytest.fixture
def world(service: WebhookService, registry: Registry, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "images").mkdir()
    world = World(service, registry.address, tmp_path / "images")
    yield world
    world.outbound.close()


def test_a_push_whose_call_was_lost_is_accepted_once(world: World) -> None:
    world.push("1.2.3")
    receiver, _ = world.receiver()
    assert world.look(receiver) == 0, "what was there before is not deployed"
    lost = world.push("1.2.3")
    assert [world.look(receiver) for _ in range(3)] == [1, 0, 0]
    assert world.pushes() == [("1.2.3", lost.digest)]
    (delivery,) = world.service.list_deliveries(PROJECT).items
    assert (delivery.state, delivery.client) == ("accepted", "reconcile")


def test_the_first_push_of_a_tag_is_found_too(world: World) -> None:
    receiver, _ = world.receiver()
    assert world.look(receiver) == 0
    image = world.push("1.2.3")
    assert world.look(receiver) == 1
    assert world.pushes() == [("1.2.3", image.digest)]


def test_a_push_that_a_call_told_of_is_not_accepted_again(world: World) -> None:
    receiver, key = world.receiver()
    world.look(receiver)
    world.push("1.2.3")
    world.tell(key, "1.2.3")
    assert [world.look(receiver) for _ in range(2)] == [0, 0]
    assert len(world.executions()) == 1


def test_a_tag_that_moves_back_and_forth_is_followed_each_time(world: World) -> None:
    receiver, _ = world.receiver()
    first = world.push("1.2.3")
    world.look(receiver)
    second = world.push("1.2.3")
    assert world.look(receiver) == 1
    world.push("1.2.3", first)
    assert world.look(receiver) == 1
    world.push("1.2.3", second)
    assert world.look(receiver) == 1
    assert [digest for _, digest in world.pushes()] == [
        second.digest,
        first.digest,
        second.digest,
    ]


def test_a_look_that_is_lost_before_it_is_remembered_accepts_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, _ = world.receiver()
    world.look(receiver)
    world.push("1.2.3")
    with monkeypatch.context() as patch:
        patch.setattr(type(world.service.store.sightings), "note", lambda *_: None)
        patch.setattr(type(world.service.store.sightings), "told", lambda *_: [])
        assert world.look(receiver) == 1
        world.look(receiver)
    states = [delivery.state for delivery in world.service.list_deliveries(PROJECT).items]
    assert states == ["duplicate", "accepted"] and len(world.executions()) == 1


def test_only_the_greatest_version_is_deployed(world: World) -> None:
    for tag in ("1.2.0", "1.2.1", "2.0.0"):
        world.push(tag)
    receiver, _ = world.receiver({"policy": "semver", "value": "^1.2"})
    assert world.look(receiver) == 0
    world.push("1.1.9")
    world.push("1.2.0")
    assert world.look(receiver) == 0
    world.push("1.10.0")
    world.push("1.9.0")
    assert world.look(receiver) == 1
    assert [tag for tag, _ in world.pushes()] == ["1.10.0"]


def test_any_tag_is_found_where_any_may_run(world: World) -> None:
    world.push("main-1")
    receiver, _ = world.receiver({"policy": "any"})
    assert world.look(receiver) == 0
    world.push("main-2")
    world.push("main-1")
    assert world.look(receiver) == 2
    assert [tag for tag, _ in world.pushes()] == ["main-2", "main-1"]


def test_where_any_tag_may_run_a_push_that_was_told_wins(world: World) -> None:
    receiver, key = world.receiver({"policy": "any"})
    world.push("main-1")
    world.look(receiver)
    world.push("main-2")
    world.push("main-3")
    world.tell(key, "main-3")
    assert world.look(receiver) == 1
    (claim,) = world.service.store.claims.claim(10)
    assert isinstance(claim.execution.event, PushEvent)
    assert claim.execution.event.tag == "main-3"


def test_other_rules_begin_anew(world: World) -> None:
    world.push("1.2.3")
    world.push("main-1")
    receiver, _ = world.receiver()
    world.look(receiver)
    match = {"repositories": [world.repository], "tags": {"policy": "any"}}
    world.service.update_receiver(PROJECT, receiver, {"match": match})
    assert [world.look(receiver) for _ in range(2)] == [0, 0]
    assert world.executions() == []


def test_a_suspended_receiver_is_not_looked_after(world: World) -> None:
    receiver, _ = world.receiver()
    world.look(receiver)
    world.service.suspend_receiver(PROJECT, receiver)
    world.push("1.2.3")
    assert world.look(receiver) == 0
    world.service.resume_receiver(PROJECT, receiver)
    assert [world.look(receiver) for _ in range(2)] == [0, 0]
    assert world.executions() == []


def test_a_look_is_due_again_after_the_time_asked_for(world: World) -> None:
    receiver, _ = world.receiver()
    sightings = world.service.store.sightings
    assert sightings.next_due() == (PROJECT, receiver)
    assert not world.chore.step("").done
    assert sightings.next_due() is None
    assert world.chore.step("").done


def test_a_deleted_receiver_is_forgotten(world: World) -> None:
    receiver, _ = world.receiver()
    world.look(receiver)
    world.service.delete_receiver(PROJECT, receiver)
    assert world.service.store.sightings.known(receiver, world.repository) == {}
    assert world.chore.step("").done


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"repositories": ["registry.example/acme/*"]}, "without '\\*'"),
        ({"repositories": ["registry.example/acme/shop"], "poll": 59}, "registry.poll"),
        ({"repositories": ["registry.example/acme/shop"], "resolve": False}, "poll needs resolve"),
    ],
)
def test_a_poll_that_cannot_work_is_refused(
    service: WebhookService, fields: dict[str, Any], word: str
) -> None:
    match = {"repositories": fields.pop("repositories")}
    registry = {"poll": 900, **fields}
    with pytest.raises(InvalidConfig, match=word):
        add_receiver(service, match=match, registry=registry, verify={"scheme": "none"})


def test_a_registry_that_limits_calls_is_left_alone(
    service: WebhookService, tmp_path: Path
) -> None:
    limited = reply("429 Too Many Requests", Retry_After="600")
    with Canned(routing({"HEAD /v2/acme/shop/manifests/1.2.3": limited})) as canned:
        world = World(service, f"127.0.0.1:{canned.port}", tmp_path)
        receiver, _ = world.receiver()
        assert world.look(receiver) == 0
        assert 590 < world.breaker.left(world.address) <= 600
        calls = len(canned.requests)
        assert world.look(receiver) == 0
        assert len(canned.requests) == calls
        world.outbound.close()


def test_the_driver_sees_a_lost_push_like_any_other(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "images").mkdir()
    with make_service(sqlite_url(tmp_path)) as service:
        world = World(service, registry.address, tmp_path / "images")
        receiver, _ = world.receiver()
        world.look(receiver)
        image = world.push("1.2.3")
        assert world.look(receiver) == 1
        stub = stub_of(service)
        (call,) = wait_for(lambda: stub.calls)
        assert (call.event.digest, call.context.named) == (image.digest, True)
        world.outbound.close()
