"""A resource as the operator reads it, and its conditions."""

from datetime import UTC, datetime

from webhook_service.errors import InvalidConfig
from webhook_service.operator.custom_receiver import Condition, CustomReceiver

EARLIER = "2026-11-01T00:00:00Z"


def test_a_condition_keeps_the_time_at_which_its_status_changed() -> None:
    old = {"type": "Ready", "status": "False", "reason": "A", "lastTransitionTime": EARLIER}
    resource = CustomReceiver("shop", "shop", "uid", 7, {}, {"conditions": [old]})
    now = datetime(2026, 11, 27, tzinfo=UTC)
    same = Condition.failed("Ready", InvalidConfig("it is so")).as_json(resource, now)
    assert same == {
        "type": "Ready",
        "status": "False",
        "reason": "InvalidConfig",
        "message": "it is so",
        "observedGeneration": 7,
        "lastTransitionTime": EARLIER,
    }
    other = Condition("Ready", "True", "Stored", "").as_json(resource, now)
    assert other["lastTransitionTime"] == "2026-11-27T00:00:00Z"


def test_the_labels_of_a_resource_stay_in_the_cluster() -> None:
    """So no prune of files takes a receiver that a resource keeps."""
    about = {"namespace": "shop", "name": "shop", "uid": "u", "labels": {"team": "shop"}}
    resource = CustomReceiver.read({"metadata": about, "spec": {"driver": "stub"}})
    assert (resource.document.name, dict(resource.document.labels)) == ("shop", {})
