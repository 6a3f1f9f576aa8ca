"""One genuine sender per scheme, for the tests that every scheme has to pass."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook_service.errors import Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.address import SenderAddress
from webhook_service.schemes.all import All
from webhook_service.schemes.basic import Basic
from webhook_service.schemes.cloudsmith import Cloudsmith
from webhook_service.schemes.gitea import Gitea
from webhook_service.schemes.github import GitHub
from webhook_service.schemes.gitlab import GitLab
from webhook_service.schemes.header import Header
from webhook_service.schemes.hmac import GenericHmac
from webhook_service.schemes.jfrog import JFrog
from webhook_service.schemes.mtls import Mtls
from webhook_service.schemes.nexus import Nexus
from webhook_service.schemes.none import Unsigned
from webhook_service.schemes.scheme import Scheme, SchemeOptions
from webhook_service.schemes.standard_webhooks import StandardWebhooks
from webhook_service.testing.samples import dockerhub_push
from webhook_service.testing.signing import public_key, sign

BODY = dockerhub_push("acme/shop", "1.2.3")
CLASSES: dict[str, type[Scheme[Any]]] = {
    "none": Unsigned,
    "github": GitHub,
    "gitlab": GitLab,
    "gitea": Gitea,
    "jfrog": JFrog,
    "nexus": Nexus,
    "cloudsmith": Cloudsmith,
    "hmac": GenericHmac,
    "header": Header,
    "basic": Basic,
    "standardWebhooks": StandardWebhooks,
    "address": SenderAddress,
    "mtls": Mtls,
    "all": All,
}
PLAIN = ("first secret of the tests", "other secret of the tests")
SHARED = tuple("whsec_" + base64.b64encode(bytes([n] * 32)).decode() for n in (1, 2))
PRIVATE = tuple("whsk_" + base64.b64encode(bytes([n] * 32)).decode() for n in (1, 2))
CLIENT = "198.51.100.7"


@dataclass(frozen=True)
class Case:
    """A receiver's ``verify`` and the calls that its sender makes.

    Attributes:
        verify: the options but for the secret.
        secrets: two that the sender may use; the receiver's own form of them is ``known``.
        field: the option with the secret; empty for schemes without one.
        proof: the header that proves a call; empty if it is no header.
        covers: whether the proof covers the body.
        only: which of the headers the sender sends; empty for all.
    """

    scheme: str
    proof: str = ""
    verify: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    secrets: tuple[str, ...] = PLAIN
    known: tuple[str, ...] = PLAIN
    field: str = "secret"
    signing: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    covers: bool = True
    only: tuple[str, ...] = ()

    def options(self, *secrets: str) -> SchemeOptions:
        """The receiver's options with these secrets, or with the first."""
        given = dict(self.verify)
        if self.field:
            given[self.field] = list(secrets or self.known[:1])
        return CLASSES[self.scheme].Options.model_validate(given)

    def call(self, secret: str | None = None, body: bytes = BODY) -> Call:
        """A genuine call, signed with this secret or the first."""
        headers = dict(self.headers)
        if self.field == "signingSecret":
            signing_secret = secret or self.secrets[0]
            headers |= sign(self.scheme, PLAIN[0], body, signing_secret=signing_secret)
        elif self.field:
            headers |= sign(self.scheme, secret or self.secrets[0], body, **self.signing)
        headers = {name: headers[name] for name in self.only or headers}
        return Call(body, headers, {}, CLIENT, through_proxy=True)

    def passes(self, call: Call, options: SchemeOptions | None = None) -> bool:
        used = options or self.options()
        return refusal(scheme_of(self.scheme, used), call, used) is None


def refusal(scheme: Scheme[Any], call: Call, options: SchemeOptions) -> str | None:
    """What the caller is told; None if the call passes."""
    try:
        scheme.check(call, options)
    except Unauthenticated as exc:
        return exc.message
    return None


def scheme_of(name: str, options: SchemeOptions | None = None) -> Scheme[Any]:
    """An instance that reaches no other server, bound to a receiver's options if they are given."""
    scheme = CLASSES[name].create(_fetch_nothing)
    return scheme if options is None else scheme.bind(options, scheme_of)


def _fetch_nothing(url: str) -> bytes:
    raise AssertionError(f"{url} was fetched")


_MTLS = {"ssl-client-subject-dn": "CN=registry,O=Acme", "ssl-client-verify": "SUCCESS"}
_HUB = sign("github", PLAIN[0], BODY)

CASES = {
    "github": Case("github", "x-hub-signature-256"),
    "gitlab token": Case("gitlab", "x-gitlab-token", covers=False),
    "gitlab signature": Case(
        "gitlab",
        "webhook-signature",
        {"secret": PLAIN[0]},
        SHARED,
        SHARED,
        "signingSecret",
    ),
    "gitea": Case("gitea", "x-gitea-signature", only=("x-gitea-signature",)),
    "gitea hub": Case("gitea", "x-hub-signature-256", only=("x-hub-signature-256",)),
    "jfrog plain": Case("jfrog", "x-jfrog-event-auth", covers=False),
    "jfrog signed": Case("jfrog", "x-jfrog-event-auth", {"signed": True}, signing={"signed": True}),
    "nexus": Case("nexus", "x-nexus-webhook-signature"),
    "cloudsmith": Case("cloudsmith", "x-cloudsmith-signature"),
    "hmac": Case("hmac", "x-signature", {"header": "X-Signature"}),
    "hmac sha512 base64": Case(
        "hmac",
        "x-sig",
        {"header": "x-sig", "hash": "sha512", "encoding": "base64", "prefix": "v0="},
        signing={"header": "x-sig", "hash": "sha512", "encoding": "base64", "prefix": "v0="},
    ),
    "header": Case("header", "authorization", covers=False),
    "basic": Case(
        "basic",
        "authorization",
        {"user": "ada"},
        field="password",
        signing={"user": "ada"},
        covers=False,
    ),
    "standardWebhooks v1": Case(
        "standardWebhooks", "webhook-signature", secrets=SHARED, known=SHARED
    ),
    "standardWebhooks v1a": Case(
        "standardWebhooks",
        "webhook-signature",
        secrets=PRIVATE,
        known=tuple(map(public_key, PRIVATE)),
    ),
    "address": Case("address", verify={"networks": [CLIENT]}, field="", covers=False),
    "mtls": Case(
        "mtls",
        "ssl-client-subject-dn",
        {"clients": ["CN=registry,O=Acme"]},
        field="",
        headers=_MTLS,
        covers=False,
    ),
    "all": Case(
        "all",
        "x-hub-signature-256",
        {"address": {"networks": [CLIENT]}, "github": {"secret": PLAIN[0]}},
        field="",
        headers=_HUB,
    ),
}
