import pytest

from tests.schemes.cases import CASES
from webhook_service.errors import InvalidRequest
from webhook_service.testing.signing import sign


def test_what_cannot_be_signed_is_refused_with_what_can() -> None:
    with pytest.raises(InvalidRequest, match="'mtls'; try github, gitlab"):
        sign("mtls", "secret", b"")


def test_header_names_are_in_lower_case() -> None:
    names = [name for case in CASES.values() for name in case.call().headers]
    names += [*sign("hmac", "a", b"", header="X-Sig"), *sign("header", "a", b"", header="X-Sig")]
    assert [name for name in names if name != name.lower()] == []
