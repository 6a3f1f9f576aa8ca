from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.nexus import Nexus
from webhook_service.schemes.proving.signature import SecretOptions
from webhook_service.testing.signing import sign

SECRET, BODY = "key", b"The quick brown fox jumps over the lazy dog"
# The HMAC-SHA1 that openssl gives for this text under this key.
MAC = "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"


def test_the_signature_is_the_bare_hexadecimal_hmac_sha1() -> None:
    options = SecretOptions.model_validate({"secret": SECRET})
    assert sign("nexus", SECRET, BODY) == {"x-nexus-webhook-signature": MAC}
    assert refusal(Nexus(), Call(BODY, {"x-nexus-webhook-signature": MAC}), options) is None
    assert refusal(Nexus(), Call(BODY, {"x-nexus-webhook-signature": f"sha1={MAC}"}), options)
