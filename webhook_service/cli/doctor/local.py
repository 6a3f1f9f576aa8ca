"""Looks at an installation on its own host: settings, database, key, plug-ins, targets, clock."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from webhook_service.cli.doctor.finding import Report, broken, doubtful, good, looking
from webhook_service.errors import WebhookServiceError

if TYPE_CHECKING:
    from webhook_service.service import WebhookService
    from webhook_service.settings import Settings

SECONDS = 5.0
MAX_DRIFT = 2.0
_BROKER_PORTS = {"amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}


def look_here(report: Report) -> None:
    """Look at everything that the settings of this process name; nothing is made or changed."""
    from webhook_service.plugins.instances import allowed_drivers
    from webhook_service.settings import load_settings

    try:
        settings = load_settings()
        allowed_drivers(settings)
    except WebhookServiceError as exc:
        report(broken("settings", exc.message))
        return
    report(good("settings", "They can be used."))
    _look_at_address(settings, report)
    _look_at_broker(settings, report)
    _look_at_clusters(settings, report)
    with ExitStack() as last:
        if (service := _opened(settings, report)) is not None:
            last.callback(service.stop)
            _look_at_clock(service, report)
            _look_at_plugins(service, report)
            _look_at_receivers(settings, service, report)


def _opened(settings: Settings, report: Report) -> WebhookService | None:
    """The service, if its database and its key are right."""
    from webhook_service.cli.commands.installation.migrate import look
    from webhook_service.service import WebhookService

    if (file := settings.missing_sqlite_file) is not None:
        report(
            doubtful(
                "database",
                f"{file} is not there: the first 'serve' makes it. If you have one, set "
                "WEBHOOK_SERVICE_DATABASE_URL.",
            )
        )
        return None
    file = settings.sqlite_file
    if file is not None and not os.access(file, os.R_OK | os.W_OK):
        report(broken("database", f"{file} cannot be read and written: run as its owner."))
        return None
    with looking("database", report):
        state = look(settings)
        if state.revision != state.needed:
            said = f"It is at {state.revision or 'no revision'}, and {state.needed} is needed"
            report(broken("database", f"{said}: {state.advice}."))
            return None
        report(good("database", "It answers, and its schema is current."))
        _look_at_disk(settings, report)
        with looking("secret key", report):
            used, said = _with_key(settings)
            service = WebhookService.open(used, run=False)
            report(good("secret key", said))
            return service
    return None


def _with_key(settings: Settings) -> tuple[Settings, str]:
    """Settings that open the database and make no key file, and what is to be said of the key."""
    from webhook_service.store.database.database import Database
    from webhook_service.store.secrets import secret_key
    from webhook_service.store.secrets.configured import key_file

    with closing(Database(settings.database_url)) as database:
        file = key_file(settings, database.url)
        secret_key.require_not_lost(database, file)
    if file is None or file.exists():
        return settings, "It opens the database."
    once = settings.model_copy(update={"secret_key": secrets.token_urlsafe()})
    return once, f"Nothing is sealed yet: the first 'serve' makes {file}."


def _look_at_disk(settings: Settings, report: Report) -> None:
    if settings.sqlite_file is None:
        return
    free = shutil.disk_usage(settings.sqlite_file.parent).free
    if free < settings.min_free_bytes:
        report(
            broken(
                "disk",
                f"{free >> 20} MiB are free, and with less than {settings.min_free_bytes >> 20} "
                "calls are refused: make room, or lower WEBHOOK_SERVICE_MIN_FREE_BYTES.",
            )
        )


def _look_at_address(settings: Settings, report: Report) -> None:
    import httpx

    from webhook_service.errors import fault_of

    url = settings.base_url
    if url is None:
        url = f"http://{settings.listen}"
        report(
            doubtful(
                "base URL",
                f"Receivers' URLs begin with {url}: senders elsewhere do not reach it. Set "
                "WEBHOOK_SERVICE_BASE_URL to the address that they see.",
            )
        )
    try:
        answer = httpx.get(f"{url}/healthz", timeout=SECONDS)
    except (httpx.TransportError, httpx.InvalidURL) as exc:
        report(
            broken(
                "address",
                f"{url} does not answer ({fault_of(exc)}): start 'webhook-service serve', and "
                "check name, port, proxy and certificate.",
            )
        )
        return
    if answer.status_code == 200:
        report(good("address", f"{url} answers."))
    else:
        report(
            broken(
                "address",
                f"{url}/healthz answers {answer.status_code}: something else serves there, or the "
                "service is not well; its log says why.",
            )
        )


def _look_at_broker(settings: Settings, report: Report) -> None:
    if settings.engine != "celery":
        return
    if settings.broker_url is None:
        report(broken("broker", "WEBHOOK_SERVICE_ENGINE=celery needs WEBHOOK_SERVICE_BROKER_URL."))
        return
    parts = urlsplit(settings.broker_url)
    place = (parts.hostname or "localhost", parts.port or _BROKER_PORTS[parts.scheme])
    try:
        socket.create_connection(place, SECONDS).close()
    except OSError as exc:
        report(
            broken(
                "broker",
                f"{place[0]}:{place[1]} does not answer ({exc.strerror or exc}): start the broker, "
                "or mend WEBHOOK_SERVICE_BROKER_URL.",
            )
        )
    else:
        report(good("broker", f"{place[0]}:{place[1]} takes connections."))


def _look_at_clusters(settings: Settings, report: Report) -> None:
    named = {f"cluster {name}": each.kubeconfig for name, each in settings.clusters.items()}
    for what, file in {"kubeconfig": settings.kubeconfig, **named}.items():
        if file is not None and not file.expanduser().is_file():
            report(broken(what, f"{file} is no file: mend the setting, or put the file there."))


def _look_at_clock(service: WebhookService, report: Report) -> None:
    with looking("clock", report):
        drift = (datetime.now(UTC) - service.store.now()).total_seconds()
        if abs(drift) > MAX_DRIFT:
            report(
                doubtful(
                    "clock",
                    f"This host is {abs(drift):.0f} s {'before' if drift > 0 else 'behind'} the "
                    "database: let NTP set both.",
                )
            )
        else:
            report(good("clock", "This host and the database agree."))


def _look_at_plugins(service: WebhookService, report: Report) -> None:
    ready = True
    for kind in (service.drivers, service.formats, service.schemes):
        for plugin in kind.plugins:
            if plugin.problem:
                ready = False
                judge = broken if plugin.state == "broken" else doubtful
                report(judge(f"plug-in {plugin.name}", plugin.problem))
    if ready:
        report(good("plug-ins", "All load."))


def _look_at_receivers(settings: Settings, service: WebhookService, report: Report) -> None:
    """Check each against the live system, with the rights that this process has there."""
    from webhook_service.receiving.missing_grants import missing_grants

    if told := missing_grants(settings, service.store, service.drivers):
        report(doubtful("grants", told))
    count = failed = 0
    for project in service.list_projects():
        for receiver in service.list_receivers(project.id).items:
            count += 1
            try:
                service.require_working(receiver)
            except WebhookServiceError as exc:
                failed += 1
                report(broken(f"receiver {project.id}/{receiver.spec.name}", exc.message))
    if not failed:
        report(good("receivers", f"{count} can work: their targets and rights are there."))
