"""Requirements: what one part of a receiver needs of another."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from webhook_service.driver import Request, WebhookDriver
from webhook_service.errors import InvalidConfig
from webhook_service.expressions.regex import compile_regex
from webhook_service.match.matcher import Matcher
from webhook_service.model.receiver import Receiver, Source, Verify
from webhook_service.model.rules.registry import NEEDS_SIGSTORE, KeylessSigner


def require_registry(receiver: Receiver, matcher: Matcher) -> None:
    """Make sure that what asks a registry says which, and that what is read there is asked for.

    Raises:
        InvalidConfig: it is not so; the message says what to change.
    """
    rule = receiver.spec.registry
    if matcher.asks_image and (rule is None or not rule.resolve):
        raise InvalidConfig(
            "match.when: what an image says of itself is read at its registry: add "
            '"registry": {"resolve": true}, or leave out `image`.'
        )
    if receiver.spec.match.minimum_age and (rule is None or not rule.resolve):
        raise InvalidConfig(
            "match.minimumAge: how old an image is, is read at its registry: add "
            '"registry": {"resolve": true}, or leave out match.minimumAge.'
        )
    if rule is not None and rule.cosign_keyless is not None:
        _require_keyless(rule.cosign_keyless)
    if rule is not None and not matcher.fixes_hosts:
        raise InvalidConfig(
            "registry: name the repositories with their registry in match.repositories, or a "
            "sender could choose which host is asked."
        )
    if rule is not None and rule.poll and matcher.named_images() is None:
        raise InvalidConfig(
            "registry.poll: match.repositories needs names without '*', for registries cannot be "
            "asked for patterns."
        )


def _require_keyless(signer: KeylessSigner) -> None:
    if find_spec("sigstore") is None:
        raise InvalidConfig(NEEDS_SIGSTORE)
    if signer.identity_regexp is not None:
        try:
            compile_regex(signer.identity_regexp, "sigstore")
        except InvalidConfig as exc:
            raise InvalidConfig(f"registry.cosignKeyless.identityRegexp: {exc.message}") from exc


def require_listening(receiver: Receiver, driver: WebhookDriver[Any, Any]) -> None:
    """Make sure that somebody can call a receiver, and that its inboxes have something for it.

    Raises:
        InvalidConfig: it is not so; the message says what to change.
    """
    spec = receiver.spec
    if not spec.listen.inboxes:
        if not spec.listen.own_url:
            raise InvalidConfig(
                "listen: nobody could ever call the receiver: name an inbox, or say ownUrl: true."
            )
        return
    if driver.consumes is Request:
        raise InvalidConfig(
            f"listen.inboxes: an inbox hands on pushes, and {spec.driver} takes whole calls: give "
            "the receiver a URL of its own."
        )
    if not spec.match.repositories:
        raise InvalidConfig(
            "listen.inboxes: say in match.repositories which of the inbox's pushes are for this "
            'receiver; ["**"] takes all.'
        )
    if not spec.listen.own_url and (spec.source, spec.verify) != (Source(), Verify()):
        raise InvalidConfig(
            "source, verify: the receiver has no URL of its own, so its inbox says who calls: "
            "leave them out, or say listen.ownUrl: true."
        )
