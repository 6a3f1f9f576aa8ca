"""What an author brings for a scheme: how its sender proves a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook_service.model.delivery import Call
from webhook_service.schemes import Scheme


def _no_calls(call: Call) -> Iterable[Call]:
    return ()


def _none(name: str, value: str) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class SchemeCase:
    """What the kit needs to try a scheme.

    Attributes:
        scheme: makes the scheme; for one that is bound to a receiver, binds it too.
        options: what a receiver's ``verify`` has beside ``scheme``, in JSON.
        sign: a genuine call with this body, made apart from the scheme's own code.
        other_options: those of a receiver with another secret: it must refuse the call.
        covers_body: whether the proof covers the body.
        same: says of a header (name and value) that it means the same as the genuine one: where
            the sender's rules allow several ways to write it, and of headers that prove nothing.
        forged: makes calls of a genuine one that prove nothing, where the proof is no header: it
            stands in the body, or is where the call comes from.
        public_key: whether the receiver only has a public key. Then no time tells a secret.
    """

    scheme: Callable[[], Scheme[Any]]
    options: Mapping[str, Any]
    sign: Callable[[bytes], Call]
    other_options: Mapping[str, Any] | None = None
    covers_body: bool = True
    same: Callable[[str, str], bool] = _none
    forged: Callable[[Call], Iterable[Call]] = _no_calls
    public_key: bool = False
