"""What the worst bodies of a mebibyte cost: processor time of one call, by format."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from tests.benchmarks.figures import Figure, repeat
from tests.formats.hostile import JSON, MIB
from tests.fuzz.targets import HEADERS, OPTIONS
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Format
from webhook_service.plugins.discovery import FORMATS, discover
from webhook_service.testing.samples_scm import FORM

LIMIT = 250
# Where a format reads many things of one call, as many of them as its body can hold.
EVENT = (
    b'{"id":"%d","action":"push","target":{"mediaType":"application/vnd.oci.image.index.v1+json",'
    b'"repository":"acme/shop","tag":"1.2.%d"},"request":{"host":"registry.example:5000"}}'
)
GRID = b'{"id":"%d","eventType":"Microsoft.ContainerRegistry.ImagePushed","data":' + EVENT + b"}"
CLOUD = (
    b'{"specversion":"1.0","type":"built","source":"/ci","id":"%d",'
    b'"data":{"image":"registry.example/acme/shop:1.2.%d"}}'
)


def measure() -> Iterator[Figure]:
    """One figure for each format: its worst body, which the name says."""
    found = discover(FORMATS, "format", Format).targets
    for name, kind in found.items():
        options = kind.Options.model_validate(OPTIONS.get(name, {}))
        format_ = kind().bind(options, found)
        cases = list(_bodies(name))
        costs = [_cost(format_, options, *case[1:]) for case in cases]
        worst, *call = cases[costs.index(max(costs))]
        values = repeat(partial(_cost, format_, options, *call))
        yield Figure(f"{name}: {worst}", "ms", values, LIMIT)


def _bodies(name: str) -> Iterator[tuple[str, bytes, Mapping[str, str]]]:
    for body, content in {**JSON, **_many(name)}.items():
        for headers in _headers(name):
            yield body, content, headers
    yield "form of escapes", b"payload=" + b"%22" * (MIB // 3), {"content-type": FORM}
    yield "form of fields", b"&".join(b"%x=1" % i for i in range(120_000)), {"content-type": FORM}


def _headers(name: str) -> Iterator[Mapping[str, str]]:
    """Those that lead a call past a format's first look."""
    return iter(HEADERS if name in ("auto", "cloudevents") else HEADERS[:1])


def _many(name: str) -> dict[str, bytes]:
    tags = b",".join(b'"1.2.%d"' % i for i in range(1000))
    made: dict[str, Callable[[], bytes]] = {
        "distribution": lambda: b'{"events":[' + _join(EVENT, 1000) + b"]}",
        "gitlab": lambda: b'{"events":[' + _join(EVENT, 1000) + b"]}",
        "azure": lambda: b"[" + b",".join(GRID % (i, i, i) for i in range(2000)) + b"]",
        "cloudevents": lambda: b"[" + _join(CLOUD, 1000) + b"]",
        "quay": lambda: b'{"docker_url":"quay.io/acme/shop","updated_tags":[' + tags + b"]}",
    }
    return {"many pushes": made[name]()} if name in made else {}


def _join(event: bytes, count: int) -> bytes:
    return b",".join(event % (i, i) for i in range(count))


def _cost(format_: Format[Any], options: Any, body: bytes, headers: Mapping[str, str]) -> float:
    """Milliseconds of processor time."""
    started = time.process_time()
    try:
        format_.parse(body, headers, options)
    except InvalidPayload:
        pass
    return (time.process_time() - started) * 1000
