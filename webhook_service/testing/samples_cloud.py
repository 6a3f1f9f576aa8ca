"""Bodies as the clouds' registries, Artifactory, Nexus, Cloudsmith and zot send them.

All functions are pure. Ids follow from the contents, so a body made twice counts as one push.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from webhook_service.images import Image

PUSHED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "5a" * 32
ACCOUNT, REGION = "123456789012", "us-east-1"
NEXUS_REPOSITORY = "docker-hosted"

_ECR_HOST = re.compile(r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:pushes"
_JSON = "application/json"


def ecr_push(
    repository: str,
    tag: str | None,
    digest: str | None = DIGEST,
    *,
    account: str = ACCOUNT,
    region: str = REGION,
    pushed_at: datetime = PUSHED_AT,
    **detail: Any,
) -> bytes:
    """EventBridge's event of a push to ECR; ``detail`` changes fields of that name, ``_`` as ``-``.

    An untagged push has the tag ``""``.
    """
    stamp = _stamp(pushed_at, "seconds")
    whole = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": digest,
        "action-type": "PUSH",
        "artifact-media-type": "application/vnd.oci.image.config.v1+json",
        "image-tag": tag,
        "manifest-media-type": "application/vnd.oci.image.manifest.v1+json",
    } | {name.replace("_", "-"): value for name, value in detail.items()}
    return _json(
        {
            "version": "0",
            "id": _id("ecr", account, region, repository, tag or "", digest or "", stamp),
            "detail-type": "ECR Image Action",
            "source": "aws.ecr",
            "account": account,
            "time": stamp,
            "region": region,
            "resources": [],
            "detail": {key: value for key, value in whole.items() if value is not None},
        }
    )


def ecr_cloud_event(event: bytes) -> bytes:
    """An event of EventBridge as argocd-image-updater's input transformer rewrites it."""
    whole = json.loads(event)
    detail, account = whole["detail"], whole["account"]
    repository, tag = detail["repository-name"], detail.get("image-tag", "")
    return _json(
        {
            "specversion": "1.0",
            "id": whole["id"],
            "type": "com.amazon.ecr.image.push",
            "source": f"urn:aws:ecr:{whole['region']}:{account}:repository/{repository}",
            "subject": f"{repository}:{tag}",
            "time": whole["time"],
            "datacontenttype": _JSON,
            "data": {
                "repositoryName": repository,
                "imageDigest": detail.get("image-digest", ""),
                "imageTag": tag,
                "registryId": account,
            },
        }
    )


def sns_notification(message: bytes, *, sent_at: datetime = PUSHED_AT) -> bytes:
    """A notification of SNS with the message as text; its signature is not genuine."""
    text = message.decode()
    return _json(_envelope("Notification", text, sent_at))


def sns_subscription(
    kind: Literal["SubscriptionConfirmation", "UnsubscribeConfirmation"],
    *,
    sent_at: datetime = PUSHED_AT,
) -> bytes:
    """What SNS sends when an endpoint was subscribed to a topic, or taken off it."""
    token = _id(kind, "token").replace("-", "")
    url = f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&TopicArn={_TOPIC}"
    envelope = _envelope(kind, "You have chosen to change a subscription.", sent_at)
    return _json(envelope | {"Token": token, "SubscribeURL": f"{url}&Token={token}"})


def google_push(
    image: str,
    tag: str | None,
    digest: str | None = DIGEST,
    *,
    action: str = "INSERT",
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """A message of Artifact Registry in Pub/Sub's wrapper; ``image`` is its name with the host."""
    change = google_change(image, tag, digest, action=action)
    identity = _number("google", change.decode(), pushed_at.isoformat())
    stamp = _stamp(pushed_at, "milliseconds")
    return _json(
        {
            "message": {
                "attributes": {},
                "data": base64.b64encode(change).decode(),
                "messageId": identity,
                "message_id": identity,
                "publishTime": stamp,
                "publish_time": stamp,
            },
            "subscription": "projects/acme/subscriptions/gcr-push",
        }
    )


def google_change(
    image: str, tag: str | None, digest: str | None = DIGEST, *, action: str = "INSERT"
) -> bytes:
    """A message of Artifact Registry alone, as payload unwrapping sends it."""
    change = {"action": action}
    change |= {"digest": f"{image}@{digest}"} if digest else {}
    return _json(change | ({"tag": f"{image}:{tag}"} if tag else {}))


def jfrog_push(
    registry: str,
    repo_key: str,
    name: str,
    tag: str,
    digest: str = DIGEST,
    *,
    event_type: str = "pushed",
    image_type: str = "docker",
    flat: bool = False,
) -> bytes:
    """A webhook of Artifactory's domain "docker", or the flat form of older servers."""
    data: dict[str, Any] = {
        "repo_key": repo_key,
        "event_type": event_type,
        "path": f"{name}/{tag}/manifest.json",
        "name": "manifest.json",
        "sha256": digest.partition(":")[2],
        "size": 1_569,
        "image_name": name.rpartition("/")[2],
        "tag": tag,
        "platforms": [],
    }
    if flat:
        return _json(data)
    del data["event_type"]
    return _json(
        {
            "domain": "docker",
            "event_type": event_type,
            "data": data | {"image_type": image_type},
            "subscription_key": "deploy",
            "jpd_origin": f"https://{registry}",
            "source": "jfrog/jfrt@01h0000000000000000000000",
            "userContext": {"id": "ada", "isToken": False, "realm": "internal"},
        }
    )


def nexus_push(
    name: str,
    tag: str,
    *,
    repository: str = NEXUS_REPOSITORY,
    action: str = "CREATED",
    format: str = "docker",
    pushed_at: datetime = PUSHED_AT,
) -> tuple[bytes, dict[str, str]]:
    """A component webhook of Nexus, with its headers; it names no host."""
    identity = _id("nexus", repository, name, tag, action, pushed_at.isoformat())
    body = {
        "timestamp": _stamp(pushed_at, "milliseconds").replace("Z", "+0000"),
        "nodeId": "7FFA7361-6ED33978-36997BD4-47095CC4-331356BE",
        "initiator": "ada/192.0.2.7",
        "repositoryName": repository,
        "action": action,
        "component": {
            "id": identity.replace("-", ""),
            "componentId": base64.b64encode(f"{repository}:{identity}".encode()).decode(),
            "format": format,
            "name": name,
            "group": None,
            "version": tag,
        },
    }
    headers = {
        "x-nexus-webhook-id": "rm:repository:component",
        "x-nexus-webhook-delivery": identity,
    }
    return _json(body), _headers("application/json; charset=UTF-8", "Nexus/3.80.0", **headers)


def cloudsmith_push(
    repository: str,
    *tags: str,
    digest: str = DIGEST,
    event: str = "package.synced",
    format: str = "docker",
    context: Mapping[str, Any] | None = None,
    pushed_at: datetime = PUSHED_AT,
) -> bytes:
    """A webhook of Cloudsmith; ``repository`` is ``owner/repository/name``."""
    namespace, home, name = repository.split("/", 2)
    stamp = pushed_at.astimezone(UTC).isoformat(timespec="microseconds")
    version = digest.partition(":")[2]
    package = {
        "architectures": [{"description": None, "name": "amd64"}],
        "checksum_sha256": version,
        "filename": name,
        "files": [],
        "format": format,
        "identifier_perm": "xKYgfsOsboz6",
        "is_sync_completed": True,
        "name": name,
        "namespace": namespace,
        "repository": home,
        "slug_perm": "xKYgfsOsboz6",
        "stage_str": "Fully Synchronised",
        "tags": {"version": list(tags)} if tags else {},
        "type_display": "image",
        "uploader": "ada",
        "version": version,
    }
    meta = {
        "attempt_at": stamp,
        "event_at": stamp,
        "event_id": event,
        "trigger_id": _id("cloudsmith", repository, *tags, digest, event, stamp),
        "webhook_id": 1,
    }
    return _json({"context": context or {}, "data": package, "meta": meta})


def zot_push(
    name: str,
    reference: str,
    digest: str = DIGEST,
    *,
    event: str = "image.updated",
    prefix: str = "zotregistry",
    source: str = "zotregistry.dev",
    config: str = "application/vnd.oci.image.config.v1+json",
    pushed_at: datetime = PUSHED_AT,
) -> tuple[bytes, dict[str, str]]:
    """A CloudEvent of zot in binary mode, with its headers; it names no host."""
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": {"mediaType": config}}
    data = {
        "name": name,
        "reference": reference,
        "digest": digest,
        "mediaType": media_type,
        "manifest": json.dumps(manifest),
        "actor": {"name": "ada"},
        "request": {"addr": "192.0.2.7:54321", "method": "PUT", "useragent": "docker/28.0.0"},
    }
    stamp = _stamp(pushed_at, "microseconds")
    headers = {
        "ce-specversion": "1.0",
        "ce-id": _id("zot", source, name, reference, digest, event, stamp),
        "ce-source": source,
        "ce-type": f"{prefix}.{event}",
        "ce-time": stamp,
    }
    return _json(data), _headers(_JSON, "Go-http-client/1.1", **headers)


def event_grid(
    *events: bytes, kind: str = "ImagePushed", cloud_events: bool = False
) -> tuple[bytes, dict[str, str]]:
    """Events of Azure's registry as Event Grid delivers them, in its own schema or CloudEvents'."""
    items = [_grid_event(json.loads(event), kind, cloud_events) for event in events]
    if cloud_events:
        body = _json(items[0] if len(items) == 1 else items)
        batch = "" if len(items) == 1 else "-batch"
        return body, _grid_headers(f"application/cloudevents{batch}+json", "Notification")
    return _json(items), _grid_headers(_JSON, "Notification")


def event_grid_validation(code: str) -> tuple[bytes, dict[str, str]]:
    """The event by which Event Grid asks whether a subscription is wanted."""
    event = {
        "id": _id("validation", code),
        "topic": "/subscriptions/0/resourceGroups/acme/providers/"
        "Microsoft.ContainerRegistry/registries/acme",
        "subject": "",
        "data": {
            "validationCode": code,
            "validationUrl": "https://rp-eastus.eventgrid.azure.net/eventsubscriptions/acme",
        },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": _stamp(PUSHED_AT, "microseconds"),
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    return _json([event]), _grid_headers(_JSON, "SubscriptionValidation")


def cloud_sample(
    format: str, pushed: Image, pushed_at: datetime = PUSHED_AT
) -> tuple[bytes, dict[str, str]] | None:
    """A body and its headers for a pushed image, as ``sample_push`` gives them.

    Args:
        format: a format of this module, such as ``ecr``; ``None`` is answered for any other.
        pushed: the image; a missing tag is ``latest``, a missing digest is made up.
    """
    tag, digest = pushed.tag or "latest", pushed.digest or DIGEST
    if format == "ecr":
        found = _ECR_HOST.fullmatch(pushed.registry)
        account, region = found.groups() if found else (ACCOUNT, REGION)
        body = ecr_push(
            pushed.repository, tag, digest, account=account, region=region, pushed_at=pushed_at
        )
        return body, _headers(_JSON, "Amazon/EventBridge/ApiDestinations")
    if format == "google":
        body = google_push(pushed.name, tag, digest, pushed_at=pushed_at)
        return body, _headers(_JSON, "CloudPubSub-Google")
    if format == "jfrog":
        key, slash, name = pushed.repository.partition("/")
        key, name = (key, name) if slash else ("docker-local", key)
        return jfrog_push(pushed.registry, key, name, tag, digest), _headers(_JSON, "JFrog Event")
    if format == "nexus":
        return nexus_push(pushed.repository, tag, pushed_at=pushed_at)
    if format == "cloudsmith":
        missing = ["acme", "prod"][: max(0, 2 - pushed.repository.count("/"))]
        path = "/".join([*missing, pushed.repository])
        body = cloudsmith_push(path, tag, digest=digest, pushed_at=pushed_at)
        return body, _headers(_JSON, "Cloudsmith Webhook")
    if format == "zot":
        return zot_push(pushed.repository, tag, digest, pushed_at=pushed_at)
    return None


def _grid_event(event: Mapping[str, Any], kind: str, cloud_event: bool) -> dict[str, Any]:
    target = event.get("target", {})
    source = (
        "/subscriptions/0/resourceGroups/acme/providers/Microsoft.ContainerRegistry/registries/acme"
    )
    common = {
        "id": _id("event grid", str(event.get("id"))),
        "subject": f"{target.get('repository')}:{target.get('tag', '')}",
        "data": event,
    }
    kind, time = f"Microsoft.ContainerRegistry.{kind}", event.get("timestamp")
    if cloud_event:
        return common | {"specversion": "1.0", "source": source, "type": kind, "time": time}
    versions = {"dataVersion": "1.0", "metadataVersion": "1"}
    return common | versions | {"topic": source, "eventType": kind, "eventTime": time}


def _envelope(kind: str, message: str, sent_at: datetime) -> dict[str, str]:
    stamp = _stamp(sent_at, "milliseconds")
    host = f"https://sns.{REGION}.amazonaws.com"
    return {
        "Type": kind,
        "MessageId": _id("sns", kind, message, stamp),
        "TopicArn": _TOPIC,
        "Message": message,
        "Timestamp": stamp,
        "SignatureVersion": "1",
        "Signature": "bm90IGdlbnVpbmU=",
        "SigningCertURL": f"{host}/SimpleNotificationService-0.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={_TOPIC}:0",
    }


def _grid_headers(content_type: str, event_type: str) -> dict[str, str]:
    return _headers(f"{content_type}; charset=utf-8", "", **{"aeg-event-type": event_type})


def _headers(content_type: str, agent: str, **others: str) -> dict[str, str]:
    named = {"user-agent": agent} if agent else {}
    return {"content-type": content_type} | named | others


def _stamp(moment: datetime, precision: str) -> str:
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _number(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "\n".join(parts)).int)[:17]


def _id(*parts: str) -> str:
    return str(uuid5(NAMESPACE_URL, "\n".join(parts)))


def _json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
