"""What every format's answer holds to, whoever wrote the format."""

import pytest

from webhook_service.formats.format import MAX_SUBJECT, Dropped


@pytest.mark.parametrize("char", ["\x00", "\x7f", "\x1b", "\n", "\u202e", "\ud800"])
def test_a_subject_holds_what_prints_alone(char: str) -> None:
    assert Dropped(f"acme{char}shop", "not_a_push").subject == "acme?shop"


def test_a_long_subject_is_cut() -> None:
    assert Dropped("a" * 5000, "not_a_push").subject == "a" * MAX_SUBJECT
