"""Alibaba Cloud Container Registry's trigger, Personal and Enterprise Edition.

Source: Alibaba Cloud documentation, "Container Registry: Manage triggers". The body looks like
Docker Hub's. But it names the repository in ``repo_full_name``, and of the registry it names only
the region. It does not name the host of an Enterprise instance at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import CHINA, read_time

_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class AliCloudOptions(FormatOptions):
    """``registry`` is the host of an Enterprise instance."""

    address_type: Literal["registry", "registry-internal", "registry-vpc"] = Field(
        default="registry",
        description="Which of the registry's addresses the cluster pulls from (Personal Edition).",
    )


class AliCloud(Format[AliCloudOptions]):
    """Reads one push."""

    Options = AliCloudOptions
    sender = Sender(
        name="Alibaba Cloud Container Registry",
        fields=(
            "repository.repo_full_name",
            "repository.namespace",
            "repository.name",
            "repository.region",
            "push_data.tag",
            "push_data.digest",
            "push_data.pushed_at",
        ),
        verification=("none",),
        identity="image and `push_data.pushed_at`",
        time="`push_data.pushed_at` (Beijing's, without a zone)",
        digest="`push_data.digest`",
        gaps="Nothing is signed. The host of an Enterprise instance is missing: option `registry`.",
        page="senders/alicloud.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: AliCloudOptions) -> Parsed:
        fields = Fields.of(read_known(body))
        push, repository = fields.child("push_data"), fields.child("repository")
        pushed = Pushed(
            path=_path(repository),
            host=options.registry or _host(repository, options.address_type),
            field=repository.name("repo_full_name"),
            tag=push.optional_text("tag"),
            digest=push.optional_text("digest"),
            # The time carries no zone; it is Beijing's.
            pushed_at=read_time(push.values.get("pushed_at"), CHINA),
        )
        return Parsed.of([event_of(pushed)])

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        call = Fields(body if isinstance(body, dict) else {})
        repository = call.part("repository")
        return call.has("push_data") and (
            repository.has("repo_full_name") or repository.has("region")
        )


def _path(repository: Fields) -> str:
    if name := repository.optional_text("repo_full_name"):
        return name
    if repository.has("repo_name"):
        raise InvalidPayload("The body is Docker Hub's; the receiver's format is `alicloud`.")
    return f"{repository.text('namespace')}/{repository.text('name')}"


def _host(repository: Fields, address_type: str) -> str:
    if not repository.has("region"):
        raise InvalidPayload(
            "`repository.region` is missing; for an Enterprise instance, set the receiver's "
            "`registry` option."
        )
    region = repository.text("region", 63)
    if not _REGION.fullmatch(region):
        # It becomes part of a host name: nothing else may slip into it.
        raise InvalidPayload("`repository.region` is not the name of a region.")
    return f"{address_type}.{region}.aliyuncs.com"
