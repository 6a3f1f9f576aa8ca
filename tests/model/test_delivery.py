"""Deliveries: the call that an application hands over."""

from typing import Any

import pytest

from webhook_service import Call


@pytest.mark.parametrize("body", ["{}", None, {"a": 1}, bytearray(b"{}")])
def test_a_body_that_is_not_bytes_is_refused_where_the_call_is_made(body: Any) -> None:
    with pytest.raises(TypeError, match=r"Call\.body must be bytes as they were sent"):
        Call(body)


def test_names_of_headers_are_in_lower_case_however_a_framework_gives_them() -> None:
    assert Call(b"", {"X-Hub-Signature-256": "sha256=AB"}).headers == {
        "x-hub-signature-256": "sha256=AB"
    }
