"""The kit finds every fault of the gallery and names it, and finds none in the good ones."""

from collections.abc import Iterator

import pytest

from tests.testing.gallery import drivers, formats, schemes
from tests.testing.gallery.bad import Bad
from tests.testing.gallery.good import CLOSED, SECRET, GoodAsyncDriver, GoodDriver, case_of
from webhook_service.testing.kit import (
    DriverCase,
    DriverConformance,
    Fault,
    FormatCase,
    FormatConformance,
    SchemeCase,
    SchemeConformance,
)


class TestGoodDriver(DriverConformance):
    @pytest.fixture
    def case(self) -> DriverCase:
        return case_of(GoodDriver)


class TestGoodAsyncDriver(DriverConformance):
    """Each test closes every driver that it made."""

    @pytest.fixture
    def case(self) -> Iterator[DriverCase]:
        made: list[GoodAsyncDriver] = []

        def make() -> GoodAsyncDriver:
            made.append(GoodAsyncDriver())
            return made[-1]

        CLOSED.clear()
        yield case_of(make)
        assert made and sorted(made, key=id) == sorted(CLOSED, key=id)


class TestGoodFormat(FormatConformance):
    @pytest.fixture
    def case(self) -> FormatCase:
        return formats.case_of(formats.GoodFormat)


class TestGoodScheme(SchemeConformance):
    @pytest.fixture
    def case(self) -> SchemeCase:
        return schemes.case_of(schemes.GoodScheme)


def by_name(bad: Bad) -> str:
    return bad.plugin.__name__


@pytest.mark.parametrize("bad", drivers.BAD, ids=by_name)
def test_a_bad_driver_is_caught_by_name(bad: Bad) -> None:
    quick = {"step_seconds": 0.5} if bad.plugin is drivers.Hangs else {}
    with pytest.raises(Fault) as found:
        getattr(DriverConformance(), bad.test)(case_of(bad.plugin, **quick))
    assert bad.sentence in str(found.value)
    assert SECRET not in str(found.value)


@pytest.mark.parametrize("bad", formats.BAD, ids=by_name)
def test_a_bad_format_is_caught_by_name(bad: Bad) -> None:
    with pytest.raises(Fault) as found:
        getattr(FormatConformance(), bad.test)(formats.case_of(bad.plugin))
    assert bad.sentence in str(found.value)


@pytest.mark.parametrize("bad", schemes.BAD, ids=by_name)
def test_a_bad_scheme_is_caught_by_name(bad: Bad) -> None:
    with pytest.raises(Fault) as found:
        getattr(SchemeConformance(), bad.test)(schemes.case_of(bad.plugin))
    assert bad.sentence in str(found.value)
    assert schemes.SECRET not in str(found.value)
