from webhook_service.telemetry.kept import SHARE, Kept


class Reader:
    """Counts how often it is read; each time takes so many seconds of its clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.time = 0.0
        self.count = 0

    def read(self) -> int:
        self.time += self.seconds
        self.count += 1
        return self.count


def test_what_is_quick_is_read_each_time() -> None:
    reader = Reader(0.001)
    kept = Kept(reader.read, lambda: reader.time)
    assert [kept.get() for _ in range(3)] == [1, 2, 3]


def test_what_takes_long_is_kept_in_proportion() -> None:
    reader = Reader(2.0)
    kept = Kept(reader.read, lambda: reader.time)
    assert [kept.get() for _ in range(3)] == [1, 1, 1]
    reader.time = 2.0 * SHARE - 0.1
    assert kept.get() == 1
    reader.time = 2.0 * SHARE
    assert kept.get() == 2
