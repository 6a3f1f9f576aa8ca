"""The operator's process: watches Receivers, and carries each over when it changes and in turn."""

from __future__ import annotations

import logging
from typing import Any

import kopf

from webhook_service.errors import SettingsError, WebhookServiceError
from webhook_service.model.receiver_document import GROUP, VERSION
from webhook_service.operator import PLURAL
from webhook_service.operator.cluster import HomeCluster, log_in
from webhook_service.operator.custom_receiver import CustomReceiver
from webhook_service.operator.reconcile import Reconciler
from webhook_service.service import WebhookService
from webhook_service.settings import Settings

log = logging.getLogger(__name__)
EVERY_PROJECT = "*"
BACKOFF = 5.0
RECEIVERS = (GROUP, VERSION, PLURAL)


def namespaces_of(settings: Settings) -> tuple[str, ...]:
    """The namespaces whose resources are carried over: those of the projects with grants.

    Raises:
        SettingsError: the grants do not bound what a resource may touch.
    """
    granted = settings.namespaces
    if not granted or EVERY_PROJECT in granted:
        raise SettingsError(
            "WEBHOOK_SERVICE_NAMESPACES must name the namespaces whose Receivers count, each with "
            'what these may touch, and not "*": {"shop": ["default/shop"]}.'
        )
    return tuple(granted)


def run_operator(settings: Settings, interval: float, liveness: str | None = None) -> None:
    """Watch until a signal ends it.

    Args:
        interval: seconds after which a resource is looked at again: for its health, and to undo
            what others changed in the service.
        liveness: ``address:port`` at which ``/healthz`` says that it is alive.

    Raises:
        SettingsError: a setting is missing, or the cluster cannot be reached or has no Receivers.
    """
    namespaces = namespaces_of(settings)
    if settings.base_url is None:
        raise SettingsError("WEBHOOK_SERVICE_BASE_URL must say where senders reach the service.")
    cluster = HomeCluster(log_in(settings))
    cluster.require_definition()
    service = WebhookService.open(settings, run=False)
    try:
        kopf.run(
            registry=_handlers(Reconciler(service, cluster, settings.base_url), settings, interval),
            settings=_configured(),
            namespaces=namespaces,
            standalone=True,
            liveness_endpoint=liveness and f"http://{liveness}/healthz",
        )
    finally:
        service.stop()


def _configured() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    prefix = f"operator.{GROUP}"
    settings.persistence.finalizer = f"{GROUP}/receiver"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=prefix)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=prefix)
    # What is to be told stands in the conditions; and no rights outside the namespaces are needed.
    settings.posting.enabled = False
    settings.scanning.disabled = True
    return settings


def _handlers(reconciler: Reconciler, settings: Settings, interval: float) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    def carry_over(body: kopf.Body, patch: kopf.Patch, **_: Any) -> None:
        resource = CustomReceiver.read(body)
        try:
            status = reconciler.reconcile(resource)
            if all(resource.status.get(name) == value for name, value in status.items()):
                log.debug("%s/%s: the status is as it should be", resource.namespace, resource.name)
                return
            reconciler.require_newest(resource)
        except WebhookServiceError as exc:
            raise kopf.TemporaryError(exc.message, delay=BACKOFF) from exc
        patch.status.update(status)

    def delete(body: kopf.Body, **_: Any) -> None:
        try:
            reconciler.delete(CustomReceiver.read(body))
        except WebhookServiceError as exc:
            raise kopf.TemporaryError(exc.message, delay=BACKOFF) from exc

    for when in (kopf.on.create, kopf.on.update, kopf.on.resume):
        when(*RECEIVERS, registry=registry, id="receiver", backoff=BACKOFF)(carry_over)
    kopf.timer(
        *RECEIVERS,
        registry=registry,
        id="look",
        interval=interval,
        initial_delay=interval,
        backoff=BACKOFF,
    )(carry_over)
    kopf.on.delete(*RECEIVERS, registry=registry, id="receiver", backoff=BACKOFF)(delete)

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        found: Any = log_in(settings)
        authorization = found.get_api_key_with_prefix("BearerToken") or ""
        scheme, token = authorization.rpartition(" ")[::2]
        return kopf.ConnectionInfo(
            server=found.host,
            ca_path=found.ssl_ca_cert,
            insecure=not found.verify_ssl,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            scheme=scheme or "Bearer",
            token=token or None,
        )

    return registry
