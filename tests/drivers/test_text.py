"""Text of others in our messages: bounded, readable, and without tricks."""

import pytest

from webhook_drivers.text import head, tail


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n", "plain"),
        ("a\x1b[31mb\x1b[0m", "ab"),
        ("a\x00\x07b\x9b", "ab"),
        ("50 %\r100 %\r\ndone", "50 %\n100 %\ndone"),
        ("a\tb\nc", "a\tb\nc"),
        ("abc\u202edcba", "abcdcba"),
        ("käse ☕", "käse ☕"),
    ],
)
def test_control_characters_are_left_out(text: str, shown: str) -> None:
    assert tail(text) == head(text.encode()) == shown


def test_the_start_and_the_end_are_kept_without_half_characters() -> None:
    text = "ä" * 100
    assert head(text.encode(), 5) == tail(text, 5) == "ää"
    assert head(b"abcdef", 3) == "abc"
    assert tail("abcdef", 3) == "def"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert head(b"\xff\xfeab") == "\ufffd\ufffdab"
