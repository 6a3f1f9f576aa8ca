"""WebhookService: what an embedding application holds, and the path of a call.

``accept`` is steps 2 to 6 of a delivery, read top to bottom; the engine does the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from anyio.to_thread import run_sync

from webhook_service.chores.ages import Ages
from webhook_service.chores.chore import Chore
from webhook_service.chores.drifts import Drifts
from webhook_service.chores.outages import Outages
from webhook_service.chores.reconcile import Reconcile
from webhook_service.chores.retention import housekeeping
from webhook_service.chores.scheduler import LOOK_SECONDS, Scheduler
from webhook_service.engine.engine import Engine
from webhook_service.engine.factory import open_engine
from webhook_service.errors import (
    InvalidConfig,
    InvalidRequest,
    LimitReached,
    UnknownKey,
    WebhookServiceError,
)
from webhook_service.failpoints import failpoint
from webhook_service.model.delivery import Call, Decision, Delivery, DeliveryState
from webhook_service.model.execution import Execution
from webhook_service.model.history.applied import Applied
from webhook_service.model.history.backlog import Backlog, Written
from webhook_service.model.ids import (
    KEY_OVERLAP,
    RECEIVER,
    is_v16_key,
    new_id,
    new_key,
    new_token,
    require_project_id,
)
from webhook_service.model.pages import Page, PageRequest
from webhook_service.model.people.audit import APPLICATION, Actor, AuditEntry
from webhook_service.model.people.projects import Project
from webhook_service.model.people.tokens import Role, Token, check_token
from webhook_service.model.receiver import Receiver, ReceiverSpec
from webhook_service.net.fetcher import Fetcher, outbound_of
from webhook_service.people.choosing import Choosing
from webhook_service.people.holds import Holds
from webhook_service.people.inboxes import Inboxes
from webhook_service.people.interventions import Interventions
from webhook_service.people.looks import Looks
from webhook_service.people.notifying import Notifying
from webhook_service.people.overview import Overview
from webhook_service.people.sessions import Sessions
from webhook_service.people.voting import Voting
from webhook_service.plugins.bounded import BoundedCalls, CallLimit
from webhook_service.plugins.instances import (
    Drivers,
    Formats,
    Schemes,
    installed_drivers,
    new_formats,
    new_notification_kinds,
    new_schemes,
)
from webhook_service.receiving.bodies.receiver import read_name, read_spec, require_version
from webhook_service.receiving.cache import REVOKED, CompiledReceivers
from webhook_service.receiving.fair_share import FairShare
from webhook_service.receiving.four_eyes import FourEyes
from webhook_service.receiving.missing_grants import missing_grants
from webhook_service.receiving.refusals import Refusals
from webhook_service.receiving.simulate import Simulation, simulate
from webhook_service.receiving.v16.token import LegacyTokens
from webhook_service.registry.registries import Registries
from webhook_service.settings import Settings, load_settings
from webhook_service.store.async_intake import AsyncIntake
from webhook_service.store.endpoints.inboxes import no_such_inbox
from webhook_service.store.intake import stored
from webhook_service.store.store import Store, open_store
from webhook_service.telemetry.observer import Decided, Observers

log = logging.getLogger(__name__)
# Calls that may wait for other servers, or are large, are decided on in threads, which projects
# share.
SLOW_CALLS = 32
SLOW_CALL = CallLimit(
    "A call of the endpoint",
    20.0,
    "The receiver did not decide on the call in 20 s; nothing was stored.",
    "Calls of this project hang; nothing was stored.",
)


class WebhookService:
    """Receivers, their deliveries and executions, and the engine that runs them.

    Applications build one with ``open``. They add their own plug-ins before they start it:
    ``service.drivers.add("announce", Announce())``; ``formats`` and ``schemes`` work alike.
    What breaks the contract of plug-ins is refused there with ``PluginUnavailable``.
    Methods that change something take ``by``: the actor whom the audit names.

    Attributes:
        interventions: what people do: push, replay, cancel, abort, approve, roll back.
        inboxes: URLs that several receivers share.
        holds: stop a whole project for a while.
        overview: what people look at.
        notifications: who is told of what.
        choosing: what people can pick when they write a receiver.
        sessions: the people who are logged in to the console.
        voting: takes the votes of people who follow a link.
        refusals: keeps calls that were refused.
        bounded: calls what may hang, in threads that can be left behind.
        observers: ``observers.add`` takes whoever wants to be told what happens.

    Args:
        store: an open store (see ``open_store``).
        drivers: what receivers may name; ``formats`` and ``schemes`` likewise.
        engine: runs the executions; without one they are kept for other processes to run.
        legacy: reads the tokens in v1.6's oldest URLs; without it they are unknown.
        observers: are told what happens. Give the engine the same ones, and they hear of its
            steps too.
        settings: how registries are reached when people try rules; the defaults if left out.
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
        settings: Settings | None = None,
    ) -> None:
        self.store = store
        self.drivers = drivers
        self.formats = formats
        self.schemes = schemes
        self.observers = observers or Observers()
        self._engine = engine
        self._legacy = legacy
        self._receivers = CompiledReceivers(store, drivers, formats, schemes)
        self._slow_calls = FairShare(SLOW_CALLS)
        self.bounded = BoundedCalls(self.observers)
        self._looks = Looks(store, self._receivers, self.bounded)
        self._four_eyes = FourEyes(store.receivers, drivers)
        self._async_intake = AsyncIntake(store.intake.require_room, store.intake.submit_all)
        self._scheduler: Scheduler | None = None
        self._at_end = ExitStack()
        self._at_end.callback(self.bounded.close)
        self._started, self._stopped, self._expects_start = False, False, True
        self.refusals = Refusals(store, formats, schemes)
        self.interventions = Interventions(
            store, self._receivers, self._looks, self._wake, self.commit
        )
        self.inboxes = Inboxes(store, self._receivers, schemes)
        self.holds = Holds(store, self._wake)
        self.overview = Overview(store)
        known = settings or Settings.model_construct()
        registries = (Registries(known), Registries(known, anonymous=True))
        for each in registries:
            self._at_end.callback(each.close)
        self.choosing = Choosing(store, drivers, schemes, self._receivers, *registries)
        self.sessions = Sessions(store)
        kinds = new_notification_kinds()
        self._at_end.callback(kinds.close)
        self.notifications = Notifying(store, kinds, self._wake, known.base_url)
        self.voting = Voting(store, self._receivers, self.interventions)

    @classmethod
    def open(cls, settings: Settings | None = None, *, run: bool = True) -> WebhookService:
        """Build a service from settings, with all installed plug-ins.

        Args:
            settings: those of the environment if left out.
            run: whether this process runs executions once the service is started.

        Raises:
            SettingsError: a setting cannot be used; the message says which.
        """
        if not isinstance(settings, Settings | None):
            raise TypeError("open() takes Settings, such as load_settings(database_url=…)")
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
            settings,
        )
        service._at_end.callback(outbound.close)
        if run:
            # Line by line: a log shows no line breaks, and the setting is to be copied.
            for line in (missing_grants(settings, store, drivers) or "").splitlines():
                log.error("%s", line)
            registries = Registries(settings)
            service._at_end.callback(registries.close)
            reconcile = Reconcile(store, service._receivers, registries, service.commit)
            asking: list[Chore] = [reconcile, Ages(store, registries, service._wake)]
            service.do_chores([*housekeeping(store, settings), *asking, *service._looking()])
        return service

    def _looking(self) -> list[Chore]:
        """The chores that look at targets."""
        return [
            Outages(self.store.outages, self.store.receivers, self._looks, self._wake),
            Drifts(self.store, self._looks, self.observers),
        ]

    def do_chores(self, chores: Sequence[Chore], look: float = LOOK_SECONDS) -> None:
        """Let this process take its turns at chores, once it is started.

        Args:
            look: seconds after which it looks again which ones are due.
        """
        self._scheduler = Scheduler(
            self.store.chores, chores, look, observer=self.observers, bounded=self.bounded
        )

    @property
    def is_stuck(self) -> bool:
        """Whether this process must be started anew: too much hangs, or a thread has died."""
        # The database first: after a fork nothing of the engine may be asked, for a lock of it may
        # be held by a thread that is not there.
        if self.store.database.is_stuck or self.bounded.is_stuck:
            return True
        return self._engine is not None and self._engine.is_stuck

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
            RuntimeError: the service runs already, or was stopped: its connections are closed for
                good.
            StoreUnavailable: the process has forked since it was opened.
        """
        self.store.database.require_own_process()
        if self._stopped:
            raise RuntimeError(
                "This service was stopped, which closed its connections; "
                "open another one: WebhookService.open(settings)."
            )
        if self._started and self._engine is not None:
            raise RuntimeError(
                "This service runs already. Start it once: by start(), by 'with', or by the "
                "application of build_app, unless that has manage_service=False."
            )
        self._started, self._expects_start = True, False
        if self._engine is not None:
            self._engine.start()
        if self._scheduler is not None:
            self._scheduler.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Finish what runs, for at most ``timeout`` seconds, and close everything for good.

        In a process that forked only this copy ends: the rest belongs to the other one. A second
        call does nothing.
        """
        if self._stopped:
            return
        self._stopped = True
        if self.store.database.is_forked:
            return self.store.close()
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
        self,
        project: str,
        body: Mapping[str, Any],
        *,
        v16_key: str | None = None,
        alongside: Collection[str] = (),
    ) -> Receiver:
        """Check a body as ``create_receiver`` does, and store nothing.

        Args:
            alongside: names of receivers that will exist by then.
        """
        if v16_key is not None and not is_v16_key(v16_key):
            raise InvalidConfig("A key of v1.6 has 40 letters and digits, or is a UUID.")
        require_project_id(project)
        name = read_name(body, self.drivers)
        self.store.receivers.require_free(project, name, v16_key)
        spec = read_spec(body, self.drivers, self.schemes)
        now = self.store.now()
        receiver = Receiver(new_id(RECEIVER), project, spec, now, now)
        self._require_named(receiver, alongside)
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
            body: parts merge field by field, and null removes (see ``receiving.bodies``).
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
        require_version("receiver", old.version, version)
        spec = read_spec(body, self.drivers, self.schemes, old.spec)
        return self._change_receiver(old, spec, by, role)

    def apply_receiver(
        self,
        project: str,
        body: Mapping[str, Any],
        *,
        version: int | None = None,
        dry_run: bool = False,
        alongside: Collection[str] = (),
        by: Actor = APPLICATION,
        role: Role = Role.OWNER,
    ) -> Applied:
        """Create or change the receiver of the body's name, so that it is just as the body says.

        What the body leaves out gets its default. Two things stay as they are: the state, so that
        nobody's suspension ends by itself, and secrets that the body hides. If nothing differs,
        nothing is changed.

        Args:
            version: the one that the receiver must be at; 0 if it must not exist yet.
            dry_run: whether to check all of it, but to store nothing.
            alongside: names of receivers that will exist by the time it is stored.
            role: see ``create_receiver``.

        Raises:
            RoleNotAllowed, InvalidConfig: see ``create_receiver``.
            ChangedMeanwhile: somebody else changed it while this change was checked.
            OutdatedVersion: it is at another version than ``version``.
        """
        require_project_id(project)
        name = read_name(body, self.drivers)
        old = self.find_receiver(project, name)
        require_version("receiver", 0 if old is None else old.version, version)
        if old is None:
            try:
                if not dry_run:
                    return Applied(None, self.create_receiver(project, body, by=by, role=role))
                planned = self.check_receiver(project, body, alongside=alongside)
                self._four_eyes.require(role, None, planned)
                return Applied(None, planned)
            except InvalidConfig:
                old = self.find_receiver(project, name)
                if old is None:
                    raise
                # Somebody has made it meanwhile.
                require_version("receiver", old.version, version)
        spec = read_spec(body, self.drivers, self.schemes, old.spec, is_whole=True)
        if "state" not in body:
            spec = spec.model_copy(update={"state": old.spec.state})
        if spec == old.spec:
            return Applied(old, old)
        if dry_run:
            return Applied(old, self._check_change(old, spec, role, alongside))
        return Applied(old, self._change_receiver(old, spec, by, role))

    def _change_receiver(
        self, old: Receiver, spec: ReceiverSpec, by: Actor, role: Role
    ) -> Receiver:
        self._check_change(old, spec, role)
        receiver, held = self.store.receivers.update(old, spec, by)
        self._wake(held)
        return receiver

    def _check_change(
        self, old: Receiver, spec: ReceiverSpec, role: Role, alongside: Collection[str] = ()
    ) -> Receiver:
        changed = replace(old, spec=spec)
        if (
            spec.model_copy(update={"state": old.spec.state}) != old.spec
        ):  # a stop must not need the target
            shared = self.store.projects.shares(old.project)
            self._require_named(changed, alongside)
            self._receivers.compile(changed).validate(shared=shared)
        self._four_eyes.require(role, old, changed)
        return changed

    def _require_named(self, receiver: Receiver, alongside: Collection[str] = ()) -> None:
        """
        Args:
            alongside: names of receivers that will be there, too.

        Raises:
            InvalidConfig: it names an inbox or another receiver that is not there.
        """
        for inbox in receiver.spec.listen.inboxes:
            named = PageRequest(limit=1, filters={"name": inbox})
            if not self.inboxes.list(receiver.project, named).items:
                raise no_such_inbox(inbox)
        after = receiver.spec.match.after
        if after is None or (after.receiver in alongside and after.receiver != receiver.name):
            return
        if (
            after.receiver == receiver.name
            or self.find_receiver(receiver.project, after.receiver) is None
        ):
            raise InvalidConfig(
                f"match.after.receiver: the project has no other receiver named "
                f"{after.receiver!r}: make it first, or correct the name."
            )

    def suspend_receiver(
        self, project: str, receiver_id: str, *, by: Actor = APPLICATION
    ) -> Receiver:
        """Suspend a receiver: until ``resume_receiver`` it ignores calls and begins nothing.

        What it accepted before is held. A rollout that is under way goes on to its end, and a
        rollback by people runs.
        """
        return self.store.receivers.suspend(project, receiver_id, by)

    def resume_receiver(
        self, project: str, receiver_id: str, *, by: Actor = APPLICATION
    ) -> Receiver:
        """End a suspension. Of what was held, the newest push of each slot runs."""
        receiver, held = self.store.receivers.resume(project, receiver_id, by)
        self._wake(held)
        return receiver

    def get_receiver(self, project: str, receiver_id: str) -> Receiver:
        """One receiver; raises NotFound for an id that the project does not have."""
        return self.store.receivers.get(project, receiver_id)

    def find_receiver(self, project: str, name: str) -> Receiver | None:
        """The receiver of a name, if the project has it."""
        page = self.store.receivers.page(project, PageRequest(limit=1, filters={"name": name}))
        return page.items[0] if page.items else None

    def list_receivers(self, project: str, page: PageRequest | None = None) -> Page[Receiver]:
        """The project's receivers, newest first."""
        return self.store.receivers.page(project, page or PageRequest())

    def receiver_warnings(self, receiver: Receiver) -> tuple[str, ...]:
        """The driver's warnings about a receiver that works: sentences that say what to do."""
        try:
            compiled = self._receivers.of(receiver)
        except WebhookServiceError:
            return ()  # ``receiver_problems`` says why
        return compiled.warnings(shared=self.store.projects.shares(receiver.project))

    def require_working(self, receiver: Receiver) -> None:
        """Check a stored receiver against the live system, as when it was made.

        Raises:
            InvalidConfig, PluginUnavailable: it cannot work; the message says what to change.
        """
        shared = self.store.projects.shares(receiver.project)
        self._receivers.compile(receiver).validate(shared=shared)

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
        self._receivers.require_live(project, key)

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
        self._require_usable(key)
        return self.commit(self._decide(project, key, call))

    def _require_usable(self, key: str) -> None:
        self.store.database.require_own_process()
        if not isinstance(key, str):  # such as None, where an application found no key in its URL
            raise UnknownKey(REVOKED)

    def _decide(self, project: str, key: str, call: Call) -> Decision:
        with self.refusals.kept(project, key, call):
            return self._receivers.find(project, key).decide(call, self.store.now())

    async def accept_async(self, project: str, key: str, call: Call) -> Delivery:
        """``accept`` for asynchronous applications: no thread waits for the commit.

        A call is decided on here by what is remembered of its receiver, if that takes a few
        milliseconds at most; the writer makes sure that it is still so. What holds up others or
        may hang, or would be refused, which memory alone must not do, goes to a thread.

        Raises:
            UnknownKey, Unauthenticated, IssuerUnavailable, InvalidPayload: see ``accept``.
            PluginUnavailable, StoreUnavailable, LimitReached: see ``accept``.
            Unavailable: the project has too many calls that last too long.
        """
        self._require_usable(key)
        if (decision := self._receivers.decide_from_memory(project, key, call)) is not None:
            with suppress(LimitReached):  # memory alone must not refuse
                if (delivery := await self._async_intake.store(decision)) is not None:
                    return self._conclude(decision, delivery)
        await run_sync(self.require_key, project, key)  # a stranger takes no place of the project
        async with self._slow_calls.place(project):
            decide = partial(self._decide, project, key, call)
            decision = await self.bounded.run_async(project, decide, SLOW_CALL)
        return self._conclude(decision, stored(await self._async_intake.store(decision)))

    def commit(self, decision: Decision) -> Delivery:
        """Store a decision with the work that it brings, and let the engine know.

        Raises:
            StoreUnavailable, LimitReached: nothing was stored.
        """
        return self._conclude(decision, self.store.intake.accept(decision))

    def find_ended(self, executions: Collection[str]) -> Sequence[Execution]:
        """Which of some executions have ended or are settled; they may be of any project."""
        return self.store.executions.ended(executions)

    # History

    def get_delivery(self, project: str, delivery_id: str) -> Delivery:
        """One delivery; raises NotFound for an id that the project does not have."""
        return self.store.deliveries.get(project, delivery_id)

    def list_deliveries(self, project: str, page: PageRequest | None = None) -> Page[Delivery]:
        """The project's deliveries, newest first."""
        return self.store.deliveries.page(project, self._by_receiver(project, page))

    def get_execution(self, project: str, execution_id: str) -> Execution:
        """One execution with its attempts; raises NotFound for a foreign id."""
        return self.store.executions.get(project, execution_id)

    def list_executions(self, project: str, page: PageRequest | None = None) -> Page[Execution]:
        """The project's executions, newest first, without their attempts."""
        return self.store.executions.page(project, self._by_receiver(project, page))

    def list_audit(self, project: str, page: PageRequest | None = None) -> Page[AuditEntry]:
        """Who did what in the project, newest first."""
        return self.store.audit.page(project, self._by_receiver(project, page))

    def _by_receiver(self, project: str, page: PageRequest | None) -> PageRequest:
        """The page, with the id of the receiver that its filter names."""
        page = page or PageRequest()
        name = (page.filters or {}).get("receiver", "")
        if not name or name.startswith(f"{RECEIVER}_"):
            return page
        found = self.list_receivers(project, PageRequest(1, filters={"name": name})).items
        if not found:
            raise InvalidRequest(f"The project has no receiver {name[:100]!r}.")
        return replace(page, filters={**(page.filters or {}), "receiver": found[0].id})

    def simulate(
        self,
        project: str,
        receiver_id: str,
        call: Call,
        changes: Mapping[str, Any] | None = None,
    ) -> Simulation:
        """Say what a call would do now, and change nothing.

        Args:
            changes: of the receiver, as for ``update_receiver``, for this answer only.

        Raises:
            NotFound: no such receiver in the project.
            InvalidConfig: with the changes it could not work.
            InvalidPayload: the body is not of the receiver's format.
        """
        receiver = self.store.receivers.get(project, receiver_id)
        if changes:
            spec = read_spec(changes, self.drivers, self.schemes, receiver.spec)
            receiver = replace(receiver, spec=spec)
        shared = self.store.projects.shares(project)
        compiled = self._receivers.compile(receiver) if changes else self._receivers.of(receiver)
        return simulate(compiled, call, self.store.now(), shared=shared)

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
        now, secret = self.store.now(), new_token()
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

    def get_token(self, project: str, token_id: str) -> Token:
        """One token; raises NotFound for an id that the project does not have."""
        return self.store.tokens.get(project, token_id)

    def page_tokens(self, project: str, page: PageRequest | None = None) -> Page[Token]:
        """The project's tokens, newest first."""
        return self.store.tokens.page(project, page or PageRequest())

    def revoke_token(
        self, token_id: str, *, project: str | None = None, by: Actor = APPLICATION
    ) -> None:
        """End a token at once.

        Args:
            project: whose token it must be; any project's if left out.

        Raises:
            NotFound: no such live token.
        """
        self.store.tokens.revoke(token_id, by, project)

    def get_project(self, project: str) -> Project:
        """How much a project has; all counts are 0 for one that nobody uses."""
        found = {each.id: each for each in self.list_projects(project)}
        return found.get(project, Project(project))

    def list_projects(self, project: str | None = None) -> Sequence[Project]:
        """All projects that have anything, sorted by id; only one of them if it is given."""
        return self.store.projects.list(project)

    def rotate_secret_key(self) -> int:
        """Seal every stored secret with the newest secret key.

        Returns:
            How many rows have a secret.

        Raises:
            SettingsError: a key that sealed one of them is not set any more.
        """
        return self.store.reseal()

    def _wake(self, executions: Sequence[str] = ()) -> None:
        if self._engine is not None:
            self._engine.wake(executions)
            self._say_what_is_not_started()

    def _say_what_is_not_started(self) -> None:
        if self._expects_start:
            self._expects_start = False  # it is said once
            log.warning(
                "A push is stored, and nobody has started this service: nothing runs until the "
                "application calls service.start(). A server that sends no lifespan events does "
                "not start it."
            )

    def _conclude(self, decision: Decision, delivery: Delivery) -> Delivery:
        """Tell of a delivery that is stored now: the engine, and whoever observes."""
        failpoint("accept.committed")
        if delivery.state is DeliveryState.ACCEPTED:
            self._wake(delivery.executions)
        seconds = (self.store.now() - delivery.received).total_seconds()
        self.observers.tell(Decided(delivery, decision.format, seconds))
        return delivery
