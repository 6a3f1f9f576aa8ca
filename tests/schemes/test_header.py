import pytest

from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.header import Header, HeaderOptions


def _passes(verify: dict[str, str], headers: dict[str, str]) -> bool:
    return refusal(Header(), Call(b"{}", headers), HeaderOptions.model_validate(verify)) is None


@pytest.mark.parametrize("value", ["s3cret", "Bearer s3cret", "a, b"])
def test_the_whole_value_is_the_secret_and_authorization_its_header(value: str) -> None:
    assert _passes({"secret": value}, {"authorization": value})
    assert not _passes({"secret": value}, {"authorization": f"Bearer {value}"})


def test_the_name_of_the_header_has_no_case() -> None:
    assert _passes({"secret": "a", "header": "X-Secret"}, {"x-secret": "a"})
    assert not _passes({"secret": "a", "header": "X-Secret"}, {"authorization": "a"})


def test_a_secret_that_is_not_ascii_is_compared_by_the_bytes_on_the_wire() -> None:
    as_read_by_the_server = "pässword".encode().decode("latin-1")
    assert _passes({"secret": "pässword"}, {"authorization": as_read_by_the_server})
    assert not _passes({"secret": "pässword"}, {"authorization": "pässword"})


def test_a_header_sent_twice_is_another_value() -> None:
    assert not _passes({"secret": "a"}, {"authorization": "a, a"})
