"""The ``when`` of a notification: as that of a receiver, and over ``notice`` besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from webhook_service.driver import ImageFacts
from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import compile_cel, new_meter
from webhook_service.expressions.values import ExpressionFailed, kind
from webhook_service.model.notice import Notice

MAX_LENGTH = 1024
EVENT = (
    *("registry", "repository", "tag", "digest", "media_type", "pushed_at", "actor", "source_id"),
    "image",
)
IMAGE = tuple(field.name for field in fields(ImageFacts))
NOTICE = ("happened", "receiver", "driver", "state", "reason", "message", "by")


def compile_notice_filter(source: str) -> Callable[[Notice], bool]:
    """A function that says whether a notice is to be sent; it raises ``ExpressionFailed``.

    Raises:
        InvalidConfig: the expression cannot be used.
    """
    if not source.strip() or len(source) > MAX_LENGTH:
        raise InvalidConfig(f"when: needs 1 to {MAX_LENGTH} characters.")
    try:
        program = compile_cel(source, {"event": EVENT, "image": IMAGE, "notice": NOTICE})
    except InvalidConfig as exc:
        raise InvalidConfig(f"when: {exc.message}") from exc

    def passes(notice: Notice) -> bool:
        values = {
            "event": dict.fromkeys(EVENT) | {name: notice.event.get(name) for name in EVENT},
            "image": dict.fromkeys(IMAGE) | dict(notice.facts),
            "notice": {name: str(getattr(notice, name)) for name in NOTICE},
        }
        found = program(values, new_meter())
        if not isinstance(found, bool):
            raise ExpressionFailed(f"it gives a {kind(found)}, not true or false.")
        return found

    return passes
