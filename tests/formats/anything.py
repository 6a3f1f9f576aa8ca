"""Any JSON and any change of a body, and what a format may make of it: for all formats alike."""

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Format, FormatOptions, Parsed
from webhook_service.images import is_digest, is_tag, parse_repository

DIGEST = "sha256:" + "ab" * 32
FAST = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
WORDS = ["", "a/b", "a.b:5000/c", "sha256:1", "1.2.3", "push", "success", DIGEST, "\ufeff"]
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(WORDS)
)
VALUES = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(), some, max_size=3)
)
BYTES = st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))


def assert_parsed_or_invalid(
    format_: Format[Any],
    options: FormatOptions,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    """The format reads the body or refuses it, and what it reads can be deployed."""
    try:
        parsed = format_.parse(body, headers or {}, options)
    except InvalidPayload as exc:
        assert exc.message
        return
    assert isinstance(parsed, Parsed)
    for event in parsed.events:
        assert event.tag and is_tag(event.tag)
        assert event.digest is None or is_digest(event.digest)
        assert parse_repository(event.reference.name) == event.reference.at(None)
        assert event.pushed_at is None or event.pushed_at.utcoffset() is not None
        assert event.source_id is None or 0 < len(event.source_id) <= 255
    for item in parsed.dropped:
        assert item.reason and len(item.subject) < 1100
    assert parsed.reply is None or list(parsed.reply) == ["validationResponse"]


def changed(data: Any, value: Any) -> Any:
    """The value with some of its fields replaced or taken away, at any depth."""
    for _ in range(data.draw(st.integers(1, 3))):
        places = _places(value)
        if not places:
            break
        container, key = data.draw(st.sampled_from(places))
        if isinstance(container, dict) and data.draw(st.booleans()):
            container.pop(key)
        else:
            container[key] = data.draw(VALUES)
    return value


def with_bytes_changed(data: Any, body: bytes) -> bytes:
    """The body with a few bytes in one place replaced."""
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 8)))
    replacement: bytes = data.draw(st.binary(max_size=8))
    return body[:start] + replacement + body[end:]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value, however deep."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    return [place for key in keys for place in [(value, key), *_places(value[key])]]
