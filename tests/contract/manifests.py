"""The objects that the tests create, and their paths."""

from typing import Any

LABELS = {"app": "shop"}


def deployments(namespace: str, name: str = "") -> str:
    return _path("apps/v1", "deployments", namespace, name)


def pods(namespace: str, name: str = "") -> str:
    return _path("v1", "pods", namespace, name)


def replicasets(namespace: str, name: str = "") -> str:
    return _path("apps/v1", "replicasets", namespace, name)


def configmaps(namespace: str, name: str = "") -> str:
    return _path("v1", "configmaps", namespace, name)


def resource(version: str, plural: str, namespace: str, name: str = "") -> str:
    return _path(version, plural, namespace, name)


def _path(version: str, plural: str, namespace: str, name: str) -> str:
    root = "/apis/" if "/" in version else "/api/"
    return f"{root}{version}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def template(image: str = "acme/shop:1", **spec: Any) -> dict[str, Any]:
    app = {"name": "app", "image": image, "ports": [{"containerPort": 80}]}
    app["env"] = [{"name": "MODE", "value": "live"}]
    sidecar = {"name": "proxy", "image": "envoy:1"}
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [app, sidecar], **spec}}


def deployment(image: str = "acme/shop:1", name: str = "shop", **spec: Any) -> dict[str, Any]:
    base = {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": template(image)}
    metadata = {"name": name, "labels": LABELS}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": base | spec,
    }


def configmap(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}, "data": {"key": "value"}}


def image_patch(image: str) -> dict[str, Any]:
    containers = [{"name": "app", "image": image}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}
