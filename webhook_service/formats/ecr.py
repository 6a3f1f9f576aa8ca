"""Amazon Elastic Container Registry: events of EventBridge, sent directly or through SNS.

Source: Amazon ECR documentation, "Amazon ECR events and EventBridge". EventBridge calls an API
destination with its own event. With the input transformer that argocd-image-updater documents, it
sends a CloudEvent instead. A topic of SNS wraps either of them in an envelope. None of them names
the host of the registry; it follows from account and region.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading import sns
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.manifests import IMAGE_TYPES
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.model.delivery import Reason

CLOUD_EVENT = "com.amazon.ecr.image.push"
# The configurations of images (OCI image spec, "Media Types"); charts and other artifacts have
# types of their own there, under an image manifest.
_CONFIG_TYPES = frozenset(
    {
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.oci.image.config.v1+json",
    }
)
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_SOURCE = re.compile(r"(?:urn|arn):aws[a-z-]*:ecr:([^:]*):([^:]*):repository/(.+)")
# Regions outside of Amazon's public cloud have domains of their own (the SDKs' partitions.json).
_DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}


class Ecr(Format):
    """Reads one event. If the event has no id, the id of the envelope counts."""

    sender = Sender(
        name="Amazon Elastic Container Registry",
        fields=(
            "account",
            "region",
            "detail.repository-name",
            "detail.image-tag",
            "detail.image-digest",
            "detail.action-type",
            "detail.result",
            "detail.manifest-media-type",
            "detail.artifact-media-type",
            "time",
            "id",
        ),
        verification=("sns", "header", "basic"),
        identity="`id`; of CloudEvents `source` and `id`; of SNS without either `MessageId`",
        time="`time`",
        digest="`detail.image-digest`",
        gaps="EventBridge signs nothing, SNS does. Events are best effort.",
        page="senders/ecr.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        fields = Fields.of(read_known(body))
        kind = sns.envelope_type(fields)
        if kind is None:
            return Parsed.of([_read(fields, options.registry)])
        if kind != sns.NOTIFICATION:
            return Parsed(dropped=(Dropped(kind, Reason.HANDSHAKE),))
        item = _read(sns.message(fields), options.registry)
        if isinstance(item, PushEvent) and item.source_id is None:
            item = replace(item, source_id=fields.note("MessageId"))
        return Parsed.of([item])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        fields = Fields(body if isinstance(body, dict) else {})
        if sns.envelope_type(fields):
            return True
        if fields.note("source") == "aws.ecr":
            return fields.has("detail-type")
        return fields.has("specversion") and fields.note("type") == CLOUD_EVENT


def _read(event: Fields, registry: str | None) -> PushEvent | Dropped:
    if event.has("detail-type"):
        return _read_event(event, registry)
    if event.has("specversion"):
        return _read_cloud_event(event, registry)
    raise InvalidPayload(
        "The body is no event of EventBridge, no CloudEvent, and no message of SNS with either."
    )


def _read_event(event: Fields, registry: str | None) -> PushEvent | Dropped:
    if (event.text("source"), event.text("detail-type")) != ("aws.ecr", "ECR Image Action"):
        return Dropped(event.note("detail-type") or "?", Reason.NOT_A_PUSH)
    detail = event.child("detail")
    if (detail.text("action-type"), detail.optional_text("result")) != ("PUSH", "SUCCESS"):
        return Dropped(_subject(detail), Reason.NOT_A_PUSH)
    if not _is_image(detail):
        return Dropped(_subject(detail), Reason.NOT_AN_IMAGE)
    return event_of(
        Pushed(
            host=registry or _host(event.text("account"), event.text("region")),
            path=detail.text("repository-name"),
            field=detail.name("repository-name"),
            tag=detail.optional_text("image-tag"),
            digest=detail.optional_text("image-digest"),
            media_type=detail.note("manifest-media-type"),
            pushed_at=read_time(event.values.get("time")),
            source_id=event.note("id"),
        )
    )


def _read_cloud_event(event: Fields, registry: str | None) -> PushEvent | Dropped:
    if event.text("type") != CLOUD_EVENT:
        return Dropped(event.note("type") or "?", Reason.NOT_A_PUSH)
    source, identity = event.text("source", 512), event.note("id")
    found = _SOURCE.fullmatch(source)
    if not found:
        raise InvalidPayload(f"`{event.name('source')}` does not name a repository of ECR.")
    data = event.child("data")
    path = data.text("repositoryName")
    if path != found[3]:
        # Two readers of one event must not see two different pushes.
        raise InvalidPayload(f"`{event.name('source')}` names another repository than the data.")
    return event_of(
        Pushed(
            host=registry or _host(found[2], found[1]),
            path=path,
            field=data.name("repositoryName"),
            tag=data.optional_text("imageTag"),
            digest=data.optional_text("imageDigest"),
            pushed_at=read_time(event.values.get("time")),
            # CloudEvents: source and id together are unique.
            source_id=f"{source} {identity}" if identity else None,
        )
    )


def _is_image(detail: Fields) -> bool:
    """Older events have no media types; then the tag decides later."""
    manifest = (detail.optional_text("manifest-media-type") or "").lower()
    artifact = (detail.optional_text("artifact-media-type") or "").lower()
    return (not manifest or manifest in IMAGE_TYPES) and (
        not artifact or artifact in _CONFIG_TYPES | IMAGE_TYPES
    )


def _host(account: str, region: str) -> str:
    # Both become parts of a host name: nothing else may slip into it.
    if not _ACCOUNT.fullmatch(account) or not _REGION.fullmatch(region):
        raise InvalidPayload("The event's account or region is not one of Amazon's.")
    domains = (domain for start, domain in _DOMAINS.items() if region.startswith(start))
    return f"{account}.dkr.ecr.{region}.{next(domains, 'amazonaws.com')}"


def _subject(detail: Fields) -> str:
    tag, digest = detail.note("image-tag"), detail.note("image-digest")
    end = f":{tag}" if tag else f"@{digest}" if digest else ""
    return f"{detail.note('action-type') or '?'} {detail.note('repository-name') or ''}{end}"
