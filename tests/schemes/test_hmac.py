import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from tests.schemes.cases import PLAIN, refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.hmac import GenericHmac, HmacOptions
from webhook_service.schemes.proving.signature import MAX_SIGNATURES
from webhook_service.testing.signing import sign

BODY = b"The quick brown fox jumps over the lazy dog"
HASHES, ENCODINGS = ("sha1", "sha256", "sha512"), ("hex", "base64", "base64url")


def _options(**more: Any) -> HmacOptions:
    return HmacOptions.model_validate({"secret": "key", "header": "X-Sig", **more})


def _passes(value: str, **more: Any) -> bool:
    return refusal(GenericHmac(), Call(BODY, {"x-sig": value}), _options(**more)) is None


@pytest.mark.parametrize(
    ("value", "how"),
    [
        ("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8", {}),
        ("sha1=de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", {"hash": "sha1", "prefix": "sha1="}),
        ("97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=", {"encoding": "base64"}),
        ("97yD9DBThCSxMpjmqm-xQ-9NWaFJRhdZl0edvC0aPNg=", {"encoding": "base64url"}),
        ("97yD9DBThCSxMpjmqm-xQ-9NWaFJRhdZl0edvC0aPNg", {"encoding": "base64url"}),
        (
            "HMAC 97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=",
            {"encoding": "base64", "prefix": "HMAC "},
        ),
    ],
)
def test_a_known_hmac_passes_in_each_writing(value: str, how: dict[str, str]) -> None:
    assert _passes(value, **how)


def test_a_signature_passes_for_its_own_hash_and_encoding_only() -> None:
    for how in itertools.product(HASHES, ENCODINGS):
        signed = dict(zip(("hash", "encoding"), how, strict=True))
        value = sign("hmac", "key", BODY, **signed)["x-signature"]
        passing = [
            other
            for other in itertools.product(HASHES, ENCODINGS)
            if _passes(value, hash=other[0], encoding=other[1])
        ]
        assert how in passing
        # A MAC whose base64 has neither + nor / nor padding is written alike in both alphabets.
        assert {hash_name for hash_name, _ in passing} == {how[0]}
        assert all((encoding == "hex") == (how[1] == "hex") for _, encoding in passing)


def test_one_of_several_signatures_is_enough() -> None:
    good = sign("hmac", "key", BODY)["x-signature"]
    assert _passes(f"{'0' * 64}, {good}")
    assert _passes(f"{good},{'0' * 64}")
    assert not _passes(f"{'0' * 64} {good}")


def test_a_flood_of_signatures_is_not_read_to_its_end() -> None:
    good = sign("hmac", "key", BODY)["x-signature"]
    assert _passes(",".join([*["0" * 64] * (MAX_SIGNATURES - 1), good]))
    assert not _passes(",".join([*["0" * 64] * MAX_SIGNATURES, good]))


@pytest.mark.parametrize(
    "more",
    [
        {"header": "not a header"},
        {"header": ""},
        {"header": "x\r\ny"},
        {"hash": "md5"},
        {"encoding": "utf-8"},
        {"prefix": "v1,"},
        {"prefix": "é"},
        {"secret": ["a", "b", "c"]},
    ],
)
def test_a_config_that_cannot_work_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _options(**more)


def test_a_secret_that_is_no_proper_text_proves_nothing_and_breaks_nothing() -> None:
    assert not _passes("0" * 64, secret="\ud800")


def test_secrets_that_are_not_ascii_sign_as_utf_8() -> None:
    secret = "pässword ✓ " + PLAIN[0]
    value = sign("hmac", secret, BODY)["x-signature"]
    assert _passes(value, secret=secret)
