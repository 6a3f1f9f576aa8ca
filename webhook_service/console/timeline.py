"""The timeline of a delivery: what happened to it, step by step, told from what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from webhook_service.console.words import sentence_of
from webhook_service.driver import PushEvent
from webhook_service.match.filter import compile_filter
from webhook_service.match.summary import rules_of
from webhook_service.model.delivery import Delivery, DeliveryState, Item, Reason
from webhook_service.model.execution import Attempt, Execution, ExecutionState
from webhook_service.model.progress import progress_in
from webhook_service.model.receiver import Match, Receiver

BY_HAND = "pushed by "
People = Mapping[str, str]
"""The names of people and tokens, by what the history and the audit call them."""
_UNPROVEN = ("unauthenticated", "issuer_unavailable")


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of a receiver, and whether an image passed it; None if it was not looked at."""

    rule: str
    value: str
    passed: bool | None


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One thing that happened.

    Attributes:
        mark: ok, bad, wait, or now for what goes on.
        done, wanted: how far a rollout is, if its driver says so.
    """

    title: str
    mark: str
    text: str = ""
    at: datetime | None = None
    checks: tuple[Check, ...] = ()
    done: int | None = None
    wanted: int | None = None


def is_by_hand(delivery: Delivery) -> bool:
    """Whether a person pushed it, and no sender called."""
    return delivery.client.startswith(BY_HAND)


def call_steps(
    delivery: Delivery, receiver: Receiver | None, people: People
) -> Iterator[TimelineStep]:
    """What happened to the call itself."""
    by_hand, client = is_by_hand(delivery), delivery.client
    sender = f"from {client or 'this application'}"
    if by_hand:
        pusher = client.removeprefix(BY_HAND)
        sender = f"{BY_HAND}{people.get(pusher, pusher)}"
    yield TimelineStep("Received", "ok", sender, delivery.received)
    if delivery.refusal is not None:
        yield from _refused(delivery)
        return
    if receiver is not None and not by_hand and delivery.client not in ("reconcile", ""):
        yield TimelineStep("Verified", "ok", f"by the scheme {receiver.spec.verify.scheme}")
    if delivery.state is DeliveryState.DUPLICATE:
        yield TimelineStep(
            "Recognised", "ok", "as a copy of an earlier call: nothing is done twice"
        )
    if not delivery.items:
        yield TimelineStep("Ignored", "wait", sentence_of(delivery.reason))


def item_step(item: Item, receiver: Receiver | None) -> TimelineStep:
    """What was decided on one image of the call."""
    checks = () if receiver is None else _checks(receiver.spec.match, item)
    if item.state == DeliveryState.IGNORED:
        said = item.message or sentence_of(item.reason)
        return TimelineStep("Ignored", "bad", f"{item.subject}: {said}", checks=checks)
    if item.state == DeliveryState.DUPLICATE:
        return TimelineStep("Known", "wait", f"{item.subject} was accepted before", checks=checks)
    return TimelineStep("Matched", "ok", item.subject, checks=checks)


def execution_steps(execution: Execution, people: People) -> Iterator[TimelineStep]:
    """What was done about it."""
    if execution.replay_of or execution.rolls_back:
        what = "Rollback" if execution.rolls_back else "Pushed again"
        by = execution.requested_by
        asked = f"by {people.get(by, by)}" if by else ""
        yield TimelineStep(what, "ok", asked, execution.created)
    if (approval := execution.approval) is not None:
        for vote in approval.votes:
            title, mark = ("Approved", "ok") if vote.approved else ("Refused", "bad")
            yield TimelineStep(title, mark, f"by {people.get(vote.voter, vote.voter)}", vote.at)
    if (by := execution.let_through) is not None:
        yield TimelineStep("Let through", "ok", f"by {people.get(by, by)}")
    event = execution.event
    if isinstance(event, PushEvent) and event.digest:
        yield TimelineStep("Digest", "ok", event.digest)
    *earlier, last = execution.attempts or (None,)
    for attempt in earlier:
        if attempt is not None:
            yield _attempt(attempt, "bad")
    if last is not None:
        yield TimelineStep("Begun", "ok", f"attempt {last.number}", last.started)
    standing = _standing(execution)
    yield replace(standing, text=_with_names(standing.text, execution, people))


def _with_names(text: str, execution: Execution, people: People) -> str:
    """What is said of an execution, with the name of whoever stopped it or asked for it."""
    for by in (execution.interrupted_by, execution.requested_by):
        if by:
            text = text.replace(by, people.get(by, by))
    return text


def progress_of(execution: Execution) -> tuple[int | None, int | None]:
    """How many pods of how many, if the driver says so."""
    if execution.state in (ExecutionState.SUCCEEDED, ExecutionState.UNCHANGED):
        return None, None
    return progress_in(execution.message) or (None, None)


def _refused(delivery: Delivery) -> Iterator[TimelineStep]:
    refusal = delivery.refusal
    assert refusal is not None
    title = "Not verified" if delivery.reason in _UNPROVEN else "Refused"
    yield TimelineStep(title, "bad", f"{refusal.status}: {refusal.message}")
    if refusal.hint:
        yield TimelineStep("Hint", "wait", refusal.hint)


def _attempt(attempt: Attempt, mark: str) -> TimelineStep:
    title = f"Attempt {attempt.number}: {attempt.state}"
    return TimelineStep(title, mark, attempt.message, attempt.finished or attempt.started)


def _standing(execution: Execution) -> TimelineStep:
    """Where it stands now, or how it ended."""
    done, wanted = progress_of(execution)
    state, text = execution.state, execution.message
    if state is ExecutionState.HELD:
        text = text or sentence_of(execution.reason)
        return TimelineStep("Held", "wait", text, execution.due)
    marks = {
        ExecutionState.SUCCEEDED: "ok",
        ExecutionState.UNCHANGED: "ok",
        ExecutionState.FAILED: "bad",
        ExecutionState.SUPERSEDED: "wait",
        ExecutionState.CANCELLED: "wait",
    }
    mark, at = marks.get(state, "now"), execution.finished
    if state is ExecutionState.RETRYING:
        at = execution.due
    title = {"queued": "Waiting for its turn", "waiting": "Rolling out", "retrying": "Tries again"}
    return TimelineStep(title.get(state, state.capitalize()), mark, text, at, (), done, wanted)


def _checks(match: Match, item: Item) -> tuple[Check, ...]:
    rules = list(rules_of(match))
    failed = _FAILED_RULE.get(item.reason or "") if item.state == DeliveryState.IGNORED else None
    if item.state == DeliveryState.IGNORED and failed is None:
        return tuple(Check(rule, value, None) for rule, value in rules)
    checks, passed = [], True
    for rule, value in rules:
        verdict: bool | None = passed or None
        if rule == failed:
            verdict, passed = False, False
        elif rule == "filter" and compile_filter(value).asks_image:
            verdict = None  # what came of it is said by the execution
        checks.append(Check(rule, value, verdict))
    return tuple(checks)


_FAILED_RULE: Mapping[str, str] = {
    Reason.REPOSITORY_MISMATCH: "repository",
    Reason.TAG_MISMATCH: "tag",
    Reason.UNTAGGED: "tag",
    Reason.TAG_EXCLUDED: "not the tags",
    Reason.DIGEST_MISSING: "digest",
    Reason.FILTERED: "filter",
    Reason.FILTER_ERROR: "filter",
}


def images_of(executions: Sequence[Execution]) -> tuple[str, ...]:
    """The images that executions are about, each once."""
    images = (item.event.image for item in executions if isinstance(item.event, PushEvent))
    return tuple(dict.fromkeys(images))
