"""What the longest values of tag rules and paths cost; each is bounded by its length alone."""

from time import process_time

import pytest

from webhook_service.expressions.cel import new_meter
from webhook_service.formats.reading.expressions import MAX_LENGTH, compile_pick
from webhook_service.match.tags import tag_test
from webhook_service.model.receiver import TagRule

CPU_SECONDS = 0.02
TAGS = ["1.2.3-" + "1." * 60 + "1", "9" * 128, "1.2.3-rc." + "1." * 55 + "x-a", "2026" + "-01" * 40]


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        ("semver", "||".join(["^1.2"] * 42)),
        ("semver", ">=1.2 <2 " * 28),
        ("semver", "1||" * 85 + "1"),
        ("newer", "semver"),
        ("newer", "date"),
        ("newer", "number"),
        ("glob", "*1" * 8),
        ("regex", "(1{0,20}){0,20}x"),
        ("regex", "(.*.*.*.*)*x"),
    ],
)
def test_no_tag_rule_is_dear(policy: str, value: str) -> None:
    passes = tag_test(TagRule(policy=policy, value=value.strip()))
    assert min(_cpu(lambda: [passes(tag) for tag in TAGS]) for _ in range(3)) < CPU_SECONDS


@pytest.mark.parametrize("step", [".a", "['a']", "[0]"])
def test_no_path_is_dear(step: str) -> None:
    find = compile_pick("$" + step * ((MAX_LENGTH - 1) // len(step)))
    body: object = 1
    for _ in range(31):
        body = {"a": body, "b": [body] * 1000}
    assert min(_cpu(lambda: find(body, new_meter())) for _ in range(3)) < CPU_SECONDS


def _cpu(run: object) -> float:
    start = process_time()
    run()  # type: ignore[operator]
    return process_time() - start
