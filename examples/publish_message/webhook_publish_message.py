"""The driver ``publishMessage``: tells RabbitMQ which image is the newest.

The operator names the broker in ``RABBITMQ_URL``. Consumers bind queues of their own to the
exchange ``images``. The driver binds one more, which keeps the newest message alone: there it reads
what was published before, and so does a consumer that starts later.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from amqp import Connection, Message  # type: ignore[import-untyped]
from amqp.exceptions import (  # type: ignore[import-untyped]
    AMQPError,
    IrrecoverableChannelError,
    IrrecoverableConnectionError,
    NotFound,
)
from pydantic import BaseModel, Field, ValidationError

from webhook_service import (
    Change,
    Context,
    Done,
    DriverConfig,
    DriverError,
    InvalidConfig,
    Outcome,
    Plan,
    PushEvent,
    Retry,
    Superseded,
    Unchanged,
    WebhookDriver,
    fault_of,
)

URL = "RABBITMQ_URL"
EXCHANGE = "images"
SECONDS = 10.0
PERSISTENT = 2  # on disk: https://www.rabbitmq.com/docs/publishers#message-properties


class PublishMessageConfig(DriverConfig):
    """What the message is called."""

    topic: str = Field(
        max_length=200,
        pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        description="The routing key; where projects share a service, PROJECT.NAME.",
    )


class Newest(BaseModel):
    """The body of a message."""

    image: str | None = None
    order: str = ""


class PublishMessage(WebhookDriver[PublishMessageConfig]):
    """Publishes each pushed image once, and never an older one after a newer one."""

    Config = PublishMessageConfig

    def validate(self, config: PublishMessageConfig, context: Context) -> None:
        # A slot and a routing key know no projects: the name has to keep them apart.
        if context.shared and config.topic.rpartition(".")[0] != context.project:
            raise InvalidConfig(f"Let the topic be {context.project}. and a name without a dot.")

    def slot(self, config: PublishMessageConfig, event: PushEvent) -> str:
        return f"publishMessage/{config.topic}"

    def targets(self, config: PublishMessageConfig, context: Context) -> tuple[str, ...]:
        return (f"rabbitmq/{EXCHANGE}/topic/{config.topic}",)

    def plan(self, config: PublishMessageConfig, event: PushEvent, context: Context) -> Plan:
        with connected() as broker:
            return Plan(_missing(config, newest(broker, config), event))

    def execute(self, config: PublishMessageConfig, event: PushEvent, context: Context) -> Outcome:
        try:
            self.validate(config, context)
        except InvalidConfig as refused:
            raise DriverError(refused.message) from refused
        with connected() as broker:
            before = newest(broker, config)
            if before.order > context.order_key:
                raise Superseded("A newer image has been published.")
            if not (changes := _missing(config, before, event)):
                return Unchanged("The newest message names this image already.")
            publish(broker, config, Newest(image=event.image, order=context.order_key))
        return Done(changes, f"RabbitMQ has the message {config.topic}.")


@contextmanager
def connected() -> Iterator[Connection]:
    """A connection to the operator's broker."""
    url = urlsplit(os.environ.get(URL, ""))
    if not url.hostname:
        raise DriverError(f"{URL} names no broker.")
    try:
        with Connection(
            f"{url.hostname}:{url.port or (5671 if url.scheme == 'amqps' else 5672)}",
            userid=unquote(url.username or "guest"),
            password=unquote(url.password or "guest"),
            virtual_host=unquote(url.path[1:]) or "/",
            ssl=url.scheme == "amqps",
            connect_timeout=SECONDS,
            read_timeout=SECONDS,
            write_timeout=SECONDS,
            confirm_publish=True,
        ) as connection:
            yield connection
    except (IrrecoverableChannelError, IrrecoverableConnectionError) as exc:
        raise DriverError(f"RabbitMQ refuses: {fault_of(exc)}.") from exc
    except (OSError, AMQPError) as exc:
        raise Retry(f"RabbitMQ does not answer: {fault_of(exc)}.") from exc


def channel_of(broker: Connection) -> Any:
    """A new channel; the library's types do not say what its calls give."""
    return broker.channel()


def newest(broker: Connection, config: PublishMessageConfig) -> Newest:
    """What was published last; the message stays where it is."""
    with channel_of(broker) as channel:
        try:
            message = channel.basic_get(queue_of(config))
        except NotFound:
            return Newest()
        if message is None:
            return Newest()
        channel.basic_reject(message.delivery_tag, requeue=True)
    try:
        return Newest.model_validate_json(message.body)
    except ValidationError:
        return Newest()  # somebody else's message: ours takes its place


def publish(broker: Connection, config: PublishMessageConfig, said: Newest) -> None:
    """Publish a message; returns when the broker has confirmed that it keeps it."""
    with channel_of(broker) as channel:
        channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        # A queue for one message drops the older one: https://www.rabbitmq.com/docs/maxlength
        only_one = {"x-max-length": 1}
        queue = queue_of(config)
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=only_one)
        channel.queue_bind(queue, EXCHANGE, config.topic)
        body = said.model_dump_json()
        message = Message(body, content_type="application/json", delivery_mode=PERSISTENT)
        channel.basic_publish(message, EXCHANGE, config.topic)


def queue_of(config: PublishMessageConfig) -> str:
    """The queue that keeps the newest message."""
    return f"newest.{config.topic}"


def _missing(config: PublishMessageConfig, before: Newest, event: PushEvent) -> tuple[Change, ...]:
    if before.image == event.image:
        return ()
    return (Change(config.topic, "image", before.image, event.image),)
