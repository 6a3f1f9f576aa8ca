"""The driver contract: what an author cannot do by accident."""

from dataclasses import fields
from typing import Any

import pytest

from webhook_service import Context
from webhook_service.testing import sample_context

OPTIONAL = {"shared", "named", "state", "rolls_back"}


def test_a_context_cannot_be_built_empty() -> None:
    with pytest.raises(TypeError, match="project"):
        Context()  # type: ignore[call-arg]


def test_the_context_of_tests_is_as_full_as_that_of_a_service() -> None:
    context = sample_context()
    empty = {field.name for field in fields(Context) if getattr(context, field.name) in ("", 0)}
    assert empty - OPTIONAL == set()


@pytest.mark.parametrize(("name", "value"), [("named", True), ("state", {"step": 2})])
def test_a_test_says_what_is_different(name: str, value: Any) -> None:
    assert getattr(sample_context(**{name: value}), name) == value
