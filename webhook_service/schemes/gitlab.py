"""The scheme ``gitlab``: the secret token and the signing token of a GitLab webhook.

docs.gitlab.com, "Webhooks": GitLab sends the secret token unchanged in ``X-Gitlab-Token``. With a
signing token (GitLab 19, ``whsec_…``) it signs as Standard Webhooks do. ``webhook-id`` alone proves
nothing, because GitLab may send it without a signature. So a call must carry every token that the
receiver has.
"""

from __future__ import annotations

import time

from pydantic import Field, field_validator, model_validator

from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.signature import any_same, header_of, keys_of, require
from webhook_service.schemes.scheme import Proof, Scheme, SchemeOptions, Secrets
from webhook_service.schemes.standard_webhooks import check_keys, is_signed, message_of


class GitLabOptions(SchemeOptions):
    """One token or both. Every call must carry each token that is given here."""

    secret: Secrets = Field(default=(), description="the secret token")
    signing_secret: Secrets = Field(default=(), description="the signing token, whsec_…")

    _check_signing_secret = field_validator("signing_secret")(check_keys)

    @model_validator(mode="after")
    def _require_one(self) -> GitLabOptions:
        if not (self.secret or self.signing_secret):
            raise ValueError("verify: gitlab needs a secret, a signingSecret, or both.")
        return self


class GitLab(Scheme[GitLabOptions]):
    """GitLab's token in ``X-Gitlab-Token``, its signature in ``webhook-signature``, or both."""

    Options = GitLabOptions
    computes_only = True
    proof = Proof(
        headers=("X-Gitlab-Token", "webhook-id", "webhook-timestamp", "webhook-signature"),
        algorithm="the token is equal, or the signature is as of `standardWebhooks`, or both",
        replay="with `signingSecret` refused after 5 minutes, before that a duplicate; the "
        "token alone: passes",
    )

    def check(self, call: Call, options: GitLabOptions) -> None:
        genuine = True
        if options.secret:
            genuine &= any_same([header_of(call, "x-gitlab-token")], keys_of(options.secret))
        if options.signing_secret:
            genuine &= is_signed(call, options.signing_secret, time.time())
        require(genuine)

    def message_id(self, call: Call, options: GitLabOptions) -> str | None:
        return message_of(call) if options.signing_secret else None
