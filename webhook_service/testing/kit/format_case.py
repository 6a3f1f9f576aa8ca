"""What an author brings for a format: calls as the sender makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook_service.formats import Format


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One call of a sender.

    Attributes:
        body: the bytes, as the sender sends them.
        headers: with names in lower case.
        images: the images that were pushed, such as ``docker.io/acme/shop:1.2.3``. None are for
            deletes, pings and whatever is no push.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FormatCase:
    """What the kit needs to try a format.

    Attributes:
        format: makes the format; for one that is bound to a receiver, binds it too.
        pushes: calls that report pushes, each with its ``images``.
        ignored: deletes, pings, tests: calls that report none, and are no errors.
        options: what a receiver's ``source`` has beside ``format``, in JSON.
        bad_options: options that must be refused.
    """

    format: Callable[[], Format[Any]]
    pushes: Sequence[Sample]
    ignored: Sequence[Sample] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    bad_options: Sequence[Mapping[str, Any]] = ()
