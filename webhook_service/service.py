"""WebhookService: what an embedding application holds, and the path of a call.

``accept`` is steps 2 to 6 of a delivery, read top to bottom; the engine does the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from webhook_service.chores.chore import Chore
from webhook_service.chores.reconcile import Reconcile
from webhook_service.chores.retention import retention
from webhook_service.chores.scheduler import LOOK_SECONDS, Scheduler
from webhook_service.engine.engine import Engine
from webhook_service.engine.factory import open_engine
from webhook_service.errors import (
    InvalidConfig,
    LimitReached,
    OutdatedVersion,
    PluginUnavailable,
    UnknownKey,
)
from webhook_service.failpoints import failpoint
from webhook_service.model.audit import APPLICATION, Actor, AuditEntry
from webhook_service.model.backlog import Backlog, Written
from webhook_service.model.delivery import Call, Decision, Delivery, DeliveryState
from webhook_service.model.execution import Execution
from webhook_service.model.ids import (
    RECEIVER,
    is_v16_key,
    new_id,
    new_key,
    new_token,
    require_project_id,
)
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.receiver import Receiver
from webhook_service.model.tokens import Role, Token, check_token
from webhook_service.net.fetcher import Fetcher, outbound_of
from webhook_service.people.interventions import Interventions
from webhook_service.plugins.instances import (
    Drivers,
    Formats,
    Schemes,
    installed_drivers,
    new_formats,
    new_schemes,
)
from webhook_service.receiving.body import read_name, read_spec
from webhook_service.receiving.cache import REVOKED, CompiledReceivers
from webhook_service.receiving.fair_share import FairShare
from webhook_service.receiving.four_eyes import FourEyes
from webhook_service.receiving.missing_grants import missing_grants
from webhook_service.receiving.refusals import Refusals
from webhook_service.receiving.simulate import Simulation, simulate
from webhook_service.receiving.v16_token import LegacyTokens
from webhook_service.registry.registries import Registries
from webhook_service.settings import Settings, load_settings
from webhook_service.store.async_intake import AsyncIntake
from webhook_service.store.store import Store, open_store
from webhook_service.telemetry.observer import Decided, Observers

log = logging.getLogger(__name__)
# Calls that may wait for other servers, or are large: threads of their own, shared by projects.
SLOW_CALLS = 32
KEY_OVERLAP = timedelta(hours=24)


class WebhookService:
    """Receivers, their deliveries and executions, and the engine that runs them.

    Applications build one with ``open``. Their own plug-ins are added before it is started:
    ``service.drivers.add("announce", Announce())``, and likewise ``formats`` and ``schemes``.
    ``interventions`` is what people do with executions: replay, cancel, approve, roll back.
    Who does it is said by ``by``, here and there; the audit names that actor. ``refusals`` keeps
    calls that were refused.
    ``observers.add`` takes whoever wants to be told what happens.

    Args:
        store: an open store (see ``open_store``).
        drivers: what receivers may name; ``formats`` and ``schemes`` likewise.
        engine: runs the executions; without one they are kept for other processes to run.
        legacy: reads the tokens in v1.6's oldest URLs; without it they are unknown.
        observers: are told what happens, the engine's steps too if it was given the same.
    """

    def __init__(
        self,
        store: Store,
        drivers: Drivers,
        formats: Formats,
        schemes: Schemes,
        engine: Engine | None = None,
        legacy: LegacyTokens | None = None,
        observers: Observers | None = None,
    ) -> None:
        self.store = store
        self.drivers = drivers
        self.formats = formats
        self.schemes = schemes
        self.observers = observers or Observers()
        self._engine = engine
        self._legacy = legacy
        self._receivers = CompiledReceivers(store.receivers, drivers, formats, schemes)
        self._slow_calls = FairShare(SLOW_CALLS)
        self._slow_threads = CapacityLimiter(SLOW_CALLS)
        self._four_eyes = FourEyes(store.receivers, drivers)
        self._async_intake = AsyncIntake(store.intake.submit)
        self._scheduler: Scheduler | None = None
        self._at_end = ExitStack()
        self._stopped = False
        self.refusals = Refusals(store, formats, schemes)
        self.interventions = Interventions(store, self._receivers, self._wake)

    @classmethod
    def open(cls, settings: Settings | None = None, *, run: bool = True) -> WebhookService:
        """Build a service from settings, with all installed plug-ins.

        Args:
            settings: those of the environment if left out.
            run: whether this process runs executions once the service is started.

        Raises:
            SettingsError: a setting cannot be used; the message says which.
        """
        settings = settings or load_settings()
        drivers, outbound = installed_drivers(settings), outbound_of(settings)
        legacy_key = settings.v16_public_key_file
        legacy = None if legacy_key is None else LegacyTokens.from_file(legacy_key)
        store, observers = open_store(settings, settings.lease_seconds), Observers()
        service = cls(
            store,
            drivers,
            new_formats(),
            new_schemes(Fetcher(outbound)),
            open_engine(settings, store, drivers, observers) if run else None,
            legacy,
            observers,
        )
        service._at_end.callback(outbound.close)
        if run:
            # Line by line: a log shows no line breaks, and the setting is to be copied.
            for line in (missing_grants(settings, store, drivers) or "").splitlines():
                log.error("%s", line)
            registries = Registries(settings)
            service._at_end.callback(registries.close)
            reconcile = Reconcile(store, service._receivers, registries, service.commit)
            service.do_chores([*retention(store, settings), reconcile])
        return service

    def do_chores(self, chores: Sequence[Chore], look: float = LOOK_SECONDS) -> None:
        """Let this process take its turns at chores, once it is started.

        Args:
            look: seconds after which it looks again which ones are due.
        """
        self._scheduler = Scheduler(self.store.chores, chores, look, observer=self.observers)

    @property
    def is_stuck(self) -> bool:
        """Whether only a new process can go on: every worker hangs, or a thread is gone."""
        engine_is_stuck = self._engine is not None and self._engine.is_stuck
        return engine_is_stuck or self.store.database.is_stuck

    def ping(self) -> None:
        """Ask the database for a sign of life; raises StoreUnavailable without one."""
        self.store.ping()

    def backlog(self) -> Backlog:
        """What waits in the database, over all projects; raises StoreUnavailable."""
        return self.store.executions.backlog()

    def written(self) -> Written:
        """What the writer of this process has to do, and has done."""
        return self.store.database.written

    def start(self) -> None:
        """Begin to run executions.

        Raises:
            RuntimeError: the service was stopped; its connections are closed for good.
        """
        if self._stopped:
            raise RuntimeError(
                "This service was stopped, which closed its connections; "
                "open another one: WebhookService.open(settings)."
            )
        if self._engine is not None:
            self._engine.start()
        if self._scheduler is not None:
            self._scheduler.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what runs, for at most ``timeout`` seconds, and close everything for good."""
        self._stopped = True
        # In the reverse order of these lines; what one of them raises keeps none from its turn.
        with ExitStack() as last:
            last.callback(self.store.close)
            for plugins in (self.schemes, self.formats, self.drivers):
                last.callback(plugins.close)
            last.push(self._at_end)
            if self._engine is not None:
                last.callback(self._engine.stop, timeout)
            if self._scheduler is not None:
                last.callback(self._scheduler.stop, timeout)

    def __enter__(self) -> WebhookService:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Receivers

    def create_receiver(
        self,
        project: str,
        body: Mapping[str, Any],
        *,
        v16_key: str | None = None,
        by: Actor = APPLICATION,
        role: Role = Role.OWNER,
    ) -> Receiver:
        """Check a receiver's body, also against the live system, and store it.

        Args:
            body: as in the JSON API (``name``, ``driver``, ``<driver>Config``, …).
            v16_key: its key in v1.6, so that its URL goes on working.
            role: of whoever asks for it; owners alone may go around an approval.

        Raises:
            RoleNotAllowed: it would go around an approval, which needs an owner.
            InvalidConfig: it cannot work; the message says what to change.
        """
        receiver = self.check_receiver(project, body, v16_key=v16_key)
        self._four_eyes.require(role, None, receiver)
        self.store.receivers.add(receiver, v16_key or new_key(), by)
        return receiver

    def check_receiver(
        self, project: str, body: Mapping[str, Any], *, v16_key: str | None = None
    ) -> Receiver:
        """Do all that ``create_receiver`` does, and store nothing."""
        if v16_key is not None and not is_v16_key(v16_key):
            raise InvalidConfig("A key of v1.6 has 40 letters and digits, or is a UUID.")
        require_project_id(project)
        name = read_name(body, self.drivers)
        self.store.receivers.require_free(project, name, v16_key)
        spec = read_spec(body, self.drivers, self.schemes)
        now = datetime.now(UTC)
        receiver = Receiver(new_id(RECEIVER), project, spec, now, now)
        self._receivers.compile(receiver).validate(shared=self.store.projects.shares(project))
        return receiver

    def update_receiver(
        self,
        project: str,
        receiver_id: str,
        body: Mapping[str, Any],
        *,
        version: int | None = None,
        by: Actor = APPLICATION,
        role: Role = Role.OWNER,
    ) -> Receiver:
        """Change the fields that the body has; the rest stays, and so do the URL and history.

        Args:
            body: parts merge field by field, and null removes (see ``receiving.body``).
            version: the one that the change is made for, if it must not be made for a newer one.
            role: see ``create_receiver``.

        Raises:
            RoleNotAllowed: see ``create_receiver``.
            NotFound: no such receiver in the project.
            InvalidConfig: the result cannot work.
            ChangedMeanwhile: somebody else changed it while this change was checked.
            OutdatedVersion: it is at another version than ``version``.
        """
        old = self.store.receivers.get(project, receiver_id)
        if version not in (None, old.version):
            raise OutdatedVersion(
                f"The receiver is at version {old.version}, and If-Match names {version}: read it "
                "again, and repeat the change if it is still right."
            )
        spec = read_spec(body, self.drivers, self.schemes, old.spec)
        changed = Receiver(old.id, project, spec, old.created, old.updated)
        self._receivers.compile(changed).validate(shared=self.store.projects.shares(project))
        self._four_eyes.require(role, old, changed)
        receiver, held = self.store.receivers.update(old, spec, by)
        self._wake(held)
        return receiver

    def suspend_receiver(
        self, project: str, receiver_id: str, *, by: Actor = APPLICATION
    ) -> Receiver:
        """Ignore calls and begin nothing, until ``resume_receiver``.

        What was accepted before is held. A rollout that is under way goes on to its end, and a
        rollback by people runs.
        """
        return self.store.receivers.suspend(project, receiver_id, by)

    def resume_receiver(
        self, project: str, receiver_id: str, *, by: Actor = APPLICATION
    ) -> Receiver:
        """End a suspension; what it held runs, the newest push of each slot."""
        receiver, held = self.store.receivers.resume(project, receiver_id, by)
        self._wake(held)
        return receiver

    def get_receiver(self, project: str, receiver_id: str) -> Receiver:
        """One receiver; raises NotFound for an id that the project does not have."""
        return self.store.receivers.get(project, receiver_id)

    def list_receivers(self, project: str, page: PageRequest | None = None) -> Page[Receiver]:
        """The project's receivers, newest first."""
        return self.store.receivers.page(project, page or PageRequest())

    def receiver_problems(self, receivers: Iterable[Receiver]) -> Mapping[str, str]:
        """Why some stored receivers cannot take calls, by receiver id."""
        found = {receiver.id: self._receivers.problem(receiver) for receiver in receivers}
        return {id_: problem for id_, problem in found.items() if problem is not None}

    def delete_receiver(
        self,
        project: str,
        receiver_id: str,
        *,
        by: Actor = APPLICATION,
        role: Role = Role.OWNER,
    ) -> None:
        """Delete a receiver; its URL ends at once, its history stays.

        Raises:
            NotFound: no such receiver in the project.
            RoleNotAllowed: see ``create_receiver``.
        """
        if role is not Role.OWNER:  # who may delete also one that cannot be read any more
            self._four_eyes.require(role, self.get_receiver(project, receiver_id), None)
        self.store.receivers.remove(project, receiver_id, by)
        self._receivers.forget(receiver_id)

    def receiver_key(self, project: str, receiver_id: str) -> str:
        """The key in the receiver's URL."""
        return self.store.receivers.key(self.get_receiver(project, receiver_id).id).key

    def receiver_keys(self, receivers: Iterable[Receiver]) -> Mapping[str, str]:
        """The keys in the receivers' URLs, by receiver id; one deleted meanwhile has none."""
        return self.store.receivers.keys([receiver.id for receiver in receivers])

    def rotate_key(
        self,
        project: str,
        receiver_id: str,
        overlap: timedelta = KEY_OVERLAP,
        *,
        by: Actor = APPLICATION,
    ) -> str:
        """Give the receiver a new key; the old one works for the overlap, and then never again."""
        key = new_key()
        self.store.receivers.rotate(project, receiver_id, key, overlap, by)
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
        self._receivers.find(project, key)

    def accept(self, project: str, key: str, call: Call) -> Delivery:
        """Take a call: find its receiver, verify, parse, match, and commit the decision.

        When this returns, the delivery and its executions are stored for good.

        Raises:
            UnknownKey: no receiver of the project has this key.
            Unauthenticated: the call is not proven genuine.
            IssuerUnavailable: that cannot be told now; the sender should try again.
            InvalidPayload: the body is not of the receiver's format.
            PluginUnavailable: a plug-in of the receiver failed; nothing was stored.
            StoreUnavailable: nothing was stored; the sender should try again.
            LimitReached: likewise, for its receiver or project has stored too much.
        """
        with self.refusals.kept(project, key, call):
            decision = self._receivers.find(project, key).decide(call, datetime.now(UTC))
        return self.commit(decision)

    async def accept_async(self, project: str, key: str, call: Call) -> Delivery:
        """``accept`` for asynchronous applications: no thread waits for the commit.

        A call is decided on here by what is remembered of its receiver, if that takes a few
        milliseconds at most; the writer makes sure that it is still so. What holds up others, or
        would be refused, which memory alone must not do, goes to a thread.

        Raises:
            UnknownKey, Unauthenticated, IssuerUnavailable, InvalidPayload: see ``accept``.
            PluginUnavailable, StoreUnavailable, LimitReached: see ``accept``.
        """
        if (decision := self._receivers.decide_from_memory(project, key, call)) is not None:
            with suppress(LimitReached):  # memory alone must not refuse
                if (delivery := await self._async_intake.store(decision)) is not None:
                    return self._conclude(decision, delivery)
        with suppress(InvalidConfig, PluginUnavailable):
            # A stranger takes no place of the project.
            await run_sync(self._receivers.find, project, key)
        async with self._slow_calls.place(project):
            return await run_sync(self.accept, project, key, call, limiter=self._slow_threads)

    def commit(self, decision: Decision) -> Delivery:
        """Store a decision with the work that it brings, and let the engine know.

        Raises:
            StoreUnavailable, LimitReached: nothing was stored.
        """
        return self._conclude(decision, self.store.intake.accept(decision))

    def find_ended(self, executions: Collection[str]) -> Sequence[Execution]:
        """Those of some executions, of any project, that have ended or are settled."""
        return self.store.executions.ended(executions)

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

    def list_audit(self, project: str, page: PageRequest | None = None) -> Page[AuditEntry]:
        """Who did what in the project, newest first."""
        return self.store.audit.page(project, page or PageRequest())

    def simulate(self, project: str, receiver_id: str, call: Call) -> Simulation:
        """Say what a call would do now, and change nothing.

        Raises:
            NotFound: no such receiver in the project.
            InvalidPayload: the body is not of the receiver's format.
        """
        receiver = self.store.receivers.get(project, receiver_id)
        shared = self.store.projects.shares(project)
        return simulate(self._receivers.of(receiver), call, shared=shared)

    # Tokens

    def create_token(
        self,
        project: str,
        role: Role = Role.OWNER,
        *,
        name: str = "",
        expires: datetime | None = None,
        by: Actor = APPLICATION,
    ) -> tuple[Token, str]:
        """Make an API token; its secret is in the answer and nowhere else.

        Args:
            name: what it is for, for people; up to 255 characters.
            expires: when it ends, aware of its zone; never if left out.

        Raises:
            InvalidConfig: the project, the name or the time cannot be used.
        """
        require_project_id(project)
        now, secret = datetime.now(UTC), new_token()
        check_token(name, expires, now)
        token = Token(new_id("tok"), project, role, now, name=name, expires=expires)
        self.store.tokens.add(token, secret, by)
        return token, secret

    def find_token(self, secret: str) -> Token | None:
        """The API token with this secret; None if it is unknown, revoked or expired."""
        return self.store.tokens.find(secret)

    def list_tokens(self, project: str | None = None) -> Sequence[Token]:
        """All tokens, newest first; of one project if it is given."""
        return self.store.tokens.list(project)

    def revoke_token(self, token_id: str, *, by: Actor = APPLICATION) -> None:
        """End a token at once; raises NotFound."""
        self.store.tokens.revoke(token_id, by)

    def rotate_secret_key(self) -> int:
        """Seal every stored secret with the newest secret key; how many rows have one.

        Raises:
            SettingsError: a key that sealed one of them is not set any more.
        """
        return self.store.reseal()

    def _wake(self, executions: Sequence[str] = ()) -> None:
        if self._engine is not None:
            self._engine.wake(executions)

    def _conclude(self, decision: Decision, delivery: Delivery) -> Delivery:
        """Tell of a delivery that is stored now: the engine, and whoever observes."""
        failpoint("accept.committed")
        if delivery.state is DeliveryState.ACCEPTED:
            self._wake(delivery.executions)
        seconds = (datetime.now(UTC) - delivery.received).total_seconds()
        self.observers.tell(Decided(delivery, decision.format, seconds))
        return delivery
