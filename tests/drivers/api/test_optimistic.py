import pytest

from webhook_drivers.kubernetes.api import optimistic
from webhook_drivers.kubernetes.api.faults import Conflict
from webhook_drivers.kubernetes.api.optimistic import optimistically
from webhook_service import Retry


class Busy:
    """An object that its controller writes until ``rests``, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rests: float) -> None:
        self.now, self.rests, self.looks = 0.0, rests, 0
        monkeypatch.setattr(optimistic.time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def write(self) -> str:
        self.looks += 1
        if self.now < self.rests:
            raise Conflict("changed at the same time")
        return "written"


def test_a_controller_that_writes_for_half_a_second_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = Busy(monkeypatch, rests=0.5)
    assert optimistically("Deployment default/shop", busy.write) == "written"
    assert 2 < busy.looks <= 5


def test_an_object_at_rest_is_written_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(monkeypatch, rests=0)
    assert optimistically("Deployment default/shop", busy.write) == "written"
    assert (busy.looks, busy.now) == (1, 0.0)


def test_an_object_that_never_rests_is_left_to_the_engine_within_two_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = Busy(monkeypatch, rests=60)
    with pytest.raises(Retry, match="default/shop was changed by others 5 times meanwhile"):
        optimistically("Deployment default/shop", busy.write)
    assert busy.looks == 5 and busy.now < 2
