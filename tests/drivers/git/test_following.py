"""A commit has arrived when what is followed shows it, and not before."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from tests.drivers.git.hosts import context, push
from webhook_drivers.git.config import Follow
from webhook_drivers.git.following import CommitSight
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.images.rollout import Progress
from webhook_drivers.pushed import WrittenImage

OURS, LATER, OTHER = "a" * 40, "b" * 40, "c" * 40
READY = [{"type": "Ready", "status": "True"}]


class OneObject:
    def __init__(self, obj: Mapping[str, Any]) -> None:
        self.obj = obj

    def get(self, address: object) -> Mapping[str, Any]:
        return self.obj


def complete(kind: str, obj: dict[str, Any]) -> bool:
    return look(kind, obj).complete


def look(kind: str, obj: dict[str, Any]) -> Progress:
    sight = CommitSight(
        cast(Cluster, OneObject({"kind": kind, "metadata": {"generation": 1}, **obj})),
        Follow(kind=cast(Any, kind), namespace="shop", name="shop"),
        WrittenImage(push(), context()),
        OURS,
        lambda commit: commit == LATER,
    )
    return sight.look()


@pytest.mark.parametrize(("commit", "arrived"), [(OURS, True), (LATER, True), (OTHER, False)])
def test_flux_has_applied_our_commit_or_a_later_one(commit: str, arrived: bool) -> None:
    status = {"lastAppliedRevision": f"main@sha1:{commit}", "conditions": READY}
    assert complete("Kustomization", {"status": status}) is arrived


@pytest.mark.parametrize(("tag", "arrived"), [("1.1.0", True), ("1.0.0", False)])
def test_a_release_has_the_tag_in_its_values(tag: str, arrived: bool) -> None:
    values = {"image": {"repository": "acme/shop", "tag": tag}}
    release = {"spec": {"values": values}, "status": {"conditions": READY}}
    assert complete("HelmRelease", release) is arrived


@pytest.mark.parametrize(("tag", "arrived"), [("1.1.0", True), ("1.0.0", False)])
def test_a_workload_runs_the_image(tag: str, arrived: bool) -> None:
    pod = {"spec": {"containers": [{"name": "app", "image": f"acme/shop:{tag}"}]}}
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    deployment = {"apiVersion": "apps/v1", "spec": {"replicas": 1, "template": pod}}
    assert complete("Deployment", {**deployment, "status": status}) is arrived


def argo(commit: str, **status: Any) -> dict[str, Any]:
    sync = {"status": "Synced", "revision": commit}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "status": {"sync": sync, "health": {"status": "Healthy"}, **status},
    }


@pytest.mark.parametrize(("commit", "arrived"), [(OURS, True), (LATER, True), (OTHER, False)])
def test_argo_cd_has_synced_our_commit_or_a_later_one(commit: str, arrived: bool) -> None:
    assert complete("Application", argo(commit)) is arrived
    several = {"status": "Synced", "revisions": [OTHER, commit]}
    assert complete("Application", argo(OTHER, sync=several)) is arrived


@pytest.mark.parametrize(("commit", "failed"), [(OURS, True), (LATER, True), (OTHER, False)])
@pytest.mark.parametrize("where", ["syncResult", "operation"])
def test_a_sync_that_failed_counts_if_it_was_of_our_commit(
    commit: str, failed: bool, where: str
) -> None:
    """Argo CD compares a new commit at once, and tells of the last sync until the next begins."""
    revision: dict[str, Any] = {"revision": commit}
    said = revision if where == "syncResult" else {"sync": revision}
    operation = {"phase": "Failed", "message": "no such namespace", where: said}
    status = {"sync": {"status": "OutOfSync", "revision": OURS}, "operationState": operation}
    seen = look("Application", argo(OURS, **status))
    assert (seen.failed, seen.complete) == (failed, False)
    assert ("no such namespace" in seen.message) is failed


def test_what_flux_could_not_apply_is_said_while_it_tries_again() -> None:
    broken = [{"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no base"}]
    status = {
        "lastAppliedRevision": f"main@sha1:{OTHER}",
        "lastAttemptedRevision": f"main@sha1:{OURS}",
        "conditions": broken,
    }
    seen = look("Kustomization", {"status": status})
    assert not seen.complete and not seen.failed
    assert seen.message.endswith("cannot apply the commit: BuildFailed: no base")
    status["lastAttemptedRevision"] = f"main@sha1:{OTHER}"
    assert "has not applied the commit yet" in look("Kustomization", {"status": status}).message


def test_a_release_waits_until_its_controller_has_seen_the_values() -> None:
    spec = {"values": {"image": {"repository": "acme/shop", "tag": "1.1.0"}}}
    release = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "spec": spec}
    behind = {"observedGeneration": 0, "conditions": READY}
    assert not complete("HelmRelease", {**release, "status": behind})
    stalled = [{"type": "Stalled", "status": "True", "reason": "RetriesExceeded"}]
    seen = look("HelmRelease", {**release, "status": {"conditions": stalled}})
    assert seen.failed and "RetriesExceeded" in seen.message
