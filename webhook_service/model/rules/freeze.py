"""Freeze windows: times in which nothing is changed, by cron and time zone; pure.

A window starts when its cron expression fires on the wall clock of its zone, as Debian's cron
would, and lasts so many minutes of that clock: Friday 18:00 and 3720 minutes end on Monday at
08:00, also when the clocks change in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import Freeze

# Windows that join without end (every minute, say) are followed by so many searches and no further:
# one that goes back 28 years, to a fifth Monday in February, takes most of a millisecond.
MAX_SEARCHES = 20
_FIELDS = 5
_SECOND = timedelta(seconds=1)
# In an hour that the clocks repeat, a start of its first pass may stand later on the dial.
_REPEATED = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Window:
    """One kind of window, checked."""

    cron: str
    length: timedelta
    zone: ZoneInfo

    def end(self, moment: datetime) -> datetime | None:
        """When the window that covers the moment ends, in UTC; None if none does."""
        start = self._last_start(moment)
        if start is None:
            return None
        end = (start + self.length).replace(fold=start.fold).astimezone(UTC)
        return end if end > moment else None

    def _last_start(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self.zone).replace(microsecond=0)
        # The search excludes where it begins, and a window includes its start.
        begin = local + (_REPEATED if local.fold else _SECOND)
        earlier = CronSim(self.cron, begin, reverse=True)
        # In UTC: datetimes of one zone are compared by the dial alone.
        return next((start for start in earlier if start.astimezone(UTC) <= moment), None)


def compile_windows(freezes: Sequence[Freeze]) -> tuple[Window, ...]:
    """Check the windows of a receiver.

    Raises:
        InvalidConfig: a cron expression or a time zone cannot be used.
    """
    return tuple(_compile(freeze, f"match.freeze[{i}]") for i, freeze in enumerate(freezes))


def frozen_until(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When the freeze that covers ``now`` ends, in UTC; None if there is none.

    Windows that overlap or touch are one freeze. One without end, or of very many windows, is
    answered by a time inside it, at which to ask again.
    """
    if not windows:
        return None
    moment = now.astimezone(UTC)
    for _ in range(max(1, MAX_SEARCHES // len(windows))):
        ends = [end for window in windows if (end := window.end(moment)) is not None]
        if not ends:
            break
        moment = max(ends)
    return moment if moment > now else None


def _compile(freeze: Freeze, field: str) -> Window:
    # Without a field for seconds, which the library would take too.
    if len(freeze.cron.split()) != _FIELDS or not _fires(freeze.cron):
        raise InvalidConfig(
            f"{field}.cron needs the five fields of cron, for a time that exists: minute, hour, "
            "day of month, month, day of week, such as 0 18 * * FRI."
        )
    return Window(
        freeze.cron, timedelta(minutes=freeze.minutes), _zone(freeze.time_zone, f"{field}.timeZone")
    )


def _fires(cron: str) -> bool:
    try:
        return next(CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC)), None) is not None
    except Exception:
        # Beside its own error, the parser raises builtins on some malformed fields.
        return False


def _zone(name: str, field: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise InvalidConfig(
            f"{field} is no time zone of the IANA database, such as Europe/Berlin."
        ) from exc
