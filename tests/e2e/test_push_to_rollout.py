"""From a push into a real registry to pods in a real cluster, through the running service."""

import httpx
import pytest

from tests.e2e.conftest import OLD, Pipeline
from tests.e2e.shop import SIDECAR
from webhook_service.testing.samples import distribution_push

pytestmark = pytest.mark.e2e


def test_a_push_becomes_a_finished_rollout_of_its_digest(pipeline: Pipeline) -> None:
    image = pipeline.push("1.1.0")
    execution = pipeline.host.wait_for_end("1.1.0")
    pinned = f"{pipeline.repository}:1.1.0@{image.digest}"
    assert execution["state"] == "succeeded"
    assert [(c["before"], c["after"]) for c in execution["changes"]] == [
        (f"{pipeline.repository}:{OLD}", pinned)
    ]
    assert pipeline.shop.images == {"shop": pinned, "logs": SIDECAR}
    assert pipeline.shop.runs(pinned)


def test_the_other_calls_of_a_push_are_ignored_with_their_reason(pipeline: Pipeline) -> None:
    pipeline.push("1.1.0")
    pipeline.host.wait_for_end("1.1.0")
    deliveries = pipeline.host.api.get("/deliveries").json()["data"]
    states = sorted((delivery["state"], delivery["reason"]) for delivery in deliveries)
    assert states[0] == ("accepted", None)
    assert {state for state in states[1:]} == {("ignored", "not_an_image")}


def test_a_second_notification_of_the_same_push_changes_nothing(pipeline: Pipeline) -> None:
    image = pipeline.push("1.1.0")
    pipeline.host.wait_for_end("1.1.0")
    before = pipeline.shop.deployment
    pipeline.push("1.1.0", image)
    body = distribution_push(pipeline.registry.address, "acme/shop", "1.1.0", image.digest)
    answers = [httpx.post(pipeline.receiver["url"], content=body).json() for _ in range(2)]
    assert [answer["state"] for answer in answers] == ["accepted", "duplicate"]
    assert answers[0]["id"] == answers[1]["id"]
    ended = pipeline.host.wait_for_end("1.1.0")
    assert ended["state"] in ("unchanged", "superseded")
    after = pipeline.shop.deployment
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_an_image_that_never_gets_ready_is_rolled_back(pipeline: Pipeline) -> None:
    pipeline.push("bad-1")
    execution = pipeline.host.wait_for_end("bad-1", 60)
    assert (execution["state"], execution["reason"]) == ("failed", "rolled_back")
    assert "bad-1" in execution["message"] and OLD in execution["message"]
    pipeline.shop.wait_for_image(f"{pipeline.repository}:{OLD}")
    pipeline.push("1.2.0")
    assert pipeline.host.wait_for_end("1.2.0")["state"] == "succeeded"


def test_a_missing_right_ends_as_a_clear_failure(pipeline: Pipeline) -> None:
    pipeline.shop.revoke()
    pipeline.push("1.1.0")
    execution = pipeline.host.wait_for_end("1.1.0")
    assert (execution["state"], execution["reason"]) == ("failed", "forbidden")
    assert "deployments" in execution["message"] and "Role" in execution["message"]


def test_a_deleted_deployment_ends_as_a_clear_failure(pipeline: Pipeline) -> None:
    pipeline.shop.delete()
    pipeline.push("1.1.0")
    execution = pipeline.host.wait_for_end("1.1.0")
    assert (execution["state"], execution["reason"]) == ("failed", "not_found")
    assert "shop" in execution["message"] and "create it" in execution["message"]
