"""WebhookService: what an embedding application holds, and the path of a call.

``accept`` is steps 2 to 6 of a delivery, read top to bottom; the engine does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from webhook_service.chores.chore import Chore
from webhook_service.chores.reconcile import Reconcile
from webhook_service.chores.retention import retention
from webhook_service.chores.scheduler import LOOK_SECONDS, Keeper
from webhook_service.driver import Context, DriverConfig, WebhookDriver
from webhook_service.engine.engine import Engine
from webhook_service.engine.factory import open_engine
from webhook_service.errors import InvalidConfig, UnknownKey, WebhookServiceError
from webhook_service.failpoints import failpoint
from webhook_service.formats.format import Format
from webhook_service.model.delivery import Basis, Call, Decision, Delivery, DeliveryState
from webhook_service.model.execution import Execution
from webhook_service.model.ids import RECEIVER, is_v16_key, new_id, new_key, new_token
from webhook_service.model.receiver import Receiver, ReceiverSpec, ReceiverState
from webhook_service.net.fetcher import Fetcher
from webhook_service.people.interventions import Interventions
from webhook_service.plugins.discovery import DRIVERS, FORMATS, SCHEMES, Plugins, discover
from webhook_service.plugins.drivers import Drivers
from webhook_service.plugins.schemes import Schemes
from webhook_service.receiving.body import read_body, read_name
from webhook_service.receiving.cache import REVOKED, Routes
from webhook_service.receiving.compiled import Route
from webhook_service.receiving.simulate import Simulation, simulate
from webhook_service.receiving.v16_token import LegacyTokens
from webhook_service.registry.late import LateClient, outbound_of
from webhook_service.schemes.proving.secret_fields import part_secrets
from webhook_service.schemes.scheme import Scheme
from webhook_service.settings import Settings, load_settings
from webhook_service.store.pages import Page, PageRequest
from webhook_service.store.store import Store, open_store
from webhook_service.store.tokens import Role, Token
from webhook_service.telemetry.observer import Observer, Observers

KEY_OVERLAP = timedelta(hours=24)


class WebhookService:
    """Receivers, their deliveries and executions, and the engine that runs them.

    ``interventions`` is what people do with executions: replay, cancel, approve, roll back.

    Args:
        store: an open store (see ``open_store``).
        drivers: what receivers may name; ``formats`` and ``schemes`` likewise.
        engine: runs the executions; without one they are kept for other processes to run.
        fetcher: how schemes reach other servers, for keys and certificates.
        observers: are told what happens, see ``metrics``.
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
        observers: Observers | None = None,
    ) -> None:
        self.store = store
        self.drivers = drivers
        self.formats = formats
        self.schemes = schemes
        self._engine = engine
        self._fetcher = fetcher or Fetcher()
        self._legacy = legacy
        self.observers = observers or Observers()
        verifiers = Schemes(schemes, self._fetcher)
        self._routes = Routes(store.receivers, drivers, formats, verifiers)
        self._keeper: Keeper | None = None
        self._at_end = ExitStack()
        self.interventions = Interventions(store, self._routes, self._wake)

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
            observe: makes an observer, given the open store.
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
        observers = Observers() if observe is None else Observers(observe(store))
        engine = open_engine(settings, store, drivers, observers) if run else None
        service = cls(
            store,
            drivers,
            discover(FORMATS, "format", Format),
            discover(SCHEMES, "scheme", Scheme),
            engine,
            fetcher=Fetcher(partial(outbound_of, settings)),
            legacy=legacy,
            observers=observers,
        )
        if run:
            registries = LateClient(settings)
            service._at_end.callback(registries.close)
            reconcile = Reconcile(store, service._routes, registries, service.conclude)
            service.do_chores([*retention(store, settings), reconcile])
        return service

    def do_chores(self, chores: Sequence[Chore], look: float = LOOK_SECONDS) -> None:
        """Let this process take its turns at chores, once it is started.

        Args:
            look: seconds after which it looks again which ones are due.
        """
        self._keeper = Keeper(self.store.chores, chores, look)

    @property
    def is_stuck(self) -> bool:
        """Whether every worker hangs in a driver, so that only a new process can go on."""
        return self._engine is not None and self._engine.is_stuck

    def start(self) -> None:
        """Begin to run executions."""
        if self._engine is not None:
            self._engine.start()
        if self._keeper is not None:
            self._keeper.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what runs, for at most ``timeout`` seconds, and close everything."""
        if self._keeper is not None:
            self._keeper.stop(timeout)
        if self._engine is not None:
            self._engine.stop(timeout)
        self._at_end.close()
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
        decision = self._decide(route, call, received)
        delivery = self.store.deliveries.accept(decision)
        return self.conclude(decision, delivery)

    def decide_at_once(self, project: str, key: str, call: Call) -> Decision | None:
        """Decide on a call by what is remembered of its receiver, waiting for nothing.

        For event loops: hand the decision to ``store.deliveries.submit``, which makes sure that
        what was remembered is still so, and its result to ``conclude``.

        Returns:
            None if ``accept`` has to be called: the receiver is not remembered, or the call takes
            long, or would be refused, which is not told by what may be outdated.
        """
        received = datetime.now(UTC)
        found = self._routes.remembered(project, key)
        if found is None or not found.route.is_quick(call):
            return None
        try:
            return self._decide(found.route, call, received, found.basis)
        except WebhookServiceError:
            return None

    def conclude(self, decision: Decision, delivery: Delivery) -> Delivery:
        """Tell of a delivery that is stored now: the engine, and whoever observes."""
        failpoint("accept.committed")
        if delivery.state is DeliveryState.ACCEPTED:
            self._wake(delivery.executions)
        seconds = (datetime.now(UTC) - delivery.received).total_seconds()
        self.observers.decided(delivery, decision.format, seconds)
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

    def _wake(self, executions: Sequence[str] = ()) -> None:
        if self._engine is not None:
            self._engine.wake(executions)

    def _decide(
        self, route: Route, call: Call, received: datetime, basis: Basis | None = None
    ) -> Decision:
        """Verify, parse and match a call; the answer to it stands, and nothing is stored yet."""
        route.verify(call)
        route.greet(call)
        parsed = route.parse(call)
        decision = route.decide(parsed, received, route.message_id(call), call, basis)
        failpoint("accept.matched")
        return decision

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


def _check_project(project: str) -> None:
    if not project or len(project) > 255 or not project.isprintable() or project.endswith("/"):
        raise InvalidConfig("A project id has 1 to 255 printable characters, the last no slash.")
