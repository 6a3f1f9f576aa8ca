"""The Celery engine with its workers as threads of this process, over a real broker."""

import threading

from webhook_service.engine.celery.app import QUEUE, make_app
from webhook_service.engine.celery.child import Child
from webhook_service.engine.celery.engine import CeleryEngine
from webhook_service.engine.celery.publisher import Publisher
from webhook_service.plugins.instances import Drivers
from webhook_service.settings import load_settings
from webhook_service.store.store import Store

WORKERS = 4
PAUSE = 0.02


class CeleryThreads(CeleryEngine):
    """A host with workers that its tests can talk to: their drivers are the host's own.

    The threads stand in for Celery's processes, which other tests have. They take messages one by
    one and acknowledge them late, as those do.
    """

    def __init__(self, broker_url: str, store: Store, drivers: Drivers) -> None:
        self._app = make_app(load_settings(engine="celery", broker_url=broker_url))
        super().__init__(store, Publisher(self._app))
        self._child = Child(store, drivers)
        self._ended = threading.Event()
        self._workers = [threading.Thread(target=self._work) for _ in range(WORKERS)]

    def start(self) -> None:
        super().start()
        for worker in self._workers:
            worker.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._ended.set()
        for worker in self._workers:
            worker.join(timeout)
        super().stop(timeout)

    def _work(self) -> None:
        with self._app.connection_for_read() as connection:
            queue = self._app.amqp.queues[QUEUE](connection.default_channel)
            queue.declare()
            while not self._ended.is_set():
                message = queue.get()
                if message is None:
                    self._ended.wait(PAUSE)
                    continue
                (execution,), _, _ = message.decode()
                self._child.run(execution, bool(message.delivery_info.get("redelivered")))
                message.ack()
