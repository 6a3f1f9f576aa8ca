"""Only time in which somebody looked counts against a deadline."""

import pytest

from webhook_drivers.kubernetes.images.stopwatch import LONGEST_GAP, LONGEST_WAIT, Stopwatch


def test_looks_that_follow_each_other_count_in_full() -> None:
    watch = Stopwatch(100.0, 100.0)
    for now in (101.0, 104.0, 104.0 + LONGEST_GAP):
        watch = watch.at(now)
    assert watch.elapsed == 4.0 + LONGEST_GAP


@pytest.mark.parametrize("away", [LONGEST_GAP + 1, 3600.0, 365 * 86400.0])
def test_of_a_time_without_a_look_only_a_minute_counts(away: float) -> None:
    assert Stopwatch(100.0, 110.0).at(110.0 + away).elapsed == 10.0 + LONGEST_GAP


def test_a_clock_that_is_set_back_neither_adds_nor_takes_time() -> None:
    watch = Stopwatch(100.0, 110.0).at(-5000.0)
    assert watch.elapsed == 10.0
    assert watch.at(-4998.0).elapsed == 12.0


def test_it_is_looked_at_less_and_less_often_up_to_a_limit() -> None:
    pauses = [Stopwatch(0.0, elapsed).pause for elapsed in (0.0, 1.0, 10.0, 25.0, 600.0)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, LONGEST_WAIT)


@pytest.mark.parametrize("state", [{}, {"started": 1.0}, {"started": "x", "seen": 1.0}])
def test_what_nobody_remembers_begins_anew(state: dict[str, object]) -> None:
    assert Stopwatch.read(state, 100.0) == Stopwatch(100.0, 100.0)


def test_what_is_remembered_goes_on() -> None:
    watch = Stopwatch(100.0, 110.0)
    assert Stopwatch.read(watch.as_json(), 115.0) == Stopwatch(100.0, 115.0)
