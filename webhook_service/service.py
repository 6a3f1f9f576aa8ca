"""WebhookService: what an embedding application holds, and the path of a call.

``accept`` is steps 2 to 6 of a delivery, read top to bottom; the engine does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from webhook_service.delivery import Call, Delivery, DeliveryState
from webhook_service.discovery import DRIVERS, FORMATS, SCHEMES, Plugins, discover
from webhook_service.driver import Context, DriverConfig, Request, WebhookDriver
from webhook_service.drivers import Drivers
from webhook_service.engine.engine import Engine
from webhook_service.engine.local import LocalEngine
from webhook_service.errors import InvalidConfig, UnknownKey
from webhook_service.execution import Execution
from webhook_service.fetching import Fetcher
from webhook_service.ids import (
    DELIVERY,
    EXECUTION,
    RECEIVER,
    is_v16_key,
    new_id,
    new_key,
    new_token,
)
from webhook_service.observer import Observer
from webhook_service.payloads.format import Format
from webhook_service.receiver import Receiver, ReceiverSpec, ReceiverState
from webhook_service.receiver_body import read_body, read_name
from webhook_service.registry.late import LateResolver, outbound_of
from webhook_service.routes import REVOKED, Routes
from webhook_service.settings import Settings, load_settings
from webhook_service.simulation import Simulation, simulate
from webhook_service.store.pages import Page, PageRequest
from webhook_service.store.store import Store, open_store
from webhook_service.store.tokens import Role, Token
from webhook_service.verify.legacy_token import LegacyTokens
from webhook_service.verify.scheme import Scheme
from webhook_service.verify.schemes import Schemes
from webhook_service.verify.secrets import part_secrets

KEY_OVERLAP = timedelta(hours=24)


class WebhookService:
    """Receivers, their deliveries and executions, and the engine that runs them.

    Args:
        store: an open store (see ``open_store``).
        drivers: what receivers may name; ``formats`` and ``schemes`` likewise.
        engine: runs the executions; without one they are kept for other processes to run.
        fetcher: how schemes reach other servers, for keys and certificates.
        observer: is told what happens, see ``metrics``.
        legacy: reads the tokens in v1.6's oldest URLs; without it they are unknown.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        formats: Plugins[Format[Any]],
        schemes: Plugins[Scheme[Any]],
        engine: Engine | None = None,
        fetcher: Fetcher | None = None,
        legacy: LegacyTokens | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.store = store
        self.drivers = drivers
        self.formats = formats
        self.schemes = schemes
        self._engine = engine
        self._fetcher = fetcher or Fetcher()
        self._legacy = legacy
        self.observer = observer or Observer()
        verifiers = Schemes(schemes, self._fetcher)
        self._routes = Routes(store.receivers, drivers, formats, verifiers)

    @classmethod
    def open(
        cls,
        settings: Settings | None = None,
        *,
        run: bool = True,
        observe: Callable[[Store], Observer] | None = None,
    ) -> WebhookService:
        """Build a service from settings, with all installed plug-ins.

        Args:
            settings: those of the environment if left out.
            observe: makes the observer, given the open store.
            run: whether this process runs executions once the service is started.

        Raises:
            SettingsError: a setting cannot be used; the message says which.
        """
        settings = settings or load_settings()
        plugins: Plugins[WebhookDriver[Any, Any]] = discover(
            DRIVERS, "driver", WebhookDriver, settings.drivers
        )
        drivers = Drivers(plugins, settings.driver_options)
        legacy_key = settings.v16_public_key_file
        legacy = None if legacy_key is None else LegacyTokens.from_file(legacy_key)
        store = open_store(settings, settings.lease_seconds)
        observer = Observer() if observe is None else observe(store)
        engine = _engine(settings, store, drivers, observer) if run else None
        return cls(
            store,
            drivers,
            discover(FORMATS, "format", Format),
            discover(SCHEMES, "scheme", Scheme),
            engine,
            fetcher=Fetcher(partial(outbound_of, settings)),
            legacy=legacy,
            observer=observer,
        )

    def start(self) -> None:
        """Begin to run executions."""
        if self._engine is not None:
            self._engine.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what runs, for at most ``timeout`` seconds, and close everything."""
        if self._engine is not None:
            self._engine.stop(timeout)
        self.drivers.close()
        self._fetcher.close()
        self.store.close()

    def __enter__(self) -> WebhookService:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Receivers

    def create_receiver(
        self, project: str, body: Mapping[str, Any], *, v16_key: str | None = None
    ) -> Receiver:
        """Check a receiver's body, also against the live system, and store it.

        Args:
            body: as in the JSON API (``name``, ``driver``, ``<driver>Config``, …).
            v16_key: its key in v1.6, so that its URL goes on working.

        Raises:
            InvalidConfig: it cannot work; the message says what to change.
        """
        if v16_key is not None and not is_v16_key(v16_key):
            raise InvalidConfig("A key of v1.6 has 40 letters and digits, or is a UUID.")
        _check_project(project)
        self.store.receivers.require_free(project, read_name(body))
        spec, config = self._read(body)
        now = datetime.now(UTC)
        receiver = Receiver(new_id(RECEIVER), project, spec, now, now)
        self._validate(receiver, config)
        self.store.receivers.add(receiver, v16_key or new_key())
        return receiver

    def update_receiver(self, project: str, receiver_id: str, body: Mapping[str, Any]) -> Receiver:
        """Change the fields that the body has; the rest stays, and so do the URL and history.

        Raises:
            NotFound: no such receiver in the project.
            InvalidConfig: the result cannot work.
        """
        old = self.store.receivers.get(project, receiver_id)
        spec, config = self._read(body, old.spec)
        self._validate(Receiver(old.id, project, spec, old.created, old.updated), config)
        return self.store.receivers.update(project, receiver_id, spec)

    def suspend_receiver(self, project: str, receiver_id: str) -> Receiver:
        """Record calls as ignored and run nothing, until ``resume_receiver``."""
        return self._set_state(project, receiver_id, ReceiverState.SUSPENDED)

    def resume_receiver(self, project: str, receiver_id: str) -> Receiver:
        """End a suspension."""
        return self._set_state(project, receiver_id, ReceiverState.ACTIVE)

    def get_receiver(self, project: str, receiver_id: str) -> Receiver:
        """One receiver; raises NotFound for an id that the project does not have."""
        return self.store.receivers.get(project, receiver_id)

    def list_receivers(self, project: str, page: PageRequest | None = None) -> Page[Receiver]:
        """The project's receivers, newest first."""
        return self.store.receivers.page(project, page or PageRequest())

    def delete_receiver(self, project: str, receiver_id: str) -> None:
        """Delete a receiver; its URL ends at once, its history stays."""
        self.store.receivers.remove(project, receiver_id)
        self._routes.forget(receiver_id)

    def receiver_key(self, project: str, receiver_id: str) -> str:
        """The key in the receiver's URL."""
        return self.store.receivers.key(self.get_receiver(project, receiver_id).id).key

    def receiver_keys(self, receivers: Iterable[Receiver]) -> Mapping[str, str]:
        """The keys in the receivers' URLs, by receiver id; one deleted meanwhile has none."""
        return self.store.receivers.keys([receiver.id for receiver in receivers])

    def rotate_key(self, project: str, receiver_id: str, overlap: timedelta = KEY_OVERLAP) -> str:
        """Give the receiver a new key; the old one works for the overlap, and then never again."""
        key = new_key()
        self.store.receivers.rotate(project, receiver_id, key, overlap)
        return key

    # The path of a call

    def read_v16_token(self, token: str) -> tuple[str, str]:
        """The project and key that the token in one of v1.6's oldest URLs stands for.

        Raises:
            UnknownKey: it is not genuine, or this service knows no such tokens.
        """
        found = None if self._legacy is None else self._legacy.read(token)
        if found is None:
            raise UnknownKey(REVOKED)
        return found

    def require_key(self, project: str, key: str) -> None:
        """Make sure that a key is live.

        Raises:
            UnknownKey: no receiver of the project has this key.
        """
        self._routes.find(project, key)

    def accept(self, project: str, key: str, call: Call) -> Delivery:
        """Take a call: find its receiver, verify, parse, match, and commit the decision.

        When this returns, the delivery and its executions are stored for good.

        Raises:
            UnknownKey: no receiver of the project has this key.
            Unauthenticated: the call is not proven genuine.
            IssuerUnavailable: that cannot be told now; the sender should try again.
            InvalidPayload: the body is not of the receiver's format.
            StoreUnavailable: nothing was stored; the sender should try again.
        """
        received = datetime.now(UTC)
        route = self._routes.find(project, key)
        route.verify(call)
        route.greet(call)
        parsed = route.parse(call)
        works, items = route.match(parsed, received, route.message_id(call))
        delivery = self.store.deliveries.accept(
            Delivery(
                id=new_id(DELIVERY),
                project=project,
                receiver=route.receiver.id,
                state=DeliveryState.IGNORED,
                received=received,
                reason=items[0].reason if items else None,
                items=tuple(items),
                client=call.client,
                reply=None if isinstance(parsed, Request) else parsed.reply,
            ),
            works,
            route.receiver.spec.driver,
            call.body,
        )
        if delivery.state is DeliveryState.ACCEPTED and self._engine is not None:
            self._engine.wake()
        seconds = (datetime.now(UTC) - received).total_seconds()
        self.observer.decided(delivery, route.receiver.spec.source.format, seconds)
        return delivery

    # History

    def get_delivery(self, project: str, delivery_id: str) -> Delivery:
        """One delivery; raises NotFound for an id that the project does not have."""
        return self.store.deliveries.get(project, delivery_id)

    def list_deliveries(self, project: str, page: PageRequest | None = None) -> Page[Delivery]:
        """The project's deliveries, newest first."""
        return self.store.deliveries.page(project, page or PageRequest())

    def get_execution(self, project: str, execution_id: str) -> Execution:
        """One execution with its attempts; raises NotFound for a foreign id."""
        return self.store.executions.get(project, execution_id)

    def list_executions(self, project: str, page: PageRequest | None = None) -> Page[Execution]:
        """The project's executions, newest first, without their attempts."""
        return self.store.executions.page(project, page or PageRequest())

    def replay_execution(
        self, project: str, execution_id: str, *, as_of: bool = False
    ) -> Execution:
        """Run an ended execution's event once more, as a new execution.

        Args:
            as_of: keep the old place in the order: what was pushed since still wins.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has not ended yet.
        """
        replay = self.store.executions.replay(project, execution_id, new_id(EXECUTION), as_of)
        if self._engine is not None:
            self._engine.wake()
        return replay

    def cancel_execution(self, project: str, execution_id: str) -> Execution:
        """End an execution that has not ended; what it has changed already stays.

        Raises:
            NotFound: no such execution in the project.
            InvalidRequest: it has ended already.
        """
        message = "Cancelled; what it had changed already stays."
        return self.store.executions.cancel(project, execution_id, message)

    def simulate(self, project: str, receiver_id: str, call: Call) -> Simulation:
        """Say what a call would do now, and change nothing.

        Raises:
            NotFound: no such receiver in the project.
            InvalidPayload: the body is not of the receiver's format.
        """
        receiver = self.store.receivers.get(project, receiver_id)
        return simulate(self._routes.of(receiver), call)

    # Tokens

    def create_token(self, project: str, role: Role = Role.OWNER) -> tuple[Token, str]:
        """Make an API token; its secret is in the answer and nowhere else."""
        _check_project(project)
        secret = new_token()
        token = Token(new_id("tok"), project, role, datetime.now(UTC))
        self.store.tokens.add(token, secret)
        return token, secret

    def _set_state(self, project: str, receiver_id: str, state: ReceiverState) -> Receiver:
        old = self.store.receivers.get(project, receiver_id)
        spec = old.spec.model_copy(update={"state": state})
        return self.store.receivers.update(project, receiver_id, spec)

    def _read(
        self, body: Mapping[str, Any], stored: ReceiverSpec | None = None
    ) -> tuple[ReceiverSpec, DriverConfig]:
        spec, config = read_body(body, self.drivers, stored)
        options = self.schemes.get(spec.verify.scheme).Options
        return part_secrets(spec, options, stored), config

    def _validate(self, receiver: Receiver, config: DriverConfig) -> None:
        """Compile every part of the receiver, then let the driver look at the live system."""
        route = self._routes.compile(receiver)
        route.driver.validate(config, Context(project=receiver.project, receiver=receiver.id))


def _engine(settings: Settings, store: Store, drivers: Drivers, observer: Observer) -> Engine:
    resolver = LateResolver(settings)
    return LocalEngine(store, drivers, settings.workers, resolver=resolver, observer=observer)


def _check_project(project: str) -> None:
    if not project or len(project) > 255 or not project.isprintable() or project.endswith("/"):
        raise InvalidConfig("A project id has 1 to 255 printable characters, the last no slash.")
