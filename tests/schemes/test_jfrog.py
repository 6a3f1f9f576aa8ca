import pytest

from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.jfrog import JFrog, JFrogOptions
from webhook_service.testing.signing import sign

SECRET, BODY = "key", b"The quick brown fox jumps over the lazy dog"
# The HMAC-SHA256 that openssl gives for this text under this key.
MAC = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"


@pytest.mark.parametrize("signed", [False, True])
def test_a_call_of_the_other_kind_is_refused(signed: bool) -> None:
    options = JFrogOptions.model_validate({"secret": SECRET, "signed": signed})
    sent = {kind: sign("jfrog", SECRET, BODY, signed=kind) for kind in (False, True)}
    passed = [kind for kind in sent if refusal(JFrog(), Call(BODY, sent[kind]), options) is None]
    assert passed == [signed]


def test_the_signature_is_the_bare_hexadecimal_hmac() -> None:
    options = JFrogOptions.model_validate({"secret": SECRET, "signed": True})
    assert refusal(JFrog(), Call(BODY, {"x-jfrog-event-auth": MAC}), options) is None
    assert refusal(JFrog(), Call(BODY, {"x-jfrog-event-auth": f"sha256={MAC}"}), options)


def test_the_secret_is_sent_in_plain_unless_the_receiver_says_otherwise() -> None:
    assert not JFrogOptions.model_validate({"secret": SECRET}).signed
