"""Telling a receiver's secrets from its other options, as its scheme declares them."""

from __future__ import annotations

from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import HIDDEN, ReceiverSpec, Verify
from webhook_service.schemes.scheme import SchemeOptions


def part_secrets(
    spec: ReceiverSpec, options: type[SchemeOptions], stored: ReceiverSpec | None = None
) -> ReceiverSpec:
    """The same receiver with its secrets apart from what answers show.

    Args:
        options: those of the receiver's scheme.
        stored: the receiver before an update: a secret that was sent back hidden stays.

    Raises:
        InvalidConfig: a hidden secret was sent, and there is none to keep.
    """
    secrets = {
        name: _kept(name, spec.verify, stored) if value == HIDDEN else value
        for name, value in spec.verify.options.items()
        if name in options.secret_fields()
    }
    shown = {name: value for name, value in spec.verify.options.items() if name not in secrets}
    verify = Verify(scheme=spec.verify.scheme, secrets=secrets, **shown)
    return spec.model_copy(update={"verify": verify})


def _kept(name: str, verify: Verify, stored: ReceiverSpec | None) -> object:
    if stored is not None and stored.verify.scheme == verify.scheme:
        if name in stored.verify.secrets:
            return stored.verify.secrets[name]
    raise InvalidConfig(f"verify.{name}: {HIDDEN} stands for a stored secret; send a new one.")
