"""Bodies as registries send them, for tests and for trying a receiver out.

All functions are pure: the same arguments give the same bytes. Ids follow from the contents, so
a body made twice counts as one push, like a registry's second attempt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from webhook_service.errors import InvalidRequest
from webhook_service.images import DOCKER_HUB, Image, parse_image
from webhook_service.testing import samples_cloud, samples_scm

PUSHED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "5a" * 32
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
JSON = "application/json"
DISTRIBUTION_EVENTS = "application/vnd.docker.distribution.events.v1+json"

SAMPLED = (
    *("alicloud", "azure", "cloudsmith", "distribution", "dockerhub", "ecr", "gitea", "github"),
    *("gitlab", "google", "harbor", "jfrog", "nexus", "quay", "zot"),
)
"""The formats that ``sample_push`` knows."""

_ALICLOUD_HOST = re.compile(r"registry(?:-internal|-vpc)?\.([a-z0-9-]+)\.aliyuncs\.com")


def dockerhub_push(
    repository: str, tag: str, *, pushed_at: datetime | None = PUSHED_AT, pusher: str = "ada"
) -> bytes:
    """A Docker Hub webhook; ``repository`` is ``namespace/name``."""
    namespace, _, name = repository.rpartition("/")
    push: dict[str, Any] = {"images": [], "pusher": pusher, "tag": tag}
    if pushed_at:
        push["pushed_at"] = int(pushed_at.timestamp())
    return _json(
        {
            "callback_url": f"https://registry.hub.docker.com/u/{repository}/hook/0/",
            "push_data": push,
            "repository": {
                "is_official": False,
                "is_private": False,
                "name": name,
                "namespace": namespace,
                "owner": namespace,
                "repo_name": repository,
                "repo_url": f"https://hub.docker.com/r/{repository}",
                "star_count": 0,
                "status": "Active",
            },
        }
    )


def distribution_push(
    registry: str,
    repository: str,
    tag: str | None,
    digest: str = DIGEST,
    *,
    media_type: str = OCI_MANIFEST,
    action: str = "push",
    actor: str = "ada",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """A notification of CNCF distribution with one event; without ``tag`` a push by digest."""
    event = _event(registry, repository, tag, digest, media_type, action, pushed_at)
    kind = "blobs" if media_type == "application/octet-stream" else "manifests"
    event["target"]["url"] = f"https://{registry}/v2/{repository}/{kind}/{digest}"
    event["actor"] = {"name": actor} if actor else {}
    event["source"] = {"addr": "registry-0:5000", "instanceID": _id(registry)}
    return _json({"events": [event]})


def azure_push(
    registry: str,
    repository: str,
    tag: str | None,
    digest: str = DIGEST,
    *,
    media_type: str = DOCKER_MANIFEST,
    action: str = "push",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """A webhook of Azure Container Registry; ``registry`` is ``name.azurecr.io``."""
    return _json(_event(registry, repository, tag, digest, media_type, action, pushed_at))


def alicloud_push(
    repository: str,
    tag: str,
    digest: str | None = DIGEST,
    *,
    region: str = "cn-hangzhou",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """A trigger of Alibaba Cloud Container Registry; ``repository`` is ``namespace/name``."""
    namespace, _, name = repository.rpartition("/")
    local = (pushed_at.astimezone(UTC) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
    push = {"pushed_at": local, "tag": tag} | ({"digest": digest} if digest else {})
    return _json(
        {
            "push_data": push,
            "repository": {
                "date_created": "2025-06-01 12:00:00",
                "name": name,
                "namespace": namespace,
                "region": region,
                "repo_authentication_type": "NO_CERTIFIED",
                "repo_full_name": repository,
                "repo_origin_type": "NO_CERTIFIED",
                "repo_type": "PRIVATE",
            },
        }
    )


def sample_push(
    format: str, image: str, digest: str | None = None, *, pushed_at: datetime = PUSHED_AT
) -> tuple[bytes, dict[str, str]]:
    """A body and its headers as a registry would send them on ``docker push <image>``.

    Args:
        format: a payload format's name, such as ``dockerhub``.
        image: the reference that was pushed; without a tag it is ``latest``, as Docker says.
        digest: the pushed digest; else the one in ``image``, else a made-up one if the sender
            always gives one.
        pushed_at: the sender's time; a later one is a new push.

    Raises:
        InvalidRequest: the format has no sample, or the image is no reference.
    """
    pushed = parse_image(image)
    tag, digest = pushed.tag or "latest", digest or pushed.digest
    always = digest or DIGEST
    if format == "distribution":
        body = distribution_push(
            pushed.registry, pushed.repository, tag, always, pushed_at=pushed_at
        )
        return body, _headers(DISTRIBUTION_EVENTS, "Go-http-client/1.1")
    if format == "azure":
        body = azure_push(pushed.registry, pushed.repository, tag, always, pushed_at=pushed_at)
        return body, _headers(JSON, "AzureContainerRegistry/1.0")
    if format == "alicloud":
        region = _region(pushed)
        body = alicloud_push(pushed.repository, tag, digest, region=region, pushed_at=pushed_at)
        return body, _headers(JSON, "aliyun-registry")
    if format == "dockerhub":
        name = pushed.repository if pushed.registry == DOCKER_HUB else pushed.name
        return dockerhub_push(name, tag, pushed_at=pushed_at), _headers(JSON, "Docker-Hub")
    if format in samples_scm.SAMPLES:
        return samples_scm.sample(format, pushed.at(tag), digest, pushed_at)
    if made := samples_cloud.cloud_sample(format, pushed.at(tag, always), pushed_at):
        return made
    raise InvalidRequest(
        f"There is no sample of the payload format {format[:64]!r}; there is one of: "
        f"{', '.join(SAMPLED)}."
    )


def _event(
    registry: str,
    repository: str,
    tag: str | None,
    digest: str,
    media_type: str,
    action: str,
    pushed_at: datetime,
) -> dict[str, Any]:
    stamp = pushed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"
    identity = _id(action, registry, repository, tag or "", digest, stamp)
    target = {
        "mediaType": media_type,
        "size": 1_569,
        "digest": digest,
        "length": 1_569,
        "repository": repository,
    }
    return {
        "id": identity,
        "timestamp": stamp,
        "action": action,
        "target": target | ({"tag": tag} if tag else {}),
        "request": {
            "id": _id(identity, "request"),
            "host": registry,
            "method": "PUT",
            "useragent": "docker/28.0.0 go/go1.24",
        },
    }


def _region(image: Image) -> str:
    found = _ALICLOUD_HOST.fullmatch(image.registry)
    return found[1] if found else "cn-hangzhou"


def _headers(content_type: str, agent: str) -> dict[str, str]:
    return {"content-type": content_type, "user-agent": agent}


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "\n".join(parts)))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
