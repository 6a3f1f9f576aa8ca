from dataclasses import replace
from datetime import UTC, datetime, timedelta

from webhook_service.driver import PushEvent
from webhook_service.model.order import order_time, push_identity

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVENT = PushEvent(registry="docker.io", repository="acme/shop", tag="1", pushed_at=NOW)


def test_the_senders_time_orders_pushes() -> None:
    earlier = NOW - timedelta(days=3)
    assert order_time(replace(EVENT, pushed_at=earlier), NOW) == earlier


def test_a_push_without_time_is_ordered_by_its_receipt() -> None:
    assert order_time(replace(EVENT, pushed_at=None), NOW) == NOW


def test_a_time_far_in_the_future_cannot_freeze_the_slot() -> None:
    ahead = NOW + timedelta(minutes=5)
    assert order_time(replace(EVENT, pushed_at=ahead), NOW) == ahead
    farther = ahead + timedelta(microseconds=1)
    assert order_time(replace(EVENT, pushed_at=farther), NOW) == NOW
    assert order_time(replace(EVENT, pushed_at=datetime(9999, 1, 1, tzinfo=UTC)), NOW) == NOW


def test_a_time_before_1970_counts_as_1970() -> None:
    old = replace(EVENT, pushed_at=datetime(1, 1, 1, tzinfo=UTC))
    assert order_time(old, NOW) == datetime(1970, 1, 1, tzinfo=UTC)


def test_copies_of_one_push_have_one_identity() -> None:
    later = NOW + timedelta(hours=5)
    assert push_identity("dockerhub", EVENT, NOW) == push_identity("dockerhub", EVENT, later)


def test_every_part_of_a_push_counts_for_its_identity() -> None:
    others = [
        replace(EVENT, tag="2"),
        replace(EVENT, repository="acme/cart"),
        replace(EVENT, registry="registry.example"),
        replace(EVENT, digest="sha256:" + "a" * 64),
        replace(EVENT, pushed_at=NOW + timedelta(seconds=1)),
        replace(EVENT, source_id="1"),
    ]
    identities = {push_identity("dockerhub", event, NOW) for event in [EVENT, *others]}
    assert len(identities) == 1 + len(others)


def test_the_senders_id_outweighs_its_time() -> None:
    first = replace(EVENT, source_id="42")
    again = replace(first, pushed_at=NOW + timedelta(seconds=9))
    assert push_identity("azure", first, NOW) == push_identity("azure", again, NOW)


def test_a_blind_push_is_a_duplicate_only_within_a_short_window() -> None:
    blind = replace(EVENT, pushed_at=None)
    first = push_identity("quay", blind, NOW)
    assert push_identity("quay", blind, NOW + timedelta(seconds=5)) == first
    assert push_identity("quay", blind, NOW + timedelta(minutes=2)) != first
