"""The ``when`` filter: one CEL expression over ``event``, and over ``image`` as it says of itself.

What an image says is known only once its registry was asked, which is after the call was answered.
So an expression that names ``image`` is evaluated before the driver's first step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from webhook_service.driver import ImageFacts, PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import Program, compile_cel
from webhook_service.expressions.parser import Variables
from webhook_service.expressions.values import ExpressionFailed, Meter, kind
from webhook_service.model.as_json import event_to_json

MAX_LENGTH = 1024
FIELDS = (
    *("registry", "repository", "tag", "digest", "media_type", "pushed_at", "actor", "source_id"),
    "image",
)

IMAGE_FIELDS = tuple(field.name for field in fields(ImageFacts))
_EVENT: Variables = {"event": FIELDS}


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter.

    Attributes:
        asks_image: whether it needs what the image says of itself (``event.facts``).
    """

    program: Program
    asks_image: bool

    def passes(self, event: PushEvent, meter: Meter) -> bool:
        """Whether an event passes.

        Raises:
            ExpressionFailed: the expression fails on it, or gives neither true nor false: people
                should see that their filter is broken.
        """
        found = self.program(
            {"event": event_to_json(event), "image": asdict(event.facts or ImageFacts())}, meter
        )
        if not isinstance(found, bool):
            raise ExpressionFailed(f"it gives a {kind(found)}, not true or false.")
        return found


def compile_filter(source: str) -> Filter:
    """Compile a filter.

    Raises:
        InvalidConfig: the expression cannot be used.
    """
    if not source.strip() or len(source) > MAX_LENGTH:
        raise InvalidConfig(f"match.when needs 1 to {MAX_LENGTH} characters.")
    try:
        return _compile(source)
    except InvalidConfig as exc:
        raise InvalidConfig(f"match.when: {exc.message}") from exc


def _compile(source: str) -> Filter:
    try:
        return Filter(compile_cel(source, _EVENT), asks_image=False)
    except InvalidConfig:
        # Whatever is wrong with it is said of the wider one.
        return Filter(compile_cel(source, {**_EVENT, "image": IMAGE_FIELDS}), asks_image=True)
