"""Bodies as Quay, GitHub, GitLab, Harbor and Gitea send them; see ``payloads`` for the rest.

All functions are pure: the same arguments give the same bytes and ids.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import NAMESPACE_URL, uuid5

from webhook_service.errors import InvalidRequest
from webhook_service.images import Image

PUSHED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "5a" * 32
INDEX = "application/vnd.oci.image.index.v1+json"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CLOUD_EVENT = "application/cloudevents+json"
REGISTRY_EVENTS = "application/vnd.docker.distribution.events.v2+json"

Sample = tuple[bytes, dict[str, str]]


def quay_push(registry: str, repository: str, tags: Sequence[str]) -> bytes:
    """A repository push notification of Quay; ``registry`` may carry a port."""
    namespace, _, name = repository.rpartition("/")
    return _json(
        {
            "repository": repository,
            "namespace": namespace,
            "name": name,
            "docker_url": f"{registry}/{repository}",
            "homepage": f"https://{registry}/repository/{repository}",
            "updated_tags": list(tags),
        }
    )


def github_package(
    repository: str,
    tag: str,
    digest: str = DIGEST,
    *,
    event: str = "package",
    action: str = "published",
    media_type: str = INDEX,
    pushed_at: datetime | None = None,
) -> bytes:
    """A package event of GitHub; without a tag (``""``) the one of a platform's manifest.

    Args:
        repository: ``owner/name`` below ghcr.io.
        event: ``package`` or ``registry_package``: the field that carries the package.
        pushed_at: the version's time, which GitHub mostly leaves at zero.
    """
    owner, _, name = repository.partition("/")
    stamp = _zulu(pushed_at) if pushed_at else "0001-01-01T00:00:00Z"
    version = {
        "id": 57755790,
        "version": digest,
        "name": digest,
        "manifest": "",
        "created_at": stamp,
        "updated_at": stamp,
        "metadata": [],
        "container_metadata": {
            "tag": {"name": tag, "digest": digest if tag else ""},
            "labels": {"source": f"https://github.com/{owner}/{name}"},
            "manifest": {"digest": digest, "media_type": media_type, "size": 1_782},
        },
        "package_files": [],
        "package_url": f"ghcr.io/{repository}:{tag}",
    }
    package = {
        "id": 10696,
        "name": name,
        "namespace": owner,
        "ecosystem": "CONTAINER",
        "package_type": "CONTAINER",
        "created_at": "2025-06-01T12:00:00Z",
        "updated_at": "2025-06-01T12:00:00Z",
        "owner": {"login": owner, "type": "Organization"},
        "package_version": version,
        "registry": {"name": "GitHub CONTAINER registry", "type": "CONTAINER"},
    }
    return _json({"action": action, event: package, "sender": {"login": "ada"}})


def gitlab_registry_push(
    registry: str, repository: str, tag: str | None, digest: str = DIGEST, *, pushed_at: datetime
) -> bytes:
    """A notification of GitLab's registry, which sees itself under an internal address."""
    identity = _id(registry, repository, tag or "", digest, pushed_at.isoformat())
    target = {
        "mediaType": INDEX,
        "digest": digest,
        "size": 1_569,
        "repository": repository,
        "url": f"https://{registry}/v2/{repository}/manifests/{digest}",
    }
    event = {
        "id": identity,
        "timestamp": _zulu(pushed_at),
        "action": "push",
        "target": target | ({"tag": tag} if tag else {}),
        "request": {"id": _id(identity, "request"), "host": registry, "method": "PUT"},
        "actor": {"name": "ada", "user_type": "personal_access_token"},
        "source": {"addr": "gitlab-registry-0:5000", "instanceID": _id(registry)},
    }
    return _json({"events": [event]})


def gitlab_pipeline(
    path: str,
    ref: str = "main",
    *,
    tag: bool = False,
    sha: str = COMMIT,
    status: str = "success",
    source: str = "push",
    finished_at: datetime = PUSHED_AT,
) -> bytes:
    """A pipeline event of GitLab; ``tag`` says that ``ref`` is a git tag."""
    finished = finished_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return _json(
        {
            "object_kind": "pipeline",
            "object_attributes": {
                "id": 31,
                "ref": ref,
                "tag": tag,
                "sha": sha,
                "source": source,
                "status": status,
                "finished_at": finished,
            },
            "user": {"name": "Ada", "username": "ada"},
            "project": {"path_with_namespace": path, "default_branch": "main"},
            "builds": [],
        }
    )


def harbor_push(
    registry: str,
    repository: str,
    tag: str | None,
    digest: str = DIGEST,
    *,
    kind: str = "PUSH_ARTIFACT",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """An event of Harbor's in its default format; ``kind`` ``pushImage`` is version 1."""
    return _json(
        {
            "type": kind,
            "occur_at": int(pushed_at.timestamp()),
            "operator": "ada",
            "event_data": _artifact(registry, repository, tag, digest),
        }
    )


def harbor_cloud_event(
    registry: str,
    repository: str,
    tag: str | None,
    digest: str = DIGEST,
    *,
    kind: str = "harbor.artifact.pushed",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """An event of Harbor's as a structured CloudEvent."""
    identity = _id(kind, registry, repository, tag or "", digest, pushed_at.isoformat())
    return _json(
        {
            "specversion": "1.0",
            "id": identity,
            "requestid": _id(identity, "request"),
            "source": "/projects/1/webhook/policies/3",
            "type": kind,
            "datacontenttype": JSON,
            "time": _zulu(pushed_at),
            "operator": "ada",
            "data": _artifact(registry, repository, tag, digest),
        }
    )


def gitea_package(
    registry: str,
    repository: str,
    version: str,
    *,
    action: str = "created",
    kind: str = "container",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """A package event of Gitea and Forgejo; ``version`` is a tag or a digest, lower-cased."""
    owner, _, name = repository.partition("/")
    version = version.lower()
    page = f"https://{registry}/{owner}/-/packages/{kind}/{quote(name, safe='')}/{quote(version)}"
    package = {
        "id": 42,
        "owner": {"id": 1, "login": owner, "username": owner},
        "repository": None,
        "creator": {"id": 2, "login": "ada", "username": "ada"},
        "type": kind,
        "name": name,
        "version": version,
        "html_url": page,
        "created_at": _zulu(pushed_at),
    }
    return _json({"action": action, "package": package, "sender": {"login": "ada"}})


def as_form(body: bytes) -> bytes:
    """A JSON body as GitHub, Gitea and Forgejo put it into a form."""
    return urlencode({"payload": body.decode()}).encode()


def sample(format: str, image: Image, digest: str | None, pushed_at: datetime) -> Sample:
    """A body and its headers as the registry would send them on a push of ``image``.

    Args:
        format: ``quay``, ``github``, ``gitlab``, ``harbor`` or ``gitea``.
        image: what was pushed; without a tag it is ``latest``.
        digest: the pushed digest; else a made-up one if the sender always gives one.
        pushed_at: the sender's time, for the senders that give one.

    Raises:
        InvalidRequest: the format has no sample here.
    """
    builder = SAMPLES.get(format)
    if builder is None:
        raise InvalidRequest(f"There is no sample of the payload format {format[:64]!r}.")
    return builder(image.at(image.tag or "latest"), digest or DIGEST, pushed_at)


def _quay(image: Image, digest: str, pushed_at: datetime) -> Sample:
    return quay_push(image.registry, image.repository, [image.tag or ""]), _headers("Quay")


def _github(image: Image, digest: str, pushed_at: datetime) -> Sample:
    body = github_package(image.repository, image.tag or "", digest, pushed_at=pushed_at)
    headers = {"x-github-event": "package", "x-github-delivery": _id(str(pushed_at), str(image))}
    return body, _headers("GitHub-Hookshot/044aadd") | headers


def _gitlab(image: Image, digest: str, pushed_at: datetime) -> Sample:
    body = gitlab_registry_push(
        image.registry, image.repository, image.tag, digest, pushed_at=pushed_at
    )
    return body, _headers("GitLab-Registry", REGISTRY_EVENTS)


def _harbor(image: Image, digest: str, pushed_at: datetime) -> Sample:
    body = harbor_push(image.registry, image.repository, image.tag, digest, pushed_at=pushed_at)
    return body, _headers("Go-http-client/1.1")


def _gitea(image: Image, digest: str, pushed_at: datetime) -> Sample:
    body = gitea_package(
        image.registry, _owned(image.repository), image.tag or "", pushed_at=pushed_at
    )
    delivery = _id(str(pushed_at), str(image))
    headers = {
        f"x-{brand}-{name}": value
        for brand in ("gitea", "gogs", "github")
        for name, value in (("event", "package"), ("delivery", delivery))
    }
    return body, _headers("Go-http-client/1.1") | headers


SAMPLES: Mapping[str, Callable[[Image, str, datetime], Sample]] = {
    "quay": _quay,
    "github": _github,
    "gitlab": _gitlab,
    "harbor": _harbor,
    "gitea": _gitea,
}
"""The formats that ``sample`` knows."""


def _artifact(registry: str, repository: str, tag: str | None, digest: str) -> dict[str, Any]:
    """What Harbor tells of an artifact; without a tag, its digest stands in for one."""
    namespace, _, name = repository.partition("/")
    reference = f":{tag}" if tag else f"@{digest}"
    return {
        "resources": [
            {
                "digest": digest,
                "tag": tag or digest,
                "resource_url": f"{registry}/{repository}{reference}",
            }
        ],
        "repository": {
            "date_created": 1_748_779_200,
            "name": name,
            "namespace": namespace,
            "repo_full_name": repository,
            "repo_type": "private",
        },
    }


def _owned(repository: str) -> str:
    """Every package of Gitea has an owner."""
    return repository if "/" in repository else f"ada/{repository}"


def _headers(agent: str, content_type: str = JSON) -> dict[str, str]:
    return {"content-type": content_type, "user-agent": agent}


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "\n".join(parts)))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
