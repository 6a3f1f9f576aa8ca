"""``FormatConformance``: what every format owes, as tests of pytest that an author inherits."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from webhook_service.errors import InvalidPayload
from webhook_service.formats import Format, FormatOptions, Parsed
from webhook_service.plugins.boundary import Unstorable, storable_parsed
from webhook_service.testing.kit.bodies import STRANGE, changed, large
from webhook_service.testing.kit.faults import Fault, by_contract, require, shown, within
from webhook_service.testing.kit.format_case import FormatCase, Sample
from webhook_service.testing.kit.options import check_closed, check_round_trip
from webhook_service.testing.kit.watching import reaching
from webhook_service.testing.kit.words import Words

CALL_SECONDS = 20.0
MIB_SECONDS = 0.25
TRIES = 3
AT_ONCE = 8
RAISES = "return Parsed, or raise InvalidPayload"


class FormatConformance:
    """Inherit, name the class ``Test…``, and write a fixture ``case`` with a ``FormatCase``."""

    def test_the_options_are_closed_and_come_back_from_storage(self, case: FormatCase) -> None:
        """A misspelt option is refused, and nothing of an option is lost."""
        model = case.format().Options
        check_closed(model, FormatOptions, case.options)
        check_round_trip(model, case.options)
        for values in case.bad_options:
            _check_refused(model, values)

    def test_pushes_are_read(self, case: FormatCase) -> None:
        """Every image that a call reports, and no other."""
        for sample in case.pushes:
            found = parse(case, sample.body, sample.headers)
            if isinstance(found, InvalidPayload):
                raise Fault(f"A genuine call is refused: {shown(found)}.")
            images = tuple(event.image for event in found.events)
            require(
                images == sample.images,
                f"A call that reports {sample.images} was read as {images}.",
            )

    def test_what_is_no_push_is_ignored(self, case: FormatCase) -> None:
        """Deletes and pings are dropped with a reason; refused, their sender would repeat them."""
        for sample in case.ignored:
            found = parse(case, sample.body, sample.headers)
            if isinstance(found, InvalidPayload):
                raise Fault(
                    f"A call that is no push ({sample.body[:60]!r}) is refused: return it as "
                    "Dropped, "
                    "with a reason."
                )
            require(
                not found.events,
                f"A call that is no push ({sample.body[:60]!r}) was read as "
                f"{[event.image for event in found.events]}: it would be deployed.",
            )
            require(
                found.dropped or found.reply is not None,
                f"A call that is no push ({sample.body[:60]!r}) left no trace: return it as "
                "Dropped, "
                "so that people see why nothing happened.",
            )

    def test_any_bytes_are_parsed_or_invalid(self, case: FormatCase) -> None:
        """Strangers send what they like."""
        for sample in (*case.pushes, *case.ignored):
            for what, body in changed(sample.body):
                found = parse(case, body, sample.headers, what)
                _check_home(case, found, what)
            for headers in ({}, {name: "" for name in sample.headers}):
                parse(case, sample.body, headers, "other headers")

    def test_a_mebibyte_is_read_in_time(self, case: FormatCase) -> None:
        """A body that takes long stops everybody else's calls."""
        for sample in case.pushes[:1]:
            for what, body in large(sample.body):
                took = _least_seconds(case, body, sample.headers)
                require(
                    took < MIB_SECONDS,
                    f"A body of 1 MiB ({what}) takes {took * 1000:.0f} ms of CPU, and "
                    f"{MIB_SECONDS * 1000:.0f} ms at most are taken: look for a loop in a loop, or "
                    "for a regular expression that backtracks.",
                )

    def test_parse_only_computes(self, case: FormatCase) -> None:
        """The same bytes give the same answer, for every instance, whatever came before."""
        one, other = case.format(), case.format()
        samples = (*case.pushes, *case.ignored)
        first = [_read(one, case, sample) for sample in samples]
        again = [_read(one, case, sample) for sample in reversed(samples)][::-1]
        fresh = [_read(other, case, sample) for sample in samples]
        require(
            first == again == fresh,
            "The same call is read in another way the second time: keep nothing on the format, and "
            "ask no clock.",
        )
        for sample in samples:
            with reaching() as reached:
                _read(one, case, sample)
            outside = reached - {"the clock", "hash(), which differs from process to process"}
            require(not outside, f"parse uses {', '.join(sorted(outside))}: it must only compute.")

    def test_many_threads_share_one_format(self, case: FormatCase) -> None:
        """One instance serves all receivers."""
        format_ = case.format()
        samples = (*case.pushes, *case.ignored) * AT_ONCE
        expected = [_read(format_, case, sample) for sample in samples]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = list(threads.map(lambda sample: _read(format_, case, sample), samples))
        require(found == expected, "Read by several threads at once, calls are mixed up.")

    def test_claims_is_a_plain_yes_or_no(self, case: FormatCase) -> None:
        """``auto`` asks every format about every call."""
        format_ = case.format()
        for headers in ({}, *(sample.headers for sample in case.pushes)):
            for value in (*STRANGE, {"a": 1}, ["a"], "text"):
                found = by_contract(
                    f"claims of {shown(value)}",
                    "it must say no",
                    lambda value=value, headers=headers: format_.claims(value, headers),  # type: ignore[misc]
                )
                require(isinstance(found, bool), f"claims gave {shown(found)}: give True or False.")


def parse(
    case: FormatCase, body: bytes, headers: Mapping[str, str], what: str = ""
) -> Parsed | InvalidPayload:
    """Read a body, by contract: what was read, or the refusal."""
    format_ = case.format()
    options: Any = format_.Options.model_validate(dict(case.options))
    name = f"parse ({what})" if what else "parse"
    try:
        found = by_contract(
            name,
            RAISES,
            lambda: within(
                CALL_SECONDS, name, format_.parse, body, MappingProxyType(dict(headers)), options
            ),
        )
    except InvalidPayload as refused:
        Words().check(f"The message of InvalidPayload ({what})", refused.message, empty=False)
        return refused
    except Fault:
        raise
    except Exception as other:
        raise Fault(f"{name} raised {type(other).__name__}: {RAISES}.") from other
    return _storable(name, found)


def _storable(name: str, found: object) -> Parsed:
    try:
        kept = storable_parsed(found)
    except Unstorable as exc:
        raise Fault(f"{name} gave what cannot be stored: {exc}.") from exc
    return kept


def _check_home(case: FormatCase, found: Parsed | InvalidPayload, what: str) -> None:
    """If a format says whose registry it is, no body may choose another one."""
    format_ = case.format()
    home = format_.home(format_.Options.model_validate(dict(case.options)))
    if home is None or isinstance(found, InvalidPayload):
        return
    for event in found.events:
        require(
            event.registry == home,
            f"home() says that all pushes are of {home}, and a body ({what}) made one of "
            f"{event.registry}: give None where the body can choose.",
        )


def _read(format_: Format[Any], case: FormatCase, sample: Sample) -> Any:
    options = format_.Options.model_validate(dict(case.options))
    try:
        return format_.parse(sample.body, sample.headers, options)
    except InvalidPayload as refused:
        return refused.message


def _least_seconds(case: FormatCase, body: bytes, headers: Mapping[str, str]) -> float:
    """The best of some tries: only what is always slow is slow."""
    took = _seconds(case, body, headers)
    for _ in range(TRIES - 1):
        if took >= MIB_SECONDS:
            took = min(took, _seconds(case, body, headers))
    return took


def _seconds(case: FormatCase, body: bytes, headers: Mapping[str, str]) -> float:
    """Seconds of this thread's CPU, whatever else the machine does."""
    format_ = case.format()
    options = format_.Options.model_validate(dict(case.options))

    def read() -> float:
        started = time.thread_time()
        try:
            format_.parse(body, headers, options)
        except InvalidPayload:
            pass
        return time.thread_time() - started

    return within(CALL_SECONDS, "parse of 1 MiB", read)


def _check_refused(model: type[FormatOptions], values: Mapping[str, Any]) -> None:
    try:
        model.model_validate(dict(values))
    except ValidationError:
        return
    raise Fault(f"The options {shown(dict(values))} are to be refused, and are accepted.")
