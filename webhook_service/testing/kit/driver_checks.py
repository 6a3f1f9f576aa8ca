"""How ``DriverConformance`` checks: what is tried, and the sentence for each fault."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from pydantic import ValidationError

from webhook_service.driver import (
    Context,
    Done,
    Unchanged,
    WebhookDriver,
)
from webhook_service.errors import InvalidConfig, WebhookServiceError
from webhook_service.testing.kit.driver_case import DriverCase, Event, FreshTarget
from webhook_service.testing.kit.faults import Fault, by_contract, require, shown
from webhook_service.testing.kit.runs import Ended, Trial
from webhook_service.testing.kit.watching import (
    Effects,
    Killed,
    home_of,
    reaching,
)
from webhook_service.testing.kit.words import Words, secrets_in

SLOT_CALLS = 200
SLOT_SECONDS = 0.001
AT_ONCE = 8
MAX_KILLS = 60


@contextmanager
def trial(case: DriverCase, target: FreshTarget | None = None) -> Iterator[Trial]:
    """A driver on a fresh target, closed at the end."""
    with closing(Trial(case, target)) as tried:
        yield tried


def check_refused(tried: Trial, values: Mapping[str, Any]) -> None:
    about = Context.without_execution("1a5", "rcv_kit", shared=False, named=True)
    try:
        config = by_contract_or_invalid(tried.driver, values)
        tried.asked("validate", config, about)
    except ValidationError:
        return
    except InvalidConfig as refused:
        config_secrets = Words(secrets_in(config))
        return config_secrets.check("The message of InvalidConfig", refused.message, empty=False)
    except WebhookServiceError as other:
        raise Fault(
            f"validate raised {type(other).__name__} for a bad config: raise InvalidConfig."
        ) from other
    raise Fault(f"The config {shown(config)} is to be refused, and is accepted.")


def by_contract_or_invalid(driver: WebhookDriver[Any, Any], values: Mapping[str, Any]) -> Any:
    """The config, or pydantic's error."""
    try:
        return driver.Config.model_validate(dict(values))
    except ValidationError:
        raise
    except Exception as exc:
        raise Fault(
            f"Validating {driver.Config.__name__} raised {type(exc).__name__}: let validators "
            "raise "
            "ValueError."
        ) from exc


def check_targets(found: object) -> None:
    texts = isinstance(found, tuple | list) and all(isinstance(each, str) for each in found)
    require(texts, f"targets gave {shown(found)}: give a tuple of texts.")
    for each in found if isinstance(found, tuple | list) else ():
        require(
            each.count("/") == 3,
            f"targets gave {each!r}: a name has four parts, cluster/namespace/kind/name.",
        )


def check_slot(tried: Trial, other: Trial, event: Event) -> None:
    def slot() -> str:
        return by_contract(
            "slot", "it must only compute", lambda: tried.driver.slot(tried.config, event)
        )

    first = slot()  # also loads what is loaded on first use
    tried.words.check_slot(first)
    with reaching() as reached:
        slot()
    require(
        not reached,
        f"slot uses {', '.join(sorted(reached))}: it must only compute, from the config and the "
        "push.",
    )
    started = time.thread_time()
    found = {slot() for _ in range(SLOT_CALLS)} | {other.driver.slot(other.config, event)}
    took = (time.thread_time() - started) / SLOT_CALLS
    require(found == {first}, f"slot gives {len(found)} answers for one push: {shown(found)}.")
    require(
        took < SLOT_SECONDS,
        f"slot takes {took * 1000:.1f} ms, and {SLOT_SECONDS * 1000:g} ms at most are fast.",
    )


def check_changes(
    ended: Ended, before: Mapping[str, str | None], after: Mapping[str, str | None]
) -> None:
    seen = Counter(
        (before.get(name), after.get(name))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    )
    said = Counter((change.before, change.after) for change in ended.changes)
    require(
        seen == said,
        f"The target changed by {shown(sorted(seen, key=str))}, and the changes say "
        f"{shown(sorted(said, key=str))} (each before and after): report what changed, no more and "
        "no less.",
    )


def check_same(tried: Trial, before: object, what: str) -> None:
    require(
        tried.target.whole() == before,
        f"The target was {shown(before)}, and {what} made it {shown(tried.target.whole())}: "
        "read the "
        "live state first, and do only what is missing.",
    )


def check_killed(case: DriverCase, number: int, end: object, keeps_state: bool) -> None:
    target = case.target()
    with trial(case, target) as dying:
        effects = Effects(home_of(type(dying.driver)), target.whole, number)
        try:
            dying.run(0, effects)
            return  # this time it had fewer effects
        except Killed:
            pass
        forget_the_dead()
        state = dying.state if keeps_state else {}
    with trial(case, target) as next_one:
        next_one.state = state
        found = next_one.run(0, attempt=2).end
        require(
            isinstance(found, Done | Unchanged) and target.whole() == end,
            f"Killed after effect {number} (at {effects.line}) and called again, the push ended "
            "with "
            f"{shown(found)} and the target is {shown(target.whole())} instead of {shown(end)}: "
            "look "
            "for each part of the work whether it was done, not only for the first.",
        )


def forget_the_dead() -> None:
    """A killed driver closes nothing. Its sockets go now, and nobody is warned of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def run_at_once(case: DriverCase, trials: list[Trial]) -> None:
    start = threading.Barrier(len(trials))
    failed: dict[int, BaseException] = {}
    numbers = [place % len(case.events) for place in range(len(trials))]

    def run(place: int) -> None:
        tried = trials[place]
        # It rests at each line, so that others come in between: what they share is mixed up.
        resting = Effects(
            home_of(type(tried.driver)), lambda: None, pause=lambda: time.sleep(0.0005)
        )
        try:
            start.wait(case.step_seconds)
            tried.run(numbers[place], resting)
        except BaseException as exc:  # said in the thread of the test
            failed[place] = exc

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(trials))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(case.total_seconds)
    for place, tried in enumerate(trials):
        event = case.events[numbers[place]]
        require(
            place not in failed and tried.target.has(event),
            f"{AT_ONCE} executions at once on {AT_ONCE} targets: one of them ended as "
            f"{shown(failed.get(place) or dict(tried.target.look()))}, and alone it works. Keep "
            "what "
            "belongs to one execution in local names, not on the driver or in its module.",
        )
