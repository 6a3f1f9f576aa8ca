"""One push for many workloads: each has its own state and its own end.

Order is safe as for one workload, because every target carries its own record. What only waits
costs nothing beside the list that a step is given, and a step begins or ends a bounded number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.images import dry_run
from webhook_drivers.kubernetes.images.update import ImageUpdate
from webhook_drivers.kubernetes.strategies.interrupted import Interrupted
from webhook_service import (
    Change,
    Context,
    Done,
    DriverError,
    GiveWay,
    Interruption,
    Observed,
    Outcome,
    Plan,
    PushEvent,
    Retry,
    Superseded,
    TargetConflict,
    Unchanged,
    Wait,
    parse_image,
)

MAX_TARGETS = 200
MAX_ACTIONS = 25
"""Targets that one step may begin or end: up to four calls each, well within a step's 30 s."""
MAX_FAULTS = 3
MAX_SEEN = 2000
MAX_SHOWN = 5
SOON, LATER = 0.1, 1.0
End = Literal["done", "unchanged", "superseded", "failed"]


@dataclass(frozen=True, slots=True)
class Member:
    """One workload of the fleet, as it was listed just now, and what to do with it."""

    update: ImageUpdate
    obj: Json
    why: Interruption | None = None

    @property
    def name(self) -> str:
        return str(self.update.push.address)

    @property
    def gives_way(self) -> bool:
        return self.why in (Interruption.NEWER, Interruption.ROLLBACK)

    def concerned(self) -> bool:
        """Whether the push means this workload: it has a container that may take the image."""
        try:
            self.update.push.intent(self.obj)
        except TargetConflict:
            return False
        except DriverError:
            return True
        return True

    def step(self, state: Mapping[str, Any]) -> Outcome:
        push = self.update.push
        push = replace(push, context=replace(push.context, state=state))
        update = replace(self.update, push=push)
        if self.why is None:
            return update.step(self.obj)
        return Interrupted(update, self.why).decide(self.obj)


class MemberState(BaseModel):
    """What is remembered of one workload: its own state while it goes on, or its end."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    state: dict[str, JsonValue] = {}
    settled: bool = False
    end: End | None = None
    code: str = ""
    message: str = ""
    changes: tuple[Change, ...] = ()


class FleetState(BaseModel):
    """What is remembered of all: ``back`` says that those which were done are to go back too."""

    model_config = ConfigDict(frozen=True)

    targets: dict[str, MemberState]
    back: bool = False

    @classmethod
    def read(cls, state: Mapping[str, Any]) -> Self | None:
        """What the last step remembered; a lost state is harmless, as for one workload."""
        try:
            return cls.model_validate(state) if state else None
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """One push and all workloads that were chosen for it.

    Args:
        chosen: how they were chosen, for messages: ``Deployments of shop with app=shop``.
    """

    members: Sequence[Member]
    context: Context
    chosen: str
    why: Interruption | None = None

    def step(self) -> Outcome:
        """Do the next step of every workload that has not ended.

        Raises:
            TargetConflict: none of them runs the repository.
            DriverError: there are too many, or some have failed and all have ended.
            Superseded, Retry: all of them are.
        """
        state = FleetState.read(self.context.state)
        targets = dict(state.targets) if state else self._opening()
        targets = {name: _awake(target) for name, target in targets.items()}
        if self.why is Interruption.ABORT and not (state and state.back):
            targets = {name: _reopened(target) for name, target in targets.items()}
        after = self._advance(targets)
        if all(target.end for target in targets.values()):
            return self._ended(targets)
        return self._wait(targets, after)

    def plan(self) -> Plan:
        """What the first step would change."""
        plans = [dry_run.plan(member.update, member.obj) for member in self._concerned()]
        changes = tuple(change for plan in plans for change in plan.changes)
        notes = tuple(dict.fromkeys(note for plan in plans for note in plan.notes))
        return Plan(changes, notes)

    def observe(self) -> tuple[Observed, ...]:
        """What the members run of the repository."""
        seen = (member.update.observe(member.obj) for member in self.members)
        return tuple(item for each in seen for item in each)[:MAX_SEEN]

    def running_tags(self) -> tuple[str, ...]:
        found = [member.update.running_tags(member.obj) for member in self._concerned()]
        return tuple(dict.fromkeys(tag for tags in found for tag in tags))

    def _opening(self) -> dict[str, MemberState]:
        return {member.name: MemberState() for member in self._concerned()}

    def _concerned(self) -> list[Member]:
        back_to = self.context.back_to
        meant = [each for each in self.members if not back_to or each.name in back_to]
        found = [member for member in meant if member.concerned()]
        if len(found) > MAX_TARGETS:
            raise DriverError(
                f"{len(found)} {self.chosen} run the pushed repository, more than {MAX_TARGETS}, "
                "so nothing was changed: choose fewer by labels.",
                code="too_many",
            )
        if not found:
            raise TargetConflict(
                f"None of {len(self.members)} {self.chosen} runs the pushed repository, so "
                "nothing was changed: correct the selector or the receiver."
            )
        return found

    def _advance(self, targets: dict[str, MemberState]) -> float:
        """Step what has not ended, and say in how many seconds to go on.

        Raises:
            Retry: nothing could be done, as the cluster does not answer.
        """
        live = {member.name: member for member in self.members}
        pauses: list[float] = []
        faults: list[Retry] = []
        actions = moved = 0
        for name, target in targets.items():
            if target.end:
                continue
            if actions >= MAX_ACTIONS or len(faults) >= MAX_FAULTS:
                pauses.append(SOON)
                break
            try:
                targets[name], pause = _stepped(live.get(name), name, target)
            except Retry as error:
                faults.append(error)
                continue
            moved += 1
            actions += not target.state or targets[name].end is not None
            pauses.append(pause)
        if faults and not moved:
            raise faults[0]
        return min([*pauses, *(max(LATER, error.after) for error in faults)], default=LATER)

    @property
    def _gives_way(self) -> bool:
        return self.why in (Interruption.NEWER, Interruption.ROLLBACK)

    def _wait(self, targets: Mapping[str, MemberState], after: float) -> Wait | GiveWay:
        ended = sum(target.end is not None for target in targets.values())
        going = [target for target in targets.values() if not target.end]
        state = FleetState(targets=dict(targets), back=self.why is Interruption.ABORT)
        said = f"{ended} of {len(targets)} {self.chosen} are done; {going[0].message or 'begun'}"
        kept, changes = state.model_dump(mode="json", by_alias=True), _changes(targets)
        settled = all(target.settled for target in going)
        if settled and self._gives_way:
            return GiveWay(after, kept, said, changes)
        return Wait(after, kept, said, changes, settled=settled)

    def _ended(self, targets: Mapping[str, MemberState]) -> Outcome:
        by_end = {
            end: {name: target for name, target in targets.items() if target.end == end}
            for end in ("failed", "done", "superseded", "unchanged")
        }
        how = "were updated" if self.why is None else "went back"
        updated = f"{len(by_end['done'])} of {len(targets)} {self.chosen} {how}."
        if failed := by_end["failed"]:
            codes = {target.code for target in failed.values()}
            code = codes.pop() if len(codes) == 1 else "partly_failed"
            if code == "rolled_back" and by_end["done"]:
                code = "partly_failed"  # the others keep the push
            message = f"{len(failed)} of {len(targets)} {self.chosen} failed: {_texts(failed)}"
            raise DriverError(f"{message} {updated}", code=code, changes=_changes(targets))
        if by_end["done"] and not (self._gives_way and by_end["superseded"]):
            return Done(_changes(targets), updated)
        if by_end["superseded"]:
            raise Superseded(_texts(by_end["superseded"]))
        return Unchanged(_texts(by_end["unchanged"]))


def meant_for(name: str, event: PushEvent, context: Context) -> PushEvent:
    """The push as it is for one member: a rollback may bring each one back to its own image."""
    if (text := context.back_to.get(name)) is None:
        return event
    image = parse_image(text)
    return replace(
        event,
        registry=image.registry,
        repository=image.repository,
        tag=image.tag,
        digest=image.digest,
    )


def _awake(target: MemberState) -> MemberState:
    """Whether it is settled, or gives way, is to be said anew by each step."""
    return target.model_copy(update={"settled": False})


def _reopened(target: MemberState) -> MemberState:
    """One that has ended with a change, as it goes back like those that have not."""
    ended = target.end in ("done", "failed")
    return MemberState(changes=target.changes) if ended else target


def _stepped(member: Member | None, name: str, target: MemberState) -> tuple[MemberState, float]:
    if member is None:
        gone = f"{name} was deleted meanwhile, or its labels were changed."
        return target.model_copy(update=_end("failed", "not_found", gone)), 0.0
    try:
        outcome = member.step(target.state)
    except Superseded as error:
        if member.gives_way and not target.changes:
            # It has not begun, and begins if the newer push is refused.
            return target.model_copy(update={"settled": True, "message": error.message}), LATER
        return target.model_copy(update=_end("superseded", error.reason, error.message)), 0.0
    except Retry:
        raise
    except DriverError as error:
        ended = _end("failed", error.reason, error.message)
        return target.model_copy(update={**ended, "changes": error.changes}), 0.0
    return _after(target, outcome)


def _after(target: MemberState, outcome: Outcome) -> tuple[MemberState, float]:
    match outcome:
        case Wait(after, state, message, changes, settled):
            update = {"state": dict(state), "message": message, "changes": changes}
            return target.model_copy(update={**update, "settled": settled}), after
        case GiveWay(after, state, message, changes):
            update = {"state": dict(state), "message": message, "changes": changes}
            return target.model_copy(update={**update, "settled": True}), after
        case Done(changes, message):
            return target.model_copy(update={**_end("done", "", message), "changes": changes}), 0.0
        case Unchanged(reason):
            return target.model_copy(update=_end("unchanged", "", reason)), 0.0


def _end(end: End, code: str, message: str) -> dict[str, Any]:
    return {"end": end, "code": code, "message": message, "state": {}}


def _changes(targets: Mapping[str, MemberState]) -> tuple[Change, ...]:
    return tuple(change for target in targets.values() for change in target.changes)


def _texts(targets: Mapping[str, MemberState]) -> str:
    """The first sentences; those of one kind differ in names only, so a few say enough."""
    shown = [target.message for target in list(targets.values())[:MAX_SHOWN]]
    more = len(targets) - len(shown)
    return " ".join([*shown, f"And {more} more."] if more > 0 else shown)


def interrupt(change: ImageUpdate | Fleet, why: Interruption) -> Outcome:
    """Do the next step of a push that is to stop, on one workload or on all of a fleet."""
    if isinstance(change, Fleet):
        members = [replace(member, why=why) for member in change.members]
        return replace(change, members=members, why=why).step()
    return Interrupted(change, why).decide()
