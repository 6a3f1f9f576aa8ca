"""Freeze windows on the wall clock of their zone, over changes of the clocks and joined."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import Freeze, Match
from webhook_service.model.rules import freeze
from webhook_service.model.rules.freeze import compile_windows, frozen_until

BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = ("0 18 * * FRI", 3720, "Europe/Berlin")


def _until(now: str | datetime, *windows: tuple[str, int, str]) -> str | None:
    compiled = compile_windows(
        [Freeze(cron=cron, minutes=minutes, time_zone=zone) for cron, minutes, zone in windows]
    )
    moment = datetime.fromisoformat(now) if isinstance(now, str) else now
    end = frozen_until(compiled, moment)
    return None if end is None else end.isoformat()


def test_without_windows_nothing_is_frozen() -> None:
    assert frozen_until((), datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-20T17:59:59.999999+01:00", None),
        ("2026-11-20T18:00:00+01:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-20T18:00:00.000001+01:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-22T12:00:00+00:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-23T07:59:59.999999+01:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-23T08:00:00+01:00", None),
        ("2026-11-20T12:00:00-05:00", "2026-11-23T07:00:00+00:00"),
        ("2026-11-20T11:59:59-05:00", None),
    ],
)
def test_a_weekend_is_frozen_from_its_start_to_before_its_end(now: str, end: str | None) -> None:
    assert _until(now, WEEKEND) == end


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # The clocks go forward on 29 March and back on 25 October 2026.
        ("2026-03-28T12:00:00+01:00", "2026-03-30T06:00:00+00:00"),
        ("2026-03-30T07:59:00+02:00", "2026-03-30T06:00:00+00:00"),
        ("2026-03-30T08:00:00+02:00", None),
        ("2026-10-24T12:00:00+02:00", "2026-10-26T07:00:00+00:00"),
        ("2026-10-26T07:59:00+01:00", "2026-10-26T07:00:00+00:00"),
        ("2026-10-26T08:00:00+01:00", None),
    ],
)
def test_a_weekend_ends_at_its_hour_though_the_clocks_change(now: str, end: str | None) -> None:
    assert _until(now, WEEKEND) == end


@pytest.mark.parametrize(
    ("cron", "minutes", "now", "end"),
    [
        # 02:30 does not exist on 29 March: cron runs it at 03:00.
        ("30 2 * * *", 30, "2026-03-29T02:59:00+02:00", None),
        ("30 2 * * *", 30, "2026-03-29T03:10:00+02:00", "2026-03-29T01:30:00+00:00"),
        # 02:30 is there twice on 25 October: cron runs it the first time.
        ("30 2 * * *", 10, "2026-10-25T02:35:00+02:00", "2026-10-25T00:40:00+00:00"),
        ("30 2 * * *", 10, "2026-10-25T02:35:00+01:00", None),
        ("30 2 * * *", 120, "2026-10-25T02:10:00+01:00", "2026-10-25T03:30:00+00:00"),
        ("0 0 * * *", 1440, "2026-10-25T02:35:00+01:00", "later"),
    ],
)
def test_an_hour_that_is_skipped_or_repeated_is_read_as_cron_does(
    cron: str, minutes: int, now: str, end: str | None
) -> None:
    found = _until(now, (cron, minutes, "Europe/Berlin"))
    assert (found is not None) if end == "later" else found == end


@pytest.mark.parametrize(
    ("windows", "end"),
    [
        ([("0 8 * * *", 60, "UTC"), ("0 9 * * *", 60, "UTC")], "2026-01-01T10:00:00+00:00"),
        ([("0 8 * * *", 60, "UTC"), ("59 8 * * *", 60, "UTC")], "2026-01-01T09:59:00+00:00"),
        ([("0 8 * * *", 60, "UTC"), ("1 9 * * *", 60, "UTC")], "2026-01-01T09:00:00+00:00"),
        ([("0 8 * * *", 60, "UTC"), ("10 8 * * *", 5, "UTC")], "2026-01-01T09:00:00+00:00"),
        ([("0 9 * * *", 60, "Europe/Berlin")], "2026-01-01T09:00:00+00:00"),
        ([("0 8 * * *", 60, "UTC")] * 10, "2026-01-01T09:00:00+00:00"),
        ([("*/30 8 * * *", 31, "UTC")], "2026-01-01T09:01:00+00:00"),
    ],
)
def test_windows_that_touch_are_one_freeze(windows: list[tuple[str, int, str]], end: str) -> None:
    assert _until("2026-01-01T08:30:00+00:00", *windows) == end


def test_a_freeze_without_end_is_answered_by_a_time_in_it() -> None:
    end = _until("2026-01-01T00:00:00+00:00", ("* * * * *", 5, "UTC"))
    assert end is not None and _until(end, ("* * * * *", 5, "UTC")) is not None


def _union_end(cron: str, minutes: int, now: datetime) -> datetime | None:
    """The same answer, counted forwards from every start of the days before."""
    end = now
    for start in CronSim(cron, (now - timedelta(days=8)).astimezone(BERLIN)):
        if start.astimezone(UTC) > end:
            break
        stop = (start + timedelta(minutes=minutes)).replace(fold=start.fold).astimezone(UTC)
        end = max(end, stop)
    return end if end > now else None


@settings(max_examples=150, deadline=None, database=None)
@given(
    now=st.datetimes(datetime(2026, 3, 28), datetime(2026, 3, 30), timezones=st.just(UTC))
    | st.datetimes(datetime(2026, 10, 24), datetime(2026, 10, 26), timezones=st.just(UTC)),
    rule=st.sampled_from(
        [
            ("0 2 * * *", 45),
            ("30 2 * * *", 1),
            ("30 2 * * *", 120),
            ("*/7 * * * *", 3),
            ("50 1,2,3 * * *", 20),
            ("15 */2 * * *", 60),
            ("0 18 * * FRI", 3720),
            ("0 0 * * SAT,SUN", 1440),
        ]
    ),
)
def test_the_search_backwards_agrees_with_counting_forwards(
    now: datetime, rule: tuple[str, int]
) -> None:
    cron, minutes = rule
    windows = compile_windows([Freeze(cron=cron, minutes=minutes, time_zone="Europe/Berlin")])
    assert frozen_until(windows, now) == _union_end(cron, minutes, now)


@pytest.mark.parametrize("windows", [1, 4, 10])
def test_windows_that_join_for_ever_cost_a_bounded_number_of_searches(
    windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = []

    def counted(*args: Any, **kwargs: Any) -> CronSim:
        searches.append(args)
        return CronSim(*args, **kwargs)

    compiled = compile_windows([Freeze(cron="* * * * *", minutes=2)] * windows)
    monkeypatch.setattr(freeze, "CronSim", counted)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    end = frozen_until(compiled, now)
    assert end is not None and end > now
    assert len(searches) <= freeze.MAX_SEARCHES == 20


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "weekly",
        "@daily",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 0 31 2 *",
        "* * */20 * 1L",
        "1,,2 * * * *",
        "*/0 * * * *",
        "² * * * *",
        "* * * * 1#1/2",
        "0 18 * * FRIDAY",
    ],
)
def test_a_cron_expression_that_never_fires_is_refused(cron: str) -> None:
    with pytest.raises((InvalidConfig, ValidationError), match="cron"):
        compile_windows([Freeze(cron=cron, minutes=1)])


@pytest.mark.parametrize("zone", ["Mars/Base", "Europe", "../etc/passwd", "/etc/passwd", "x\0"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidConfig, match="timeZone is no time zone"):
        compile_windows([Freeze(cron="0 0 * * *", minutes=1, time_zone=zone)])


@pytest.mark.parametrize("minutes", [0, -1, 44641, 1.5, "60", True])
def test_a_length_outside_one_minute_to_31_days_is_refused(minutes: object) -> None:
    with pytest.raises(ValidationError):
        Freeze.model_validate({"cron": "0 0 * * *", "minutes": minutes})


def test_a_receiver_has_ten_windows_at_most() -> None:
    window = {"cron": "0 0 * * *", "minutes": 1, "timeZone": "UTC"}
    assert len(Match.model_validate({"freeze": [window] * 10}).freeze) == 10
    with pytest.raises(ValidationError):
        Match.model_validate({"freeze": [window] * 11})
