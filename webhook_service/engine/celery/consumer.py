"""What a worker takes from the broker: messages of this service, and nothing that others put there.

Celery and Kombu trust the broker: a message with a wrong type in a header, or a text in Redis that
is no JSON, ends the worker. So of each message the execution's id alone is read, and what has none
is dropped. That costs nothing that matters: hosts publish again what nobody has run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import amqp
import kombu.transport
from celery.utils import uuid
from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu.transport import redis, virtual

from webhook_service.engine.celery.app import TASK
from webhook_service.engine.celery.faults import SETTLED, BrokerFaults
from webhook_service.model.ids import is_execution_id

MAX_BODY = 4096
# What decoding raises when a text is not of the form that it expects, or nested too deeply.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)

log = logging.getLogger(__name__)


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Hands to Celery what names an execution, written anew: none of a sender's own headers."""

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc]
        """Without the queues for delays that Celery makes beside quorum queues: none is needed."""

        default_steps = tuple(
            step for step in consumer.Consumer.Blueprint.default_steps if "delayed" not in step
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._faults = BrokerFaults()

    def ensure_connected(self, conn: Any) -> Any:
        """Connect, however long that takes."""
        return conn.ensure_connection(
            lambda exc, _: self._faults.outlive(exc),
            interval_start=0,
            interval_step=0,
            callback=maybe_shutdown,
        )

    def on_connection_error_before_connected(self, exc: BaseException) -> None:
        """The connection was lost before it could be used."""
        self._faults.outlive(exc)

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        """The connection or the channel was closed; what runs goes on meanwhile."""
        with suppress(Exception):
            self.connection.collect()
        self._faults.outlive(exc)

    def on_ready(self) -> None:
        """It takes messages now, for the first time or again."""
        super().on_ready()
        # A broker may take a connection and refuse what comes next, as a replica of Redis does.
        self.timer.call_after(SETTLED, self._faults.over)
        # RabbitMQ says that a queue was deleted. Celery misses that while it begins its loop, and
        # would wait for ever for messages of a queue that is not there.
        channel = self.task_consumer.channel
        if isinstance(channel, amqp.Channel):
            channel.cancel_callbacks.update(dict.fromkeys(channel.callbacks, self._on_deleted))

    def _on_deleted(self, tag: str) -> None:
        """Let the loop end the connection: the next one makes the queue again."""
        self.timer.call_after(0, _raise, (amqp.ConsumerCancelled(tag, amqp.spec.Basic.Cancel),))

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        handle: Callable[[Any], None] = super().create_task_handler(*args, **kwargs)

        def handle_ours(message: Any) -> None:
            try:
                execution = execution_of(message)
            except MALFORMED as exc:
                return self.on_decode_error(message, exc)
            ours = self.app.amqp.create_task_message(
                uuid(), TASK, args=(execution,), ignore_result=True
            )
            message.headers, message.body = ours.headers, json.dumps(ours.body)
            message.content_encoding = "utf-8"
            handle(message)

        return handle_ours

    def on_decode_error(self, message: Any, exc: BaseException) -> None:
        """Drop a message that cannot be read."""
        _tell(exc)
        message.reject_log_error(log, self.connection_errors)


class RedisQoS(redis.QoS):
    """Counts what is done with, also while Redis is away and cannot be told.

    Otherwise a worker that lost Redis while all its children ran would wait for ever for room: it
    reads no more, and so does not notice that its connection has ended.
    """

    def ack(self, delivery_tag: Any) -> None:
        with self._done(delivery_tag):
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        with self._done(delivery_tag):
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]

    @contextmanager
    def _done(self, tag: Any) -> Iterator[None]:
        try:
            yield
        except self.channel.connection_errors:
            # At worst it is delivered again: the tables know that it has run.
            virtual.QoS.ack(self, tag)  # type: ignore[no-untyped-call]


class RedisChannel(redis.Channel):
    """Outlives list items that are no messages; an item is gone from the list when it is read."""

    QoS = RedisQoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except MALFORMED as exc:
            _tell(exc)


class RedisTransport(redis.Transport):
    """Delivers what has the form of a message; of anything else Kombu would make a bad one."""

    Channel = RedisChannel

    def _deliver(self, message: Any, queue: str) -> None:
        properties = message["properties"]
        names = [properties["delivery_tag"], message["body"]]
        names += [properties["delivery_info"][part] for part in ("exchange", "routing_key")]
        if not all(isinstance(each, str) for each in names):
            raise ValueError("a part of it is no text")
        if not isinstance(message.get("headers"), dict):
            raise ValueError("it has no headers")
        super()._deliver(message, queue)  # type: ignore[no-untyped-call]


def use_redis_transport() -> None:
    """Let all connections of this process to Redis be made with ``RedisTransport``."""
    name = f"{__name__}:{RedisTransport.__name__}"
    kombu.transport.TRANSPORT_ALIASES.update(redis=name, rediss=name)


def execution_of(message: Any) -> str:
    """The id of the execution that a message names.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, RecursionError: it is no message of
            this service.
    """
    if message.headers["task"] != TASK or message.content_type != "application/json":
        raise ValueError("it is not for this service")
    if len(message.body) > MAX_BODY:
        raise ValueError(f"it has {len(message.body)} bytes")
    (execution,), _, _ = json.loads(message.body)
    if not (isinstance(execution, str) and is_execution_id(execution)):
        raise ValueError("it names no execution")
    return execution


def _raise(exc: BaseException) -> None:
    raise exc


def _tell(exc: BaseException) -> None:
    log.warning("A message on the broker is not of this service, and was dropped: %.200r", exc)
