"""Paths of the API: which resource, object and subresource a request names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from webhook_service.testing.fake_cluster.api.statuses import no_such_path
from webhook_service.testing.fake_cluster.objects.resources import Catalogue, Object, Resource

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class ApiPath:
    """What a path names; ``name`` is empty for a collection.

    ``rest`` is the path behind a proxy, without its first slash.
    """

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def find(catalogue: Catalogue, path: str) -> ApiPath:
    """The target of a path.

    Raises:
        ApiError: 404, nothing is served there.
    """
    path, proxied, behind = path.partition("/proxy/")
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if proxied:
        parts.append("proxy")
    if parts[0] == "api" and len(parts) > 2:
        version, rest = parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        version, rest = "/".join(parts[1:3]), parts[3:]
    else:
        raise no_such_path()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] != "status":
        namespace, rest = rest[1], rest[2:]
    resource = catalogue.at(version, rest[0])
    name, subresource, extra = (*rest[1:], "", "", "")[:3]
    known = resource is not None and (not subresource or subresource in resource.subresources)
    if resource is None or not known or extra or (namespace and not resource.namespaced):
        raise no_such_path()
    if name and resource.namespaced and not namespace:
        raise no_such_path()
    if proxied and subresource != "proxy":
        raise no_such_path()
    return ApiPath(resource, namespace, name, subresource, behind)


def document(catalogue: Catalogue, path: str) -> Object | str | None:
    """Health, version and discovery documents; None for any other path."""
    path = path.rstrip("/")
    if path in ("/readyz", "/healthz", "/livez"):
        return "ok"
    if path == "/version":
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.0-fake", "platform": "fake"}
    if path == "/api":
        return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"]}
    if path == "/apis":
        return _groups(catalogue)
    version = path.removeprefix("/apis/").removeprefix("/api/")
    served = [resource for resource in catalogue.resources if resource.api_version == version]
    return _resource_list(version, served) if served and path.startswith("/api") else None


def _groups(catalogue: Catalogue) -> Object:
    groups: dict[str, list[Object]] = {}
    for version in dict.fromkeys(resource.api_version for resource in catalogue.resources):
        if "/" in version:
            group, _, number = version.partition("/")
            groups.setdefault(group, []).append({"groupVersion": version, "version": number})
    listed = [
        {"name": group, "versions": versions, "preferredVersion": versions[0]}
        for group, versions in groups.items()
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _resource_list(version: str, resources: list[Resource]) -> Object:
    listed = []
    for resource in resources:
        for name in ("", *resource.subresources):
            listed.append(
                {
                    "name": f"{resource.plural}/{name}" if name else resource.plural,
                    "singularName": "" if name else resource.kind.lower(),
                    "namespaced": resource.namespaced,
                    "kind": "Scale" if name == "scale" else resource.kind,
                    "shortNames": [resource.short] if resource.short and not name else [],
                    "verbs": ["get", "patch", "update"] if name else list(VERBS),
                }
            )
    found = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version}
    return found | {"resources": listed}
