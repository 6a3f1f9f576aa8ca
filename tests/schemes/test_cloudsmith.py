import pytest

from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.cloudsmith import Cloudsmith
from webhook_service.schemes.proving.signature import SecretOptions
from webhook_service.testing.signing import sign

SECRET, BODY = "key", b"The quick brown fox jumps over the lazy dog"
# The HMAC-SHA1 that openssl gives for this text under this key.
MAC = "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"
OPTIONS = SecretOptions.model_validate({"secret": SECRET})


def test_the_sample_is_signed_as_receivers_in_use_find_it() -> None:
    assert sign("cloudsmith", SECRET, BODY) == {"x-cloudsmith-signature": f"sha1={MAC}"}


@pytest.mark.parametrize(
    ("signature", "genuine"),
    [
        (MAC, True),
        (f"sha1={MAC}", True),
        (f"sha1=sha1={MAC}", False),
        (f"sha256={MAC}", False),
        ("sha1=", False),
        (MAC[:-1] + "0", False),
    ],
)
def test_the_signature_is_the_hexadecimal_hmac_sha1_with_or_without_its_name(
    signature: str, genuine: bool
) -> None:
    call = Call(BODY, {"x-cloudsmith-signature": signature})
    assert (refusal(Cloudsmith(), call, OPTIONS) is None) is genuine
