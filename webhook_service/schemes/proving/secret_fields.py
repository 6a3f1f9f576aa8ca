"""Telling a receiver's secrets from its other options, as its scheme declares them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from webhook_service.errors import InvalidConfig
from webhook_service.model.inbox import InboxSpec
from webhook_service.model.receiver import HIDDEN, ReceiverSpec, Verify

SpecT = TypeVar("SpecT", ReceiverSpec, InboxSpec)


def part_secrets(spec: SpecT, names: Collection[str], stored: SpecT | None = None) -> SpecT:
    """The same receiver or inbox with its secrets apart from what answers show.

    Args:
        names: the options of the receiver's scheme that are secrets.
        stored: the receiver before an update: a secret that was sent back hidden stays.

    Raises:
        InvalidConfig: a hidden secret was sent, and there is none to keep.
    """
    secrets = {
        name: _kept(name, spec.verify, stored) if value == HIDDEN else value
        for name, value in spec.verify.options.items()
        if name in names
    }
    shown = {name: value for name, value in spec.verify.options.items() if name not in secrets}
    verify = Verify(scheme=spec.verify.scheme, secrets=secrets, **shown)
    return spec.model_copy(update={"verify": verify})


def _kept(name: str, verify: Verify, stored: ReceiverSpec | InboxSpec | None) -> object:
    if stored is not None and stored.verify.scheme == verify.scheme:
        if name in stored.verify.secrets:
            return stored.verify.secrets[name]
    raise InvalidConfig(f"verify.{name}: {HIDDEN} stands for a stored secret; send a new one.")
