"""Docker Hub's webhook, and other senders of the same body: build servers, scripts, v1.6's users.

Source: Docker Hub documentation, "Webhooks". The body has no signature, no id and no digest. The
service never calls ``callback_url``: if it did, whoever knows the key could make it send requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook_service.errors import InvalidPayload
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.manifests import is_helm_chart
from webhook_service.formats.reading.pushes import Pushed, event_of, split_host
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_seconds
from webhook_service.images import DOCKER_HUB
from webhook_service.model.delivery import Reason

# The answers of v1.6, word for word (its spelling of "received" too): clients may compare them.
NO_PAYLOAD = "No Payload recevied from webhook"
NOT_AN_OBJECT = "Body should be of type map[string]interface{}"
NO_PUSH_DATA = "Incomplete webhook response provided"
NO_TAG = "Webhook response contains no tag"
NO_REPOSITORY = "Response provided without repository information"
NO_NAME = "Response provided without image name"

_FIELD = "repository.repo_name"


class DockerHub(Format):
    """Reads one push. If its name begins with a registry host, that registry counts, as in v1.6."""

    sender = Sender(
        name="Docker Hub",
        fields=(
            "repository.repo_name",
            "repository.namespace",
            "repository.name",
            "push_data.tag",
            "push_data.media_type",
            "push_data.pushed_at",
            "push_data.pusher",
        ),
        verification=("none",),
        identity="image and `push_data.pushed_at`",
        time="`push_data.pushed_at`",
        gaps="Nothing is signed. No digest. A multi-platform push is several calls.",
        page="senders/dockerhub.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        push, repository = _parts(body)
        named, path = split_host(_repository_name(repository))
        data = Fields(push, "push_data")
        media_type = data.note("media_type")
        if media_type and is_helm_chart(media_type):
            return Parsed(dropped=(Dropped(path, Reason.NOT_AN_IMAGE),))
        pushed = Pushed(
            host=options.registry or named or DOCKER_HUB,
            path=path,
            field=_FIELD,
            tag=push["tag"],
            media_type=media_type,
            pushed_at=read_seconds(push.get("pushed_at")),
            actor=data.note("pusher"),
        )
        return Parsed.of([event_of(pushed)])

    def home(self, options: FormatOptions) -> str:
        return options.registry or DOCKER_HUB

    def claims(self, body: object, headers: Mapping[str, str]) -> bool:
        call = Fields(body if isinstance(body, dict) else {})
        repository = call.part("repository")
        alicloud = repository.has("repo_full_name") or repository.has("region")
        return call.has("push_data") and bool(repository.values) and not alicloud


def _parts(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check in v1.6's order; gives ``push_data``, whose tag is a text, and ``repository``."""
    value = read_known(body) if body.strip() else None
    if value is None:
        raise InvalidPayload(NO_PAYLOAD)
    if not isinstance(value, dict):
        raise InvalidPayload(NOT_AN_OBJECT)
    push = value.get("push_data")
    if not isinstance(push, dict):
        raise InvalidPayload(NO_PUSH_DATA)
    if not isinstance(push.get("tag"), str):
        raise InvalidPayload(NO_TAG)
    repository = value.get("repository")
    if not isinstance(repository, dict):
        raise InvalidPayload(NO_REPOSITORY)
    return push, repository


def _repository_name(repository: dict[str, Any]) -> str:
    fields = Fields(repository, "repository")
    if name := fields.optional_text("repo_name"):
        return name
    # Alibaba Cloud's body has the same namespace and name, of another registry.
    if fields.has("repo_full_name") or fields.has("region"):
        raise InvalidPayload(NO_NAME)
    namespace, name = fields.optional_text("namespace"), fields.optional_text("name")
    if not (namespace and name):
        raise InvalidPayload(NO_NAME)
    return f"{namespace}/{name}"
