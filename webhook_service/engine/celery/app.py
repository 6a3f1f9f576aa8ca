"""The Celery application: how messages travel, and what workers do with them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from celery import Celery

from webhook_service.errors import SettingsError
from webhook_service.settings import Settings

QUEUE = "webhook-service"
TASK = "webhook_service.run"
CONNECT_TIMEOUT = 4.0
# A broker that is silent for so long is taken for broken.
IO_TIMEOUT = 10.0
HEARTBEAT = 10
HEALTH_CHECK = 5
# A child ends itself when a step takes too long; one that cannot even do that is killed this later.
GRACE = 10.0


def make_app(settings: Settings) -> Celery:
    """The application that the settings describe; it connects to nothing yet.

    Raises:
        SettingsError: no broker is set, or its URL has an option that there is not.
    """
    if settings.broker_url is None:
        raise SettingsError(
            "WEBHOOK_SERVICE_BROKER_URL must be set with the engine celery: "
            "amqp://user:password@host:5672// or redis://host:6379/0."
        )
    url = settings.broker_url
    app = Celery("webhook-service", broker=url, set_as_current=False)
    app.conf.update(
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=CONNECT_TIMEOUT,
        broker_heartbeat=HEARTBEAT,
        broker_use_ssl=_tls(url),
        broker_channel_error_retry=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options=_transport_options(url, settings.step_seconds),
        task_default_queue=QUEUE,
        task_default_queue_type=settings.broker_queue_type,
        # Nothing in the broker needs to survive it: what is lost is published again.
        task_default_delivery_mode="transient",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=settings.step_seconds + GRACE,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=60,
        worker_lost_wait=1,
        worker_enable_remote_control=False,
        worker_redirect_stdouts=False,
    )
    try:
        app.connection_for_write()
    except TypeError as exc:
        option = str(exc).rpartition(" ")[2]
        raise SettingsError(
            f"WEBHOOK_SERVICE_BROKER_URL has the option {option} behind its '?', which there is "
            "not: correct it, or leave it out."
        ) from exc
    return app


def add_task(app: Celery, run: Callable[[str, bool], None]) -> None:
    """Make workers of this application call ``run`` with the id in each message.

    ``run`` is also told whether the broker gave the message to a worker before.
    """

    @app.task(name=TASK, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def task(self: Any, execution: str) -> None:
        run(execution, bool(self.request.delivery_info.get("redelivered")))


def _tls(url: str) -> dict[str, Any] | None:
    """Verify the certificate of a Redis over TLS, which kombu does not by itself.

    What the URL says (``?ssl_ca_certs=/path``, ``?ssl_cert_reqs=none``) counts before it.
    """
    if not url.startswith("rediss:"):
        return None
    said = dict(parse_qsl(urlsplit(url).query))
    return None if "ssl_cert_reqs" in said else {"ssl_cert_reqs": ssl.CERT_REQUIRED}


def _transport_options(url: str, step_seconds: float) -> dict[str, Any]:
    if url.startswith("amqp"):
        return {
            "confirm_publish": True,
            "read_timeout": IO_TIMEOUT,
            "write_timeout": IO_TIMEOUT,
        }
    return {
        # A worker that is gone is noticed by its lease long before this.
        "visibility_timeout": 2 * (step_seconds + GRACE),
        # Otherwise Redis is searched for what lost workers held only every 100 seconds.
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": IO_TIMEOUT,
        "socket_keepalive": True,
        # A worker on a line that brings nothing any more is connected anew after twice this time.
        "health_check_interval": HEALTH_CHECK,
    }
