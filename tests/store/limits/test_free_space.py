import logging
from pathlib import Path

import pytest

from webhook_service.errors import StoreUnavailable
from webhook_service.store.limits.free_space import PAUSE, FreeSpace


class Disk:
    def __init__(self) -> None:
        self.now, self.left, self.looks = 0.0, 1000, 0

    def free(self, folder: Path) -> int:
        self.looks += 1
        if self.left < 0:
            raise OSError("gone")
        return self.left


def _space(disk: Disk, minimum: int = 500, folder: Path | None = Path("/data")) -> FreeSpace:
    return FreeSpace(folder, minimum, disk.free, lambda: disk.now)


def test_calls_are_refused_below_the_minimum_and_taken_again_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk()
    space = _space(disk)
    space.require()
    disk.left, disk.now = 499, PAUSE
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="less than 500 bytes free"):
            space.require()
        disk.now += PAUSE
    disk.left = 500
    with caplog.at_level(logging.WARNING):
        space.require()
    assert len(caplog.records) == 2  # once that it is low, once that it is not
    assert "taken again" in caplog.text


def test_it_looks_once_a_second_however_many_ask() -> None:
    disk = Disk()
    space = _space(disk)
    for _ in range(100):
        space.require()
    assert disk.looks == 1


@pytest.mark.parametrize(("minimum", "folder"), [(0, Path("/data")), (500, None)])
def test_nothing_is_looked_at_without_a_minimum_or_a_disk_of_this_host(
    minimum: int, folder: Path | None
) -> None:
    disk = Disk()
    disk.left = 0
    _space(disk, minimum, folder).require()
    assert disk.looks == 0


def test_a_disk_that_cannot_be_asked_refuses_nobody() -> None:
    disk = Disk()
    disk.left = -1
    _space(disk).require()
    assert disk.looks == 1
