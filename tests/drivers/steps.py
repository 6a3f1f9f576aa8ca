"""What the tests of the drivers share: pushes, contexts, manifests, and the engine's loop."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from webhook_drivers.kubernetes.drivers.deployment_update import (
    DeploymentUpdate,
    DeploymentUpdateConfig,
)
from webhook_service import Change, Context, Outcome, PushEvent, Wait
from webhook_service.testing import FakeCluster, sample_context

SHA = "sha256:" + "a" * 64
OTHER_SHA = "sha256:" + "b" * 64
LABELS = {"app": "shop"}


@dataclass
class Clock:
    """The real time, and what a test adds to it."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def push(tag: str | None, digest: str | None = None, repository: str = "acme/shop") -> PushEvent:
    return PushEvent(registry="docker.io", repository=repository, tag=tag, digest=digest)


def context(number: int, **more: Any) -> Context:
    """The context of the push with this number; higher ones are newer."""
    values = {
        "identity": f"push-{number}",
        "order_key": f"{number:04}",
        "delivery": f"dlv_{number}",
        "execution": f"exe_{number}",
    }
    return sample_context(**(values | more))


def config(namespace: str = "default", **more: Any) -> DeploymentUpdateConfig:
    values = {"namespace": namespace, "name": "shop", "timeoutSeconds": 20}
    return DeploymentUpdateConfig.model_validate(values | more)


def run_to_end(
    driver: DeploymentUpdate,
    config: DeploymentUpdateConfig,
    event: PushEvent,
    context: Context,
    each: Callable[[Wait], None] = lambda wait: None,
) -> Outcome:
    """Call `execute` until it no longer waits, as the engine does."""
    deadline = time.monotonic() + 60
    outcome = driver.execute(config, event, context)
    while isinstance(outcome, Wait):
        assert time.monotonic() < deadline, outcome.message
        each(outcome)
        time.sleep(min(outcome.after, 0.05))
        context = replace(context, state=outcome.state)
        outcome = driver.execute(config, event, context)
    return outcome


def image_change(
    before: str, after: str, kind: str = "Deployment", where: str = "default"
) -> Change:
    return Change(f"{kind} {where}/shop", "containers[app].image", before, after)


def pod_spec(image: str = "acme/shop:1") -> dict[str, Any]:
    """With all that a patch could spoil: a sidecar, an init container, variables, ports."""
    app = {"name": "app", "image": image, "ports": [{"containerPort": 80}]}
    app["env"] = [{"name": "MODE", "value": "live"}]
    return {
        "initContainers": [{"name": "migrate", "image": "acme/migrate:1", "args": ["up"]}],
        "containers": [app, {"name": "proxy", "image": "envoy:1", "args": ["-c", "proxy.yaml"]}],
    }


def workload(kind: str = "Deployment", image: str = "acme/shop:1", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": pod_spec(image)}
    base: dict[str, Any] = {"selector": {"matchLabels": LABELS}, "template": template}
    if kind in ("Deployment", "StatefulSet"):
        base["replicas"] = 2
    if kind == "StatefulSet":
        base["serviceName"] = "shop"
    if kind == "CronJob":
        template["spec"]["restartPolicy"] = "Never"
        base = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    version = "batch/v1" if kind == "CronJob" else "apps/v1"
    metadata = {"name": "shop", "namespace": "default"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": base | spec}


def wait_until_settled(fake: FakeCluster, kind: str, name: str) -> None:
    deadline = time.monotonic() + 30
    while kind != "CronJob" and not is_settled(fake.get(kind, "default", name)):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_settled(obj: dict[str, Any]) -> bool:
    status = obj.get("status", {})
    if status.get("observedGeneration") != obj["metadata"]["generation"]:
        return False
    wanted = status.get("desiredNumberScheduled", obj["spec"].get("replicas"))
    return wanted in (status.get("readyReplicas"), status.get("numberReady"))


def template_of(obj: dict[str, Any]) -> dict[str, Any]:
    spec = obj["spec"]
    spec = spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec
    found: dict[str, Any] = spec["template"]
    return found


def images_of(obj: dict[str, Any]) -> dict[str, str]:
    spec = template_of(obj)["spec"]
    return {c["name"]: c["image"] for c in [*spec.get("initContainers", ()), *spec["containers"]]}
