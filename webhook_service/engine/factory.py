"""The engine that the settings name."""

from __future__ import annotations

from webhook_service.engine.engine import Engine
from webhook_service.engine.local import LocalEngine
from webhook_service.engine.notify import with_notices
from webhook_service.plugins.instances import Drivers
from webhook_service.registry.registries import Registries
from webhook_service.settings import Settings
from webhook_service.store.store import Store
from webhook_service.telemetry.observer import Observer


def open_engine(settings: Settings, store: Store, drivers: Drivers, observer: Observer) -> Engine:
    """Make an engine that is not started yet.

    Raises:
        SettingsError: what the engine needs is not installed, or not set.
    """
    if settings.engine == "celery":
        return _celery_engine(settings, store, observer)
    return LocalEngine(
        store,
        with_notices(drivers, settings),
        settings.workers,
        resolver=Registries(settings),
        observer=observer,
        step_seconds=settings.step_seconds,
        rollout_seconds=settings.rollout_seconds,
    )


def _celery_engine(settings: Settings, store: Store, observer: Observer) -> Engine:
    # Celery is optional, and takes a good part of a start.
    from webhook_service.engine.celery.app import make_app
    from webhook_service.engine.celery.engine import CeleryEngine
    from webhook_service.engine.celery.publisher import Publisher

    return CeleryEngine(store, Publisher(make_app(settings)), observer=observer)
