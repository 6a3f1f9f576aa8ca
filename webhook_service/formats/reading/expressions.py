"""Options that say where a body has what, for bodies whose shape only the receiver knows.

An option that starts with ``$`` is a JSONPath (RFC 9535). An option that starts with ``cel:`` is a
CEL expression over ``body``. Both are compiled when the receiver is saved, and both are bounded. A
path must be a singular query: it names one place, and its cost is its own length. The CEL
expressions of a receiver share what one call may cost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from webhook_service.errors import InvalidConfig, InvalidPayload
from webhook_service.expressions.cel import compile_cel
from webhook_service.expressions.values import ExpressionFailed, Meter, NoSuchField
from webhook_service.formats.format import FormatOptions
from webhook_service.formats.reading.pushes import Pushed, split_host, split_reference
from webhook_service.formats.reading.times import read_seconds, read_time
from webhook_service.images import DOCKER_HUB

MAX_LENGTH = 256
MAX_TEXT = 512
_CEL = "cel:"

Find = Callable[[Any, Meter], Any]


def is_expression(text: str) -> bool:
    """Whether an option's text is an expression to look up in the body, and not a plain text."""
    return text.startswith(("$", _CEL))


def is_cel(text: object) -> bool:
    """Whether an option is a CEL expression; the only kind that may take milliseconds."""
    return isinstance(text, str) and text.startswith(_CEL)


@lru_cache(maxsize=4096)
def compile_pick(source: str) -> Find:
    """Return a function that finds the value of the expression in a body; None if there is none.

    Raises:
        ValueError: the expression cannot be used; the message says why.
    """
    if not source.isprintable() or not source.isascii():
        raise ValueError("An expression holds printable ASCII characters only.")
    if source.startswith(_CEL):
        return _compile_cel(source.removeprefix(_CEL))
    if source.startswith("$"):
        return _compile_path(source)
    raise ValueError("Write a JSONPath such as $.image.tag, or cel: and an expression.")


def _expression(text: str) -> str:
    compile_pick(text)
    return text


def _expression_or_text(text: str) -> str:
    return _expression(text) if is_expression(text) else text


Expression = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(_expression)]
ExpressionOrText = Annotated[
    str, Field(min_length=1, max_length=MAX_LENGTH), AfterValidator(_expression_or_text)
]


class PickOptions(FormatOptions):
    """Where a body has the parts of a push. ``registry`` and ``repository`` may be plain texts."""

    registry: ExpressionOrText | None = Field(
        default=None, description="Registry host, instead of the one that the repository names."
    )
    image: Expression | None = Field(
        default=None, description="A full reference such as ghcr.io/acme/shop:1.2.3[@sha256:…]."
    )
    repository: ExpressionOrText | None = Field(
        default=None, description="The repository, with or without the registry's host."
    )
    tag: Expression | None = Field(default=None, description="The tag: a text or whole number.")
    digest: Expression | None = Field(default=None, description="The digest, sha256:….")
    time: Expression | None = Field(
        default=None, description="When it was pushed: RFC 3339, or seconds since 1970."
    )
    id: Expression | None = Field(
        default=None, description="The sender's id of the push; equal ids are duplicates."
    )

    @property
    def fixed_registry(self) -> str | None:
        """The registry, if the body cannot choose it; else None."""
        return None if self.registry is None or is_expression(self.registry) else self.registry

    def require_image(self) -> None:
        """Check that the options name an image, and in one way only.

        Raises:
            ValueError: they name none, or name it twice.
        """
        if self.image is not None:
            if self.repository is not None or self.tag is not None:
                raise ValueError("Give either `image`, or `repository` and `tag`.")
        elif self.repository is None or self.tag is None:
            raise ValueError("Say where the image is: `image`, or `repository` and `tag`.")


def read_pushed(options: PickOptions, value: Any, meter: Meter) -> Pushed:
    """Read one push at the places that the options name.

    Args:
        value: the JSON value that the expressions see as ``$`` and ``body``.
        meter: what the CEL expressions may cost.

    Raises:
        InvalidPayload: a part that the decision needs is missing, or is no text.
    """
    read = _Reader(options, value, meter)
    field, name = "source.repository", read.text("repository")
    tag, digest = read.text("tag"), read.text("digest")
    if options.image is not None:
        field, reference = "source.image", read.text("image") or ""
        name, tag, own_digest = split_reference(reference)
        digest = own_digest or digest
    if not name:
        raise InvalidPayload(f"The body has nothing where `{field}` points.")
    host, path = split_host(name)
    return Pushed(
        host=read.text("registry") or host or DOCKER_HUB,
        path=path,
        field=field,
        tag=tag,
        digest=digest,
        pushed_at=read.moment(),
        source_id=read.text("id"),
    )


class _Reader:
    def __init__(self, options: PickOptions, value: Any, meter: Meter) -> None:
        self._options = options
        self._value = value
        self._meter = meter

    def text(self, option: str) -> str | None:
        found = self._find(option)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if found is None or found == "":
            return None
        if not isinstance(found, str):
            # A fraction is no text: 1.10 and 1.1 are two tags, and one number.
            raise InvalidPayload(f"Where `source.{option}` points is no text or whole number.")
        if len(found) > MAX_TEXT or not found.isprintable():
            raise InvalidPayload(
                f"Where `source.{option}` points are more than {MAX_TEXT} characters, or some "
                "that cannot be shown."
            )
        return found

    def moment(self) -> datetime | None:
        found = self._find("time")
        return read_time(found) if isinstance(found, str) else read_seconds(found)

    def _find(self, option: str) -> Any:
        source: str | None = getattr(self._options, option)
        if source is None or not is_expression(source):
            return source
        try:
            return compile_pick(source)(self._value, self._meter)
        except ExpressionFailed as exc:
            raise InvalidPayload(
                f"The expression in `source.{option}` fails on the body: {exc}"
            ) from None


def _compile_path(source: str) -> Find:
    # Here, because it takes as long to import as most of the service's start.
    from jsonpath_rfc9535 import JSONPathError, compile

    try:
        query = compile(source)
    except (JSONPathError, RecursionError) as exc:
        raise ValueError(f"This is no JSONPath: {str(exc)[:200]}.") from exc
    if not query.singular_query():
        raise ValueError(
            "A JSONPath must name one place: names and indexes, such as $.images[0].tag, and no "
            "wildcards, slices or filters."
        )

    def find(value: Any, meter: Meter) -> Any:
        node = query.find_one(value)
        return None if node is None else node.value

    return find


def _compile_cel(source: str) -> Find:
    try:
        evaluate = compile_cel(source, {"body": None})
    except InvalidConfig as exc:
        raise ValueError(exc.message) from exc

    def find(value: Any, meter: Meter) -> Any:
        try:
            found = evaluate({"body": value}, meter)
        except NoSuchField:
            return None
        return found if isinstance(found, (str, int, float)) else None

    return find
