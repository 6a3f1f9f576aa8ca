import hmac

import pytest

from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.gitea import Gitea
from webhook_service.schemes.proving.signature import SecretOptions
from webhook_service.testing.signing import sign

SECRET, BODY = "s3cret", b'{"action":"created"}'
OPTIONS = SecretOptions.model_validate({"secret": SECRET})
MAC = hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"x-gitea-signature": MAC}, True),
        ({"x-forgejo-signature": MAC}, True),
        ({"x-hub-signature-256": f"sha256={MAC}"}, True),
        (sign("gitea", SECRET, BODY), True),
        ({"x-gitea-signature": f"sha256={MAC}"}, False),
        ({"x-hub-signature-256": MAC}, False),
        ({"x-gitea-signature": MAC, "x-forgejo-signature": "0" * 64}, False),
        ({"x-gitea-signature": "", "x-hub-signature-256": f"sha256={MAC}"}, False),
        ({"x-hub-signature": f"sha256={MAC}"}, False),
    ],
)
def test_one_signature_is_enough_and_none_may_be_wrong(
    headers: dict[str, str], passes: bool
) -> None:
    assert (refusal(Gitea(), Call(BODY, headers), OPTIONS) is None) == passes
