from typing import Any

import pytest
from pydantic import ValidationError

from tests.verify.cases import BODY, PLAIN, SHARED, refusal
from webhook_service.delivery import Call
from webhook_service.receiver_body import describe
from webhook_service.testing.signing import sign
from webhook_service.verify.gitlab import GitLab, GitLabOptions

TOKEN = {"x-gitlab-token": PLAIN[0]}
SIGNED = sign("gitlab", "", BODY, signing_secret=SHARED[0])
BY_TOKEN = {"secret": PLAIN[0]}
BY_SIGNATURE = {"signingSecret": SHARED[0]}


@pytest.mark.parametrize(
    ("verify", "headers", "passes"),
    [
        (BY_TOKEN, TOKEN, True),
        (BY_TOKEN, TOKEN | SIGNED, True),
        (BY_TOKEN, TOKEN | {"webhook-id": "msg_1"}, True),
        (BY_TOKEN, SIGNED, False),
        (BY_SIGNATURE, SIGNED, True),
        (BY_SIGNATURE, TOKEN | SIGNED, True),
        (BY_SIGNATURE, TOKEN, False),
        (BY_SIGNATURE, TOKEN | {"webhook-id": "msg_1"}, False),
        (BY_TOKEN | BY_SIGNATURE, TOKEN | SIGNED, True),
        (BY_TOKEN | BY_SIGNATURE, TOKEN, False),
        (BY_TOKEN | BY_SIGNATURE, SIGNED, False),
        (BY_TOKEN | BY_SIGNATURE, {"x-gitlab-token": PLAIN[1]} | SIGNED, False),
    ],
)
def test_whatever_the_receiver_knows_is_demanded(
    verify: dict[str, Any], headers: dict[str, str], passes: bool
) -> None:
    options = GitLabOptions.model_validate(verify)
    assert (refusal(GitLab(), Call(BODY, headers), options) is None) == passes


def test_only_a_signed_id_names_the_message() -> None:
    call = Call(BODY, TOKEN | SIGNED)
    assert GitLab().message_id(call, GitLabOptions.model_validate(BY_TOKEN)) is None
    assert GitLab().message_id(call, GitLabOptions.model_validate(BY_SIGNATURE)) == "msg_1"


@pytest.mark.parametrize(
    ("verify", "problem"),
    [
        ({}, "verify: gitlab needs a secret, a signingSecret, or both."),
        ({"secret": []}, "verify.secret: Value should have at least 1 item"),
        ({"signingSecret": "glpat-1"}, "verify.signingSecret: must start with whsec_"),
    ],
)
def test_a_config_that_proves_nothing_is_refused(verify: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as error:
        GitLabOptions.model_validate(verify)
    assert problem in describe(error.value, "verify")
