"""Whether the time of a refusal tells an unknown key from a revoked one: the ratio of means."""

import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url
from webhook_service.errors import UnknownKey
from webhook_service.model.ids import new_key
from webhook_service.service import WebhookService

ROUNDS = 5
TRIES = 400


def measure() -> list[Figure]:
    """Revoked beside unknown, in turn, in one run."""
    with tempfile.TemporaryDirectory() as folder:
        with make_service(sqlite_url(Path(folder)), run=False) as service:
            receiver, revoked = add_receiver(service)
            add_receiver(service, name="other")
            service.delete_receiver(PROJECT, receiver)
            ratios = [_ratio(service, revoked) for _ in range(ROUNDS)]
    return [Figure("time of a revoked key / of an unknown one", "x", ratios)]


def _ratio(service: WebhookService, revoked: str) -> float:
    unknown = new_key()
    pairs = [(_refusal(service, revoked), _refusal(service, unknown)) for _ in range(TRIES)]
    one, other = (statistics.mean(times) for times in zip(*pairs, strict=True))
    return one / other


def _refusal(service: WebhookService, key: str) -> float:
    started = time.perf_counter()
    try:
        push(service, key)
    except UnknownKey:
        return time.perf_counter() - started
    raise AssertionError("the key is live")
