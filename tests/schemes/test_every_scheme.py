"""What every scheme owes: it passes what is genuine, and refuses the rest in the same words."""

import ast
import importlib
import inspect
import pkgutil
import re
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schemes.cases import BODY, CASES, CLASSES, CLIENT, Case, refusal, scheme_of
from webhook_service import schemes
from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import REFUSED
from webhook_service.schemes.scheme import Scheme

FLIPS = 10_000
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.iter_modules(schemes.__path__, f"{schemes.__name__}.")
]
WITH_SECRET = [name for name, case in CASES.items() if case.field]
WITH_HEADER = [name for name, case in CASES.items() if case.proof]
COVERING = [name for name, case in CASES.items() if case.covers]
SECRET_NAME = re.compile(r"secret|signature|digest|\bmacs?\b|password|given|expected", re.I)


def _told(name: str, call: Call) -> str | None:
    case = CASES[name]
    options = case.options()
    return refusal(scheme_of(case.scheme, options), call, options)


def _with(name: str, value: str) -> Call:
    """A genuine call with another value in the header that proves it."""
    call = CASES[name].call()
    return replace(call, headers={**call.headers, CASES[name].proof: value})


def test_every_scheme_is_tested_here_or_in_a_module_of_its_own() -> None:
    schemes = {
        found
        for module in MODULES
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Scheme) and found is not Scheme
    }
    others = {found.__module__.rpartition(".")[2] for found in schemes - set(CLASSES.values())}
    folder = Path(__file__).parent
    assert [name for name in others if not (folder / f"test_{name}.py").exists()] == []
    assert {case.scheme for case in CASES.values()} | {"none"} == set(CLASSES)


@pytest.mark.parametrize("name", CASES)
def test_a_genuine_call_passes(name: str) -> None:
    assert _told(name, CASES[name].call()) is None


@pytest.mark.parametrize("name", WITH_HEADER)
def test_a_missing_header_a_malformed_and_a_wrong_one_are_refused_in_the_same_words(
    name: str,
) -> None:
    proof = CASES[name].proof
    value = CASES[name].call().headers[proof]
    missing = CASES[name].call()
    missing = replace(missing, headers={n: v for n, v in missing.headers.items() if n != proof})
    wrong = [
        "",
        " ",
        ",",
        "=",
        ",,,,",
        "v1,",
        "v1a,",
        "v1,v1a,",
        "sha256=",
        "Basic ",
        "Basic =",
        "Basic é",
        "\x00",
        "é" * 64,
        "\u2713" * 64,
        "\ud800",
        "0" * 64,
        "A" * 88,
        "x" * 65536,
        value[:-1],
        value + "0",
        value + "=",
        value.swapcase(),
        f"{value};{value}",
        "sha1=" + value,
        value.encode().hex(),
    ]
    assert {_told(name, call) for call in [missing, *(_with(name, text) for text in wrong)]} == {
        REFUSED
    }


@pytest.mark.parametrize("name", CASES)
def test_a_call_without_anything_is_refused_in_the_same_words(name: str) -> None:
    assert _told(name, Call(b"")) == REFUSED
    assert _told(name, Call(BODY, {}, {}, "not an address")) == REFUSED


@pytest.mark.parametrize("name", WITH_SECRET)
def test_both_secrets_live_while_they_change_and_the_old_one_dies_with_it(name: str) -> None:
    case = CASES[name]
    calls = [case.call(secret) for secret in case.secrets]
    both, swapped = case.options(*case.known), case.options(*reversed(case.known))
    assert [case.passes(call, both) for call in calls] == [True, True]
    assert [case.passes(call, swapped) for call in calls] == [True, True]
    assert [case.passes(call, case.options(case.known[1])) for call in calls] == [False, True]


@pytest.mark.parametrize("name", WITH_SECRET)
def test_the_secret_is_declared_as_one_and_is_not_printed(name: str) -> None:
    case = CASES[name]
    assert case.field in CLASSES[case.scheme].Options.secret_fields()
    assert case.known[0] not in repr(case.options())


@pytest.mark.parametrize("name", COVERING)
def test_no_flipped_bit_of_the_body_passes(name: str) -> None:
    case, random = CASES[name], Random(4)
    options, call = case.options(), CASES[name].call()
    flipped = (replace(call, body=_flip(random, call.body)) for _ in range(FLIPS))
    assert not any(case.passes(one, options) for one in flipped)


@pytest.mark.parametrize("name", WITH_HEADER)
def test_no_flipped_bit_of_the_proof_passes(name: str) -> None:
    case, random = CASES[name], Random(5)
    options = case.options()
    scheme, space, value = case.call().headers[case.proof].rpartition("Basic ")
    for _ in range(FLIPS):
        flipped = scheme + space + _flip(random, value.encode()).decode("latin-1")
        assert not case.passes(_with(name, flipped), options)


@pytest.mark.parametrize("name", ["standardWebhooks v1", "standardWebhooks v1a"])
@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_no_flipped_bit_of_what_is_signed_beside_the_body_passes(name: str, header: str) -> None:
    case, random = CASES[name], Random(6)
    options, call = case.options(), case.call()
    for _ in range(2_000):
        flipped = _flip(random, call.headers[header].encode()).decode("latin-1")
        assert not case.passes(replace(call, headers={**call.headers, header: flipped}), options)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=100, deadline=None, database=None)
@given(data=st.data())
def test_any_call_passes_or_is_refused(name: str, data: st.DataObject) -> None:
    texts = st.text(st.characters(codec=None, exclude_categories=())) | st.sampled_from(
        ["v1,AAAA", "v1a,AAAA", "Basic YTpi", "SUCCESS", "1764000000", "sha256=00"]
    )
    known = sorted({case.proof for case in CASES.values()} | set(CASES[name].call().headers))
    headers = data.draw(st.dictionaries(st.sampled_from(known), texts))
    call = Call(data.draw(st.binary()), headers, {}, data.draw(texts | st.just(CLIENT)))
    assert _told(name, call) in (None, REFUSED)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_module_compares_secrets_with_an_operator(module: object) -> None:
    tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert [ast.unparse(node) for node in compared if _compares_a_secret(node)] == []


def test_the_search_for_compared_secrets_finds_them() -> None:
    bad = ["sent == secret", "call.signature != x", "a in [s.get_secret_value() for s in b]"]
    good = ["len(secret) < 24", "value == HIDDEN", "name in options.secret_fields()", "x is None"]
    found = [
        _compares_a_secret(node)
        for node in (ast.parse(text, mode="eval").body for text in [*bad, *good])
        if isinstance(node, ast.Compare)
    ]
    assert found == [True] * len(bad) + [False] * len(good)


def _compares_a_secret(node: ast.Compare) -> bool:
    text = ast.unparse(node)
    if any(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops):
        return "get_secret_value" in text
    if not any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops):
        return False
    return SECRET_NAME.search(text) is not None


def _flip(random: Random, data: bytes) -> bytes:
    bit = random.randrange(len(data) * 8)
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def test_a_case_is_named_after_its_scheme() -> None:
    assert all(name.split()[0] == case.scheme for name, case in CASES.items())
    assert all(isinstance(case, Case) for case in CASES.values())
