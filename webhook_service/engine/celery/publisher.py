"""The publisher: puts ids on the queue, and keeps the queue short.

A short queue is a window on the tables: what did not fit is published when there is room again,
oldest first, and an hour without workers leaves no heap of messages behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from celery.utils import uuid

from webhook_service.engine.celery.app import IO_TIMEOUT, QUEUE, TASK
from webhook_service.errors import fault_of

WINDOW = 500
CLOSE_TIMEOUT = 1.0


class BrokerUnavailable(Exception):
    """The broker did not take a message; nothing is lost by that."""


class Publisher:
    """A connection that is made when it is needed. For one thread.

    Args:
        window: messages that may wait in the queue.
    """

    def __init__(self, app: Celery, window: int = WINDOW) -> None:
        self._app = app
        self._window = window
        self._connection: Any = None
        self._producer: Any = None

    def publish(self, ids: Sequence[str]) -> Sequence[str]:
        """Put as many ids on the queue as it has room for; gives those.

        Raises:
            BrokerUnavailable: some or all of them were not taken.
        """
        try:
            published = ids[: self._room()]
            for execution in published:
                self._send(execution)
        except Exception as exc:
            # Every transport has errors of its own, and the remedy is the same: a new connection.
            self.close()
            raise BrokerUnavailable(fault_of(exc)) from exc
        return published

    def close(self) -> None:
        """Give up the connection; the next publish makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect(CLOSE_TIMEOUT)

    def _room(self) -> int:
        if self._connection is None:
            self._connect()
        # Redis knows no empty queues: so it is declared, as workers do, and not only looked at.
        declared = self._producer.channel.queue_declare(
            QUEUE,
            durable=True,
            auto_delete=False,
            arguments=self._app.amqp.queues[QUEUE].queue_arguments,
        )
        return max(0, self._window - int(declared.message_count))

    def _connect(self) -> None:
        self._connection = self._app.connection_for_write()
        brokers = max(1, len(self._connection.alt))
        self._connection.ensure_connection(max_retries=brokers - 1, interval_start=0)
        self._producer = self._app.amqp.Producer(self._connection.default_channel)

    def _send(self, execution: str) -> None:
        message = self._app.amqp.create_task_message(
            uuid(), TASK, args=(execution,), ignore_result=True
        )
        self._app.amqp.send_task_message(
            self._producer, TASK, message, retry=False, confirm_timeout=IO_TIMEOUT
        )
