from typing import Any

import pytest
from pydantic import ValidationError

from tests.schemes.cases import BODY, PLAIN, SHARED, refusal
from webhook_service.model.delivery import Call
from webhook_service.receiving.bodies.receiver import describe
from webhook_service.schemes.gitlab import GitLab, GitLabOptions
from webhook_service.testing.signing import sign

TOKEN = {"x-gitlab-token": PLAIN[0]}
OTHER_TOKEN = {"x-gitlab-token": PLAIN[1]}
ID = {"webhook-id": "msg_1"}
BY_TOKEN = {"secret": PLAIN[0]}
BY_SIGNATURE = {"signingSecret": SHARED[0]}


def signed() -> dict[str, str]:
    """Made when it is used: a signature is good for minutes."""
    return sign("gitlab", "", BODY, signing_secret=SHARED[0])


@pytest.mark.parametrize(
    ("verify", "headers", "is_signed", "passes"),
    [
        (BY_TOKEN, TOKEN, False, True),
        (BY_TOKEN, TOKEN, True, True),
        (BY_TOKEN, TOKEN | ID, False, True),
        (BY_TOKEN, {}, True, False),
        (BY_SIGNATURE, {}, True, True),
        (BY_SIGNATURE, TOKEN, True, True),
        (BY_SIGNATURE, TOKEN, False, False),
        (BY_SIGNATURE, TOKEN | ID, False, False),
        (BY_TOKEN | BY_SIGNATURE, TOKEN, True, True),
        (BY_TOKEN | BY_SIGNATURE, TOKEN, False, False),
        (BY_TOKEN | BY_SIGNATURE, {}, True, False),
        (BY_TOKEN | BY_SIGNATURE, OTHER_TOKEN, True, False),
    ],
)
def test_whatever_the_receiver_knows_is_demanded(
    verify: dict[str, Any], headers: dict[str, str], is_signed: bool, passes: bool
) -> None:
    options = GitLabOptions.model_validate(verify)
    call = Call(BODY, headers | (signed() if is_signed else {}))
    assert (refusal(GitLab(), call, options) is None) == passes


def test_only_a_signed_id_names_the_message() -> None:
    call = Call(BODY, TOKEN | signed())
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
