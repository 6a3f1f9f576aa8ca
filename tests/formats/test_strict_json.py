"""Fixed vectors of hostile JSON: each is one clear refusal, and quick."""

import pytest

from tests.formats.hostile import JSON, MIB
from webhook_service.errors import InvalidPayload
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.strict_json import MAX_CONTAINERS, read_json


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b'{"a": "\xff"}', "byte at position 7"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\xc0\x80"', "not UTF-8"),
        ("[1]".encode("utf-16"), "not UTF-8"),
        ("[1]".encode("utf-32-le"), "not valid JSON"),
        (b"{not json", "line 1, column 2"),
        (b'{"a": 1', "not valid JSON"),
        (b'{"a": 1}\n{}', "line 2, column 1"),
        (b"{'a': 1}", "not valid JSON"),
        (b"[1,]", "not valid JSON"),
        (b"[01]", "not valid JSON"),
        (b'["\n"]', "not valid JSON"),
        (b'["\x00"]', "not valid JSON"),
        (b'["\\x"]', "not valid JSON"),
        (b'["\\u12"]', "not valid JSON"),
        (b'"', "not valid JSON"),
        (b'"\\', "not valid JSON"),
        (b"]]]]", "not valid JSON"),
        (b"[NaN]", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"[" + b"9" * 399 + b".0]", "too large"),
        (b"[" + b"1" * 401 + b"]", "400 digits"),
        (b"[-" + b"1" * 5000 + b"]", "400 digits"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b'[{"b": {"a": 1, "a": 2}}]', "twice"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\\uDFFF"]', "surrogate"),
        (b'["\\ude00\\ud83d"]', "surrogate"),
        (b'["\\ud83d\\ud83d\\ude00"]', "surrogate"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'["\\\\\\ud800"]', "surrogate"),
        (b'["\\u0000"]', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'["\\\\\\u0000"]', "NUL"),
        (b"[" * 33 + b"]" * 33, "deeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
        (b"[" * 1000, "deeper than 32"),
        (b"[" * MIB, "deeper than 32"),
        (b'["\\\\",' + b"[" * 40 + b"]" * 41, "deeper than 32"),
        (b"[" + b",".join([b"[]"] * MAX_CONTAINERS) + b"]", "objects and arrays"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_its_reason(body: bytes, message: str) -> None:
    with pytest.raises(InvalidPayload, match=message):
        read_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b" [1, -2, 1.5e3, true] ", [1, -2, 1500.0, True]),
        (b"[1e-999]", [0.0]),
        (b"[" + b"1" * 400 + b"]", [int("1" * 400)]),
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
        ('["\U0001f600"]'.encode(), ["\U0001f600"]),
        (b'["\\\\ud800", "\\\\u0000"]', ["\\ud800", "\\u0000"]),
        (b'["' + b"[" * 40 + b'"]', ["[" * 40]),
        (b'["\\"' + b"[" * 40 + b'"]', ['"' + "[" * 40]),
        (b'["\\\\", "' + b"{" * 40 + b'"]', ["\\", "{" * 40]),
        (b'[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (b'["\\uFEFF"]', ["\ufeff"]),
    ],
)
def test_strict_json_is_read(body: bytes, value: object) -> None:
    assert read_json(body) == value


def test_thirty_two_levels_are_read() -> None:
    assert read_json(b"[" * 32 + b"]" * 32)
    assert read_json(b'{"a":[' * 16 + b"]}" * 16)


def test_the_depth_can_be_set() -> None:
    with pytest.raises(InvalidPayload, match="deeper than 2"):
        read_json(b"[[[]]]", max_depth=2)


@pytest.mark.parametrize(
    "body",
    [
        b'{"password": hunter2}',
        b'{"hunter2": 1, "hunter2": 2}',
        b'"hunter2 \\ud800"',
        b'"hunter2 \\u0000"',
        b"hunter2\xff",
    ],
)
def test_an_error_never_shows_the_body(body: bytes) -> None:
    with pytest.raises(InvalidPayload) as caught:
        read_json(body)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
def test_a_mebibyte_of_anything_is_read_or_refused(body: bytes) -> None:
    try:
        value = read_json(body)
    except InvalidPayload as refused:
        assert len(refused.message) < 500
    else:
        assert isinstance(value, list | dict | int | float | str)


FIELDS = Fields(
    {"text": "t", "empty": "", "null": None, "number": 1, "object": {"a": 1}, "array": [1, 2]},
    "push",
)


@pytest.mark.parametrize("key", ["empty", "null", "number", "object", "array", "missing"])
def test_a_field_that_is_no_text_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidPayload, match=rf"`push\.{key}`"):
        FIELDS.text(key)


@pytest.mark.parametrize("key", ["text", "empty", "null", "number", "array", "missing"])
def test_a_field_that_is_no_object_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidPayload, match=rf"`push\.{key}`"):
        FIELDS.child(key)
    assert FIELDS.part(key).values == {}


@pytest.mark.parametrize("key", ["text", "null", "number", "object", "missing"])
def test_a_field_that_is_no_array_is_refused_by_name(key: str) -> None:
    with pytest.raises(InvalidPayload, match=rf"`push\.{key}`"):
        FIELDS.elements(key, 10)


def test_an_array_over_its_limit_is_refused() -> None:
    assert list(FIELDS.elements("array", 2)) == [("push.array[0]", 1), ("push.array[1]", 2)]
    with pytest.raises(InvalidPayload, match="more than 1 elements"):
        FIELDS.elements("array", 1)


def test_a_text_over_its_limit_is_refused() -> None:
    fields = Fields({"long": "x" * 256})
    with pytest.raises(InvalidPayload, match="longer than 255"):
        fields.optional_text("long")
    assert fields.optional_text("long", 256) == "x" * 256


@pytest.mark.parametrize("value", ["", "x" * 256, "a\nb", "\x1b[31m", 7, None, [], {}])
def test_a_note_that_cannot_be_shown_is_none(value: object) -> None:
    assert Fields({"note": value}).note("note") is None


def test_one_byte_order_mark_is_passed_over() -> None:
    assert read_json(b"\xef\xbb\xbf{}") == {}
    for body in (b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf{}"):
        with pytest.raises(InvalidPayload):
            read_json(body)
