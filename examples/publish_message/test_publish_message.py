"""The conformance kit on ``publishMessage``, with a RabbitMQ; ``RABBITMQ_URL`` names it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest
from amqp import Connection  # type: ignore[import-untyped]
from webhook_publish_message import (
    EXCHANGE,
    URL,
    PublishMessage,
    PublishMessageConfig,
    channel_of,
    connected,
    newest,
)

from webhook_service import DriverError, InvalidConfig, PushEvent, Retry
from webhook_service.testing import sample_context
from webhook_service.testing.kit import DriverCase, DriverConformance, FreshTarget

PUSHES = [PushEvent(registry="docker.io", repository="acme/shop", tag=tag) for tag in ("1", "2")]
CONFIG = PublishMessageConfig(topic="never-published")
numbers = count(1)


class Consumer:
    """A consumer with a queue of its own: it hears every message of its topic."""

    def __init__(self, broker: Connection) -> None:
        self.topic = f"shop-{next(numbers)}"
        self.broker, self.channel = broker, channel_of(broker)
        self.channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        self.queue = self.channel.queue_declare(exclusive=True).queue
        self.channel.queue_bind(self.queue, EXCHANGE, self.topic)
        self.heard: list[str] = []

    def images(self) -> tuple[str, ...]:
        while (message := self.channel.basic_get(self.queue, no_ack=True)) is not None:
            self.heard.append(json.loads(message.body)["image"])
        return tuple(self.heard)

    def newest(self) -> str | None:
        return newest(self.broker, PublishMessageConfig(topic=self.topic)).image

    def target(self, monkeypatch: pytest.MonkeyPatch) -> FreshTarget:
        return FreshTarget(
            config={"topic": self.topic},
            look=lambda: {"newest": self.newest()},
            marks=self.images,
            has=lambda push: self.newest() == push.image and push.image in self.images(),
            fail=lambda: monkeypatch.setenv(URL, "amqp://127.0.0.1:1//"),
        )


class TestPublishMessage(DriverConformance):
    @pytest.fixture
    def case(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[DriverCase]:
        with ExitStack() as brokers:
            yield DriverCase(
                driver=PublishMessage,
                target=lambda: Consumer(brokers.enter_context(connected())).target(monkeypatch),
                events=PUSHES,
                bad_configs=[{}, {"topic": "a..b"}, {"topic": "#"}],
            )


def test_a_project_keeps_to_topics_of_its_own() -> None:
    about = sample_context(project="shop-team", shared=True)
    for topic in ("other.shop", "shop-team", "shop-team.a.b"):
        with pytest.raises(InvalidConfig, match="shop-team. and a name"):
            PublishMessage().validate(PublishMessageConfig(topic=topic), about)
        with pytest.raises(DriverError, match="shop-team. and a name"):
            PublishMessage().execute(PublishMessageConfig(topic=topic), PUSHES[0], about)
    PublishMessage().validate(PublishMessageConfig(topic="shop-team.shop"), about)


def test_a_broker_that_is_down_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "amqp://127.0.0.1:1//")
    with pytest.raises(Retry, match="does not answer"):
        PublishMessage().execute(CONFIG, PUSHES[0], sample_context())


def test_a_refused_login_is_not_tried_again_and_shows_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with connected() as broker:
        monkeypatch.setenv(URL, f"amqp://somebody:hush-hush@{broker.host}//")
    with pytest.raises(DriverError, match="RabbitMQ refuses") as refused:
        PublishMessage().execute(CONFIG, PUSHES[0], sample_context())
    assert not isinstance(refused.value, Retry)
    assert "hush" not in refused.value.message
