"""``DriverConformance``: what every driver owes, as tests of pytest that an author inherits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from webhook_service.driver import (
    Context,
    Done,
    DriverConfig,
    PushEvent,
    Unchanged,
)
from webhook_service.errors import DriverError, Superseded
from webhook_service.testing.kit.driver_case import DriverCase
from webhook_service.testing.kit.driver_checks import (
    AT_ONCE,
    MAX_KILLS,
    check_changes,
    check_killed,
    check_refused,
    check_same,
    check_slot,
    check_targets,
    run_at_once,
    trial,
)
from webhook_service.testing.kit.faults import by_contract, require, shown
from webhook_service.testing.kit.options import (
    check_closed,
    check_hidden,
    check_round_trip,
    check_secret_types,
)
from webhook_service.testing.kit.runs import Trial
from webhook_service.testing.kit.watching import (
    Effects,
    descriptors,
    home_of,
    new_descriptors,
    new_threads,
)


class DriverConformance:
    """Inherit, name the class ``Test…``, and write a fixture ``case`` that gives a ``DriverCase``.

    Each test makes the driver anew, on a fresh target. A fault is one sentence.
    """

    def test_the_config_is_closed_and_has_a_schema(self, case: DriverCase) -> None:
        """A misspelt field is refused, and forms and docs can be made of the config."""
        with trial(case) as tried:
            check_closed(tried.driver.Config, DriverConfig, tried.target.config)

    def test_configs_come_back_from_storage(self, case: DriverCase) -> None:
        """What was saved is what the driver gets."""
        with trial(case) as tried:
            check_round_trip(tried.driver.Config, tried.target.config)

    def test_secrets_are_never_shown(self, case: DriverCase) -> None:
        """Fields with secrets have the type for it, and nothing prints them."""
        with trial(case) as tried:
            check_secret_types(tried.driver.Config)
            check_hidden(tried.config)

    def test_bad_configs_are_refused_in_words(self, case: DriverCase) -> None:
        """Before a receiver is stored, not when a push comes."""
        for values in case.bad_configs:
            with trial(case) as tried:
                check_refused(tried, values)

    def test_validate_and_plan_change_nothing(self, case: DriverCase) -> None:
        """People look before they act; so looking must do nothing."""
        with trial(case) as tried:
            about = Context.without_execution("1a5", "rcv_kit", shared=False, named=True)
            event, config = case.events[0], tried.config
            asked: Mapping[str, Callable[[], object]] = {
                "validate": lambda: tried.asked("validate", config, about),
                "plan": lambda: tried.plan(0),
                "running": lambda: tried.asked("running", config, event, about),
                "targets": lambda: check_targets(tried.asked("targets", config, about)),
                "headers": lambda: tried.asked("headers", config),
                "warnings": lambda: tried.warnings(about),
            }
            for name, ask in asked.items():
                before = tried.target.whole()
                ask()
                require(
                    tried.target.whole() == before,
                    f"{name} changes the target, from {shown(before)} to "
                    f"{shown(tried.target.whole())}: it must only look.",
                )

    def test_the_plan_is_what_execute_does(self, case: DriverCase) -> None:
        """A dry run that says something else than what happens is worse than none."""
        with trial(case) as tried:
            planned = tried.plan(0).changes
            done = tried.run(0).changes
            require(
                not planned or Counter(planned) == Counter(done),
                f"plan announced {shown(planned)}, and execute did {shown(done)}.",
            )
            if not case.keeps_newest:
                return
            again = tried.plan(0).changes
            require(not again, f"The push is done, and plan still announces {shown(again)}.")

    def test_slot_only_computes(self, case: DriverCase) -> None:
        """It is asked for every push while its sender waits."""
        with trial(case) as tried, trial(case, tried.target) as other:
            for event in case.events:
                check_slot(tried, other, event)

    def test_a_push_is_done_when_the_target_shows_it(self, case: DriverCase) -> None:
        """``Done`` is a promise, and ``changes`` is what people see of it."""
        with trial(case) as tried:
            before = dict(tried.target.look())
            ended = tried.run(0)
            require(
                isinstance(ended.end, Done),
                f"On a fresh target the push ended with {shown(ended.end)}, and not with Done.",
            )
            require(
                tried.target.has(case.events[0]),
                f"execute returned Done, and the target does not show the push: it is "
                f"{shown(tried.target.look())}. Return Done when you have seen the change there.",
            )
            check_changes(ended, before, dict(tried.target.look()))

    def test_twice_is_once(self, case: DriverCase) -> None:
        """An engine calls again after a crash, though everything was done."""
        with trial(case) as tried:
            first = tried.run(0)
            done = tried.target.whole()
            tried.state = {}
            again = tried.run(0, attempt=2)
            check_same(tried, done, "executing the same push again")
            require(
                isinstance(again.end, Done | Unchanged) and again.changes in ((), first.changes),
                f"Executed again, the push ended with {shown(again.end)}: nothing was left to do, "
                "so return Unchanged, or Done with what this push had changed.",
            )

    def test_a_killed_push_ends_as_if_it_were_not(self, case: DriverCase) -> None:
        """Killed after each of its effects and called again, it comes to the same end."""
        with trial(case) as tried:
            effects = Effects(home_of(type(tried.driver)), tried.target.whole)
            tried.run(0, effects)
            end = tried.target.whole()
        for number in range(1, min(effects.seen, MAX_KILLS) + 1):
            for keeps_state in (True, False):
                check_killed(case, number, end, keeps_state)

    def test_an_older_push_never_wins(self, case: DriverCase) -> None:
        """Pushes may arrive in any order."""
        if not case.keeps_newest or len(case.events) < 2:
            return
        with trial(case) as tried:
            tried.run(1)
            require(tried.target.has(case.events[1]), "A newer push was not done at all.")
            newest = tried.target.whole()
            tried.state = {}
            ended = tried.run(0).end
            check_same(tried, newest, "an older push that came after a newer one")
            require(
                isinstance(ended, Superseded | Unchanged),
                f"An older push ended with {shown(ended)} after a newer one: raise Superseded.",
            )

    def test_pushes_follow_each_other(self, case: DriverCase) -> None:
        """A newer push is done after an older one."""
        with trial(case) as tried:
            for number, event in enumerate(case.events):
                tried.state = {}
                ended = tried.run(number).end
                require(
                    isinstance(ended, Done) and tried.target.has(event),
                    f"Push {number + 1} came after an older one and ended with {shown(ended)}; the "
                    f"target is {shown(tried.target.look())}.",
                )

    def test_many_threads_share_one_driver(self, case: DriverCase) -> None:
        """One instance serves all receivers: nothing of one execution may stay on it."""
        with trial(case) as first:
            others = [Trial(case, beside=first) for _ in range(AT_ONCE - 1)]
            run_at_once(case, [first, *others])

    def test_a_target_that_fails_is_an_error_of_the_contract(self, case: DriverCase) -> None:
        """Servers are down now and then."""
        with trial(case) as tried:
            if tried.target.fail is None:
                return
            tried.target.fail()
            ended = tried.run(0).end
            require(
                isinstance(ended, DriverError),
                f"The target refuses everything, and the push ended with {shown(ended)}: raise "
                "Retry.",
            )

    def test_a_push_without_a_tag_harms_nobody(self, case: DriverCase) -> None:
        """Some registries report only a digest."""
        if not isinstance(case.events[0], PushEvent):
            return
        with trial(case) as tried:
            digest = "sha256:" + "5a" * 32
            pushed = PushEvent(
                registry=case.events[0].registry,
                repository=case.events[0].repository,
                digest=digest,
            )
            by_contract("slot", "it must compute", lambda: tried.driver.slot(tried.config, pushed))
            tried.step(pushed, case.context_of(0))

    def test_close_leaves_nothing_behind(self, case: DriverCase) -> None:
        """Services start and stop in one process, in tests and in other people's applications."""
        target = case.target()
        threads, open_before = set(threading.enumerate()), descriptors()
        with trial(case, target) as tried:
            tried.run(0)
        left = new_threads(threads)
        require(not left, f"After close() these threads still run: {', '.join(left)}.")
        still = new_descriptors(open_before)
        require(not still, f"After close() these are still open: {', '.join(still)}.")
