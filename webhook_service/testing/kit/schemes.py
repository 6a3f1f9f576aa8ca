"""``SchemeConformance``: what every scheme owes, as tests of pytest that an author inherits."""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import Any

from webhook_service.errors import IssuerUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes import Scheme, SchemeOptions
from webhook_service.testing.kit.bodies import MIB, SEED, flipped, respaced
from webhook_service.testing.kit.compared import ComparedText
from webhook_service.testing.kit.faults import Fault, by_contract, require, shown, within
from webhook_service.testing.kit.options import check_closed, check_hidden, check_secret_types
from webhook_service.testing.kit.scheme_case import SchemeCase
from webhook_service.testing.kit.watching import reaching
from webhook_service.testing.kit.words import Words, secrets_in

CALL_SECONDS = 20.0
MIB_SECONDS = 0.25
FLIPS = 300
AT_ONCE = 8
BODY = json.dumps({"image": "acme/shop:1.2.3", "number": 17}).encode()
RAISES = "return nothing, or raise Unauthenticated"
STRANGE = ("", " ", ",", "=", "a" * 100_000, "\0", "é", "\ud800", "v1,", "Basic ", "Bearer ", "0")


class SchemeConformance:
    """Inherit, name the class ``Test…``, and write a fixture ``case`` with a ``SchemeCase``."""

    def test_the_options_are_closed_and_hide_their_secrets(self, case: SchemeCase) -> None:
        """A misspelt option is refused, and what is secret has the type for it."""
        model = case.scheme().Options
        if model.model_config.get("extra") != "allow":  # a scheme that hands calls on to others
            check_closed(model, SchemeOptions, case.options)
        check_secret_types(model)
        check_hidden(model.model_validate(dict(case.options)))

    def test_a_genuine_call_passes(self, case: SchemeCase) -> None:
        """With any body, and again."""
        scheme = case.scheme()
        for body in (BODY, b"", b"\0\xff", BODY * 100):
            refused = told(case, scheme, case.sign(body))
            require(refused is None, f"A genuine call is refused ({body[:20]!r}): {refused}")

    def test_a_changed_body_is_refused(self, case: SchemeCase) -> None:
        """The bytes count as they came: nothing may be read and written again before."""
        if not case.covers_body:
            return
        scheme, call = case.scheme(), case.sign(BODY)
        draw = Random(SEED)
        for _ in range(FLIPS):
            place, bit = draw.randrange(len(BODY)), draw.randrange(8)
            _require_refused(
                case,
                scheme,
                replace(call, body=flipped(BODY, place, bit)),
                f"A body with bit {bit} of byte {place} turned",
            )
        for what, body in (
            ("The same JSON with other blanks", respaced(BODY) or b""),
            ("A body with a blank at its end", BODY + b" "),
            ("An empty body", b""),
        ):
            _require_refused(case, scheme, replace(call, body=body), what)

    def test_a_changed_proof_is_refused(self, case: SchemeCase) -> None:
        """Every bit of it counts."""
        scheme, call = case.scheme(), case.sign(BODY)
        for name, value in call.headers.items():
            for what, changed in _changed(value):
                if not case.same(name, changed):
                    headers = {**call.headers, name: changed}
                    _require_refused(
                        case,
                        scheme,
                        replace(call, headers=headers),
                        f"The header {name} with {what}",
                    )

    def test_a_missing_or_strange_proof_is_refused(self, case: SchemeCase) -> None:
        """Strangers send what they like; none of it is an error of the service."""
        scheme, call = case.scheme(), case.sign(BODY)
        for name in _proving(case, call):
            left = {other: value for other, value in call.headers.items() if other != name}
            _require_refused(case, scheme, replace(call, headers=left), f"A call without {name}")
            for strange in STRANGE:
                if not case.same(name, strange):
                    headers = {**call.headers, name: strange}
                    _require_refused(
                        case, scheme, replace(call, headers=headers), f"{name} as {shown(strange)}"
                    )
        if call.headers:
            _require_refused(case, scheme, replace(call, headers={}), "A call without headers")
        for number, forged in enumerate(case.forged(call), 1):
            _require_refused(case, scheme, forged, f"Forged call {number}")

    def test_another_secret_is_refused(self, case: SchemeCase) -> None:
        """Receivers share an instance, and must not share secrets."""
        if case.other_options is None:
            return
        scheme, call = case.scheme(), case.sign(BODY)
        told(case, scheme, call)
        other = scheme.Options.model_validate(dict(case.other_options))
        require(
            _told(scheme, call, other) is not None,
            "A receiver with another secret lets the call pass.",
        )

    def test_every_refusal_says_the_same(self, case: SchemeCase) -> None:
        """Words that differ tell a stranger how far it came."""
        scheme, call = case.scheme(), case.sign(BODY)
        said: dict[str, str] = {}
        for name, value in _proving(case, call).items():
            for what, changed in (("", ""), ("x", "x"), ("other", value[:-1] + "!"), ("é", "é")):
                headers = {**call.headers, name: changed}
                refused = told(case, scheme, replace(call, headers=headers))
                if refused is not None:
                    said.setdefault(refused, f"{name} as {what!r}")
            gone = {other: each for other, each in call.headers.items() if other != name}
            if (refused := told(case, scheme, replace(call, headers=gone))) is not None:
                said.setdefault(refused, f"no {name}")
        for number, forged in enumerate(case.forged(call), 1):
            if (refused := told(case, scheme, forged)) is not None:
                said.setdefault(refused, f"forged call {number}")
        require(
            len(said) <= 1,
            f"Refusals differ, and tell a stranger what was wrong: {shown(said)}. Use require() of "
            "webhook_service.schemes.",
        )

    def test_the_proof_is_compared_in_constant_time(self, case: SchemeCase) -> None:
        """``==`` ends at the first difference, and its time tells how much was right."""
        if case.public_key:
            return
        scheme, call = case.scheme(), case.sign(BODY)
        found: list[str] = []
        headers = {name: ComparedText(value, found) for name, value in call.headers.items()}
        options = scheme.Options.model_validate(dict(case.options))
        by_contract("check", RAISES, lambda: scheme.check(replace(call, headers=headers), options))
        require(
            not found,
            "check compares the proof with ==, which ends at the first difference: use "
            "any_same() of "
            "webhook_service.schemes, or hmac.compare_digest.",
        )

    def test_a_scheme_that_only_computes_does_so(self, case: SchemeCase) -> None:
        """``computes_only`` lets it run on an event loop, where nothing may wait."""
        scheme, call = case.scheme(), case.sign(BODY)
        if not scheme.computes_only:
            return
        told(case, scheme, call)
        options = scheme.Options.model_validate(dict(case.options))
        with reaching() as reached:
            scheme.check(call, options)
        outside = reached - {"the clock", "chance", "hash(), which differs from process to process"}
        require(not outside, f"computes_only is true, and check uses {', '.join(sorted(outside))}.")

    def test_a_mebibyte_is_checked_in_time(self, case: SchemeCase) -> None:
        """Whoever has the URL may send large bodies."""
        scheme = case.scheme()
        options = scheme.Options.model_validate(dict(case.options))
        call = case.sign(b"a" * MIB)

        def check() -> float:
            started = time.thread_time()
            scheme.check(call, options)
            return time.thread_time() - started

        took = min(within(CALL_SECONDS, "check", check) for _ in range(3))
        require(
            took < MIB_SECONDS,
            f"A body of 1 MiB takes {took * 1000:.0f} ms of CPU, and {MIB_SECONDS * 1000:.0f} "
            "ms at "
            "most are taken.",
        )

    def test_many_threads_share_one_scheme(self, case: SchemeCase) -> None:
        """One instance serves all receivers."""
        scheme = case.scheme()
        calls = []
        for number in range(AT_ONCE * 8):
            call = case.sign(BODY + b" " * number)
            forged = {name: value[:-1] + "!" for name, value in call.headers.items()}
            genuine = number % 2 == 0 or not forged
            calls.append((call if genuine else replace(call, headers=forged), genuine))
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = list(threads.map(lambda each: told(case, scheme, each[0]) is None, calls))
        require(
            found == [genuine for _, genuine in calls],
            "Checked by several threads at once, calls are mixed up: keep nothing on the scheme.",
        )

    def test_an_id_is_one_that_the_proof_covers(self, case: SchemeCase) -> None:
        """Two calls with one id count as one; so nobody may choose the id of another's call."""
        scheme, call = case.scheme(), case.sign(BODY)
        options = scheme.Options.model_validate(dict(case.options))
        found = scheme.message_id(call, options)
        if found is None:
            return
        Words(secrets_in(options)).check("What message_id gives", found, empty=False)
        require(scheme.message_id(call, options) == found, "message_id gives two ids for one call.")


def told(case: SchemeCase, scheme: Scheme[Any], call: Call) -> str | None:
    """What the caller is told; None if the call passes."""
    return _told(scheme, call, scheme.Options.model_validate(dict(case.options)))


def _told(scheme: Scheme[Any], call: Call, options: Any) -> str | None:
    try:
        found = by_contract(
            "check", RAISES, lambda: within(CALL_SECONDS, "check", scheme.check, call, options)
        )
    except Unauthenticated as refused:
        Words(secrets_in(options)).check("The refusal", refused.message, empty=False)
        return refused.message
    except IssuerUnavailable as exc:
        return exc.message
    except Fault:
        raise
    except Exception as other:
        raise Fault(f"check raised {type(other).__name__}: {RAISES}.") from other
    if inspect.iscoroutine(found):
        found.close()
        raise Fault("check is async, so it verifies nothing: write a plain def.")
    require(
        found is None,
        f"check returned {shown(found)}, which lets every call pass: {RAISES}.",
    )
    return None


def _proving(case: SchemeCase, call: Call) -> dict[str, str]:
    """The headers without which a call is not proven."""
    return {name: value for name, value in call.headers.items() if not case.same(name, "")}


def _require_refused(case: SchemeCase, scheme: Scheme[Any], call: Call, what: str) -> None:
    require(told(case, scheme, call) is not None, f"{what} passes: it must be refused.")


def _changed(value: str) -> Iterator[tuple[str, str]]:
    raw = value.encode("latin-1", "replace")
    for place in range(min(len(raw), FLIPS)):
        bit = place % 7
        yield f"bit {bit} of byte {place} turned", flipped(raw, place, bit).decode("latin-1")
    if raw:
        yield "its last byte cut off", value[:-1]
        yield "its first half", value[: len(value) // 2]
        yield "a byte more", value + "0"
