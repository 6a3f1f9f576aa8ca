import json
import math
from asyncio import CancelledError
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import (
    Context,
    Done,
    GiveWay,
    ImageFacts,
    PushEvent,
    Unchanged,
    Wait,
    WebhookDriver,
)
from webhook_service.engine.backoff import CRASH_RETRIES, PAUSES
from webhook_service.engine.judge import (
    MAX_MESSAGE,
    MAX_REASON,
    MAX_RETRY,
    MAX_WAIT,
    bounded,
    judge,
)
from webhook_service.errors import (
    Change,
    DriverError,
    OutboundError,
    Retry,
    Superseded,
    TargetConflict,
)
from webhook_service.model.execution import (
    GIVING_WAY,
    Claim,
    Execution,
    ExecutionState,
    Verdict,
)
from webhook_service.model.receiver import TagRule
from webhook_service.model.rules.registry import RegistryRule
from webhook_service.plugins.boundary import MAX_CHANGES, MAX_STATE
from webhook_service.plugins.discovery import DRIVERS, Plugins
from webhook_service.plugins.instances import Drivers, new_drivers
from webhook_service.testing.stub import StubConfig, StubDriver

EVENT = PushEvent(registry="docker.io", repository="acme/shop", tag="1")
CHANGE = Change("t", "f", "a", "b")


class Panic(BaseException):
    """What a native extension raises, past every ``except Exception``."""


@pytest.fixture
def drivers() -> Drivers:
    plugins: Plugins[WebhookDriver[Any, Any]] = Plugins(DRIVERS, "driver", WebhookDriver)
    plugins.add("stub", StubDriver)
    return new_drivers(plugins)


def claim(**values: Any) -> Claim:
    execution = Execution(
        id="exe_1",
        project="p",
        receiver="rcv_1",
        delivery="dlv_1",
        driver=values.pop("driver", "stub"),
        slot="p/slot",
        state=ExecutionState.QUEUED,
        event=EVENT,
        identity="push",
        order_key="7",
        created=datetime.now(UTC),
        driver_state=values.pop("driver_state", {}),
    )
    made = Claim(execution, {}, TagRule(), None, named=True, attempt=1, retries=0, fence=1)
    return replace(made, **values)


def verdict_on(drivers: Drivers, step: Any, **values: Any) -> Verdict:
    stub = drivers.get("stub")
    assert isinstance(stub, StubDriver)
    stub.steps = [step]
    return judge(claim(**values), drivers)


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        (Done((CHANGE,), "ok"), Verdict(ExecutionState.SUCCEEDED, "ok", changes=(CHANGE,))),
        (Done(), Verdict(ExecutionState.SUCCEEDED)),
        (Unchanged("same"), Verdict(ExecutionState.UNCHANGED, "same")),
        (
            Wait(2, {"a": 1}, "rolling"),
            Verdict(
                ExecutionState.WAITING, "rolling", pause=2, driver_state={"a": 1}, settled=False
            ),
        ),
        (Wait(1e9, {}), Verdict(ExecutionState.WAITING, pause=MAX_WAIT, settled=False)),
        (Wait(1, {}, settled=True), Verdict(ExecutionState.WAITING, pause=1, settled=True)),
        (
            GiveWay(1, {"a": 1}, "half done", (CHANGE,)),
            Verdict(
                ExecutionState.WAITING,
                "half done",
                GIVING_WAY,
                (CHANGE,),
                pause=1,
                driver_state={"a": 1},
                settled=True,
            ),
        ),
        (DriverError("no"), Verdict(ExecutionState.FAILED, "no", "driver_failed")),
        (TargetConflict("other"), Verdict(ExecutionState.FAILED, "other", "conflict")),
        (
            DriverError("undone", code="rolled_back", changes=[CHANGE]),
            Verdict(ExecutionState.FAILED, "undone", "rolled_back", (CHANGE,)),
        ),
        (Superseded("newer"), Verdict(ExecutionState.SUPERSEDED, "newer", "superseded")),
    ],
)
def test_every_outcome_becomes_its_state(drivers: Drivers, step: Any, verdict: Verdict) -> None:
    assert verdict_on(drivers, step) == verdict


@pytest.mark.parametrize(
    ("step", "state", "reason"),
    [
        (Wait(5, {}), ExecutionState.FAILED, "waited_too_long"),
        (Wait(5, {}, settled=True), ExecutionState.SUCCEEDED, None),
        (GiveWay(5, {}), ExecutionState.FAILED, "waited_too_long"),
    ],
)
def test_no_wait_is_endless_and_what_is_half_done_is_no_success(
    drivers: Drivers, step: Any, state: ExecutionState, reason: str | None
) -> None:
    ended = bounded(claim(), verdict_on(drivers, step), 1, 5)
    assert (ended.state, ended.reason) == (state, reason)
    going_on = bounded(claim(), verdict_on(drivers, step), 1, 6)
    assert (going_on.state, going_on.watched) == (ExecutionState.WAITING, 6)


def test_the_driver_sees_where_the_call_comes_from(drivers: Drivers) -> None:
    mirrors = {"index.docker.io": "mirror.corp"}
    verdict_on(drivers, Done(), driver_state={"step": 3}, attempt=2, mirrors=mirrors)
    stub = drivers.get("stub")
    assert isinstance(stub, StubDriver)
    context = stub.calls[0].context
    assert (context.project, context.delivery, context.execution) == ("p", "dlv_1", "exe_1")
    assert (context.identity, context.order_key, context.named) == ("push", "7", True)
    assert (context.attempt, context.state) == (2, {"step": 3})
    assert context.mirrors == {"docker.io": "mirror.corp"}


def test_a_transient_fault_is_retried_with_its_state_kept(drivers: Drivers) -> None:
    verdict = verdict_on(drivers, Retry("API down", after=90), driver_state={"step": 3})
    assert (verdict.state, verdict.reason) == (ExecutionState.RETRYING, "transient")
    assert verdict.pause == 90
    assert verdict.driver_state == {"step": 3}


def test_a_call_without_a_reply_is_retried_if_it_may_work_later(drivers: Drivers) -> None:
    passing = verdict_on(drivers, OutboundError("no answer", transient=True))
    assert (passing.state, passing.reason) == (ExecutionState.RETRYING, "outbound_failed")
    lasting = verdict_on(drivers, OutboundError("a private address"))
    assert (lasting.state, lasting.message) == (ExecutionState.FAILED, "a private address")


def test_retries_end_in_the_dead_letter(drivers: Drivers) -> None:
    verdict = verdict_on(drivers, Retry("API down"), retries=len(PAUSES))
    assert verdict.state is ExecutionState.FAILED
    assert verdict.message == f"Given up after {len(PAUSES)} retries: API down"


def test_a_crash_is_retried_a_few_times_and_tells_no_secret(drivers: Drivers) -> None:
    first = verdict_on(drivers, KeyError("hunter2"))
    assert (first.state, first.reason) == (ExecutionState.RETRYING, "driver_crashed")
    assert "hunter2" not in first.message
    last = verdict_on(drivers, KeyError("hunter2"), retries=CRASH_RETRIES)
    assert last.state is ExecutionState.FAILED


def test_an_outcome_that_is_none_is_a_crash_of_the_driver(drivers: Drivers) -> None:
    verdict = verdict_on(drivers, lambda event, context: None, retries=CRASH_RETRIES)
    assert (verdict.state, verdict.reason) == (ExecutionState.FAILED, "driver_crashed")


@pytest.mark.parametrize("exc", [SystemExit(3), KeyboardInterrupt(), CancelledError(), Panic()])
def test_what_would_end_a_thread_is_a_crash_of_the_driver(
    drivers: Drivers, exc: BaseException
) -> None:
    with ThreadPoolExecutor(1) as worker:
        verdict = worker.submit(verdict_on, drivers, exc).result()
    assert (verdict.state, verdict.reason) == (ExecutionState.RETRYING, "driver_crashed")


def test_ctrl_c_in_the_main_thread_is_no_crash_of_the_driver(drivers: Drivers) -> None:
    with pytest.raises(KeyboardInterrupt):
        verdict_on(drivers, KeyboardInterrupt())


UNSTORABLE = {
    "object in state": Wait(1, {"a": object()}),
    "NaN in state": Wait(1, {"a": math.nan}),
    "state is no mapping": Wait(1, ["a"]),  # type: ignore[arg-type]
    "state of a megabyte": Wait(1, {"a": "x" * MAX_STATE}),
    "pause is NaN": Wait(math.nan, {}),
    "pause is a text": Wait("soon", {}),  # type: ignore[arg-type]
    "message is a number": Done(message=7),  # type: ignore[arg-type]
    "object among the changes": Done((object(),)),  # type: ignore[arg-type]
    "changes are one change": Done(CHANGE),  # type: ignore[arg-type]
    "object in a change": Done((Change("t", "f", None, object()),)),  # type: ignore[arg-type]
    "too many changes": Done((CHANGE,) * (MAX_CHANGES + 1)),
    "retry after NaN": Retry("busy", after=math.nan),
    "retry after a text": Retry("busy", after="soon"),  # type: ignore[arg-type]
    "error about an object": DriverError(object()),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("said", UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_cannot_be_stored_fails_at_once_and_says_so(drivers: Drivers, said: Any) -> None:
    verdict = verdict_on(drivers, said)
    assert (verdict.state, verdict.reason) == (ExecutionState.FAILED, "result_unstorable")
    assert verdict.message.startswith("The driver's result cannot be stored: ")


@pytest.mark.parametrize("after", [math.inf, 1e15, MAX_RETRY + 1])
def test_a_retry_waits_a_day_at_most(drivers: Drivers, after: float) -> None:
    assert verdict_on(drivers, Retry("busy", after=after)).pause == MAX_RETRY


@pytest.mark.parametrize(
    "said",
    [
        DriverError("bad \ud800 text"),
        Done(message="\udfff"),
        Unchanged("a\0b"),
        DriverError("no", code="c" * 1000),
        DriverError("no", code="a\0b"),
        Done((Change("t", "f", "\ud800", "a\0b" * 5000),)),
        Wait(1, {"\ud800": ["\udfff", "a\0b"]}),
    ],
)
def test_texts_are_made_fit_for_every_database(drivers: Drivers, said: Any) -> None:
    verdict = verdict_on(drivers, said)
    texts = [verdict.message, verdict.reason or "", json.dumps(dict(verdict.driver_state))]
    for change in verdict.changes or ():
        texts += [change.before or "", change.after or ""]
    for text in texts:
        assert text.encode() and "\0" not in text or text == ""
    assert "\\u0000" not in texts[2] and "\\ud" not in texts[2]
    assert len(verdict.reason or "") <= MAX_REASON


def test_a_message_holds_nothing_that_a_database_refuses(drivers: Drivers) -> None:
    assert verdict_on(drivers, Done(message="a\0b")).message == "ab"


def test_a_missing_driver_fails_with_what_to_do(drivers: Drivers) -> None:
    verdict = judge(claim(driver="gone"), drivers)
    assert (verdict.state, verdict.reason) == (ExecutionState.FAILED, "plugin_unavailable")
    assert "known: stub" in verdict.message


def test_a_config_that_no_longer_fits_fails(drivers: Drivers) -> None:
    verdict = judge(claim(config={"nope": 1}), drivers)
    assert (verdict.state, verdict.reason) == (ExecutionState.FAILED, "invalid_config")


def test_long_messages_are_cut(drivers: Drivers) -> None:
    assert len(verdict_on(drivers, DriverError("x" * 10_000)).message) == MAX_MESSAGE


class Registry:
    """A resolver that knows one digest, or refuses."""

    def __init__(self, error: Exception | None = None, facts: ImageFacts | None = None) -> None:
        self.error = error
        self.facts = facts
        self.asked = 0

    def resolve(self, event: PushEvent, rule: RegistryRule) -> PushEvent:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return replace(event, digest="sha256:" + "a" * 64, facts=self.facts)

    def close(self) -> None:
        """Nothing is open."""


class Running(StubDriver):
    """A stub whose target runs a tag."""

    tags: tuple[str, ...] = ()

    def running(self, config: StubConfig, event: PushEvent, context: Context) -> tuple[str, ...]:
        return self.tags


def test_the_registrys_digest_is_deployed_and_kept(drivers: Drivers) -> None:
    registry = Registry()
    verdict = judge(claim(registry=RegistryRule()), drivers, registry)
    stub = drivers.get("stub")
    assert isinstance(stub, StubDriver)
    assert stub.calls[0].event == verdict.event
    assert isinstance(verdict.event, PushEvent) and verdict.event.digest


def test_the_registry_is_asked_once_and_not_while_a_rollout_is_followed(
    drivers: Drivers,
) -> None:
    registry = Registry()
    verdict = judge(claim(registry=RegistryRule(), driver_state={"step": 1}), drivers, registry)
    assert (registry.asked, verdict.event) == (0, None)
    assert judge(claim(), drivers, registry).event is None


def test_what_the_registry_refuses_is_never_deployed(drivers: Drivers) -> None:
    registry = Registry(DriverError("not signed", code="signature_missing"))
    verdict = judge(claim(registry=RegistryRule()), drivers, registry)
    assert (verdict.state, verdict.reason) == (ExecutionState.FAILED, "signature_missing")
    stub = drivers.get("stub")
    assert isinstance(stub, StubDriver) and stub.calls == []


@pytest.mark.parametrize(
    ("running", "state"),
    [
        (("1.2.2",), "succeeded"),
        (("1.2.3",), "succeeded"),
        (("1.3.0",), "unchanged"),
        (("1.2.2", "1.3.0"), "unchanged"),
        (("latest",), "unchanged"),
        ((), "succeeded"),
    ],
)
def test_only_a_newer_tag_is_deployed_where_that_is_the_policy(
    drivers: Drivers, running: tuple[str, ...], state: str
) -> None:
    drivers.add("running", Running)
    Running.tags = running
    made = claim(driver="running", tags=TagRule(policy="newer", value="semver"))
    event = replace(EVENT, tag="1.2.3")
    verdict = judge(replace(made, execution=replace(made.execution, event=event)), drivers)
    assert verdict.state == state
    if state == "unchanged":
        assert verdict.reason == "not_newer"


FACTS = ImageFacts(revision="4f2a")


@pytest.mark.parametrize(
    ("when", "state", "reason"),
    [
        ("image.revision == '4f2a'", ExecutionState.SUCCEEDED, None),
        ("image.revision == 'other'", ExecutionState.UNCHANGED, "filtered"),
        ("image.revision", ExecutionState.FAILED, "filter_error"),
        # This one was asked before the push was accepted.
        ("event.tag == 'other'", ExecutionState.SUCCEEDED, None),
    ],
)
def test_a_filter_of_what_the_image_says_decides_before_the_driver(
    drivers: Drivers, when: str, state: ExecutionState, reason: str | None
) -> None:
    stub = drivers.get("stub")
    assert isinstance(stub, StubDriver)
    asked = claim(registry=RegistryRule(), when=when)
    verdict = judge(asked, drivers, Registry(facts=FACTS))
    assert (verdict.state, verdict.reason) == (state, reason)
    assert len(stub.calls) == (state is ExecutionState.SUCCEEDED)


def test_what_the_image_says_is_kept_whatever_comes_of_it(drivers: Drivers) -> None:
    registry = Registry(facts=FACTS)
    for when in (None, "image.revision == ''"):
        verdict = judge(claim(registry=RegistryRule(), when=when), drivers, registry)
        assert isinstance(verdict.event, PushEvent) and verdict.event.facts == FACTS
    stub = drivers.get("stub")
    assert isinstance(stub, StubDriver)
    stub.steps = [TargetConflict("not mine"), Retry("not now")]
    failed = judge(claim(registry=RegistryRule()), drivers, registry)
    assert isinstance(failed.event, PushEvent) and failed.event.facts == FACTS
    # The next attempt asks again.
    assert judge(claim(registry=RegistryRule()), drivers, registry).event is None


def test_a_filter_waits_until_it_is_known_what_the_image_says(drivers: Drivers) -> None:
    asked = claim(registry=RegistryRule(), when="image.revision == '4f2a'")
    verdict = judge(asked, drivers, Registry())
    assert (verdict.state, verdict.reason) == (ExecutionState.RETRYING, "registry_unavailable")
    # Without a filter, nothing waits for it.
    assert judge(claim(registry=RegistryRule()), drivers, Registry()).state == "succeeded"
