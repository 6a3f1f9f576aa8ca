"""GitLab: the notifications of its container registry, and pipelines that push an image.

Source: GitLab documentation, "Container registry administration" (notifications) and "Webhook
events" (pipelines). GitLab has no project webhook for its registry. The administrator of a GitLab
server can let the registry notify, in CNCF distribution's envelope. All others can let GitLab
report that a pipeline has succeeded. Such a report names no image: the receiver's template builds
its name from project, ref and commit. GitLab switches a webhook off after four refusals in a row.
``auto`` does not detect GitLab: the envelope is distribution's, and a pipeline needs its template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.expressions.glob import compile_glob
from webhook_service.formats.distribution import read_envelope
from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import MAX_TEXT, Fields
from webhook_service.formats.reading.image_template import ImageTemplate, parse_template
from webhook_service.formats.reading.pushes import Pushed, event_of
from webhook_service.formats.reading.strict_json import read_known
from webhook_service.formats.reading.times import read_time
from webhook_service.images import normalise_registry
from webhook_service.model.delivery import Reason

_IDS = ("idempotency-key", "webhook-id", "x-gitlab-event-uuid")
# Code that is not merged yet, and parts of a pipeline that reports its own success.
_NO_PUSH_SOURCES = frozenset(
    {"merge_request_event", "external_pull_request_event", "parent_pipeline"}
)
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_REF = 1024

RefPattern = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^*]*(\*[^*]*){0,8}$")]
"""A glob with at most eight stars."""


class GitLabOptions(FormatOptions):
    """Pipelines need ``imageTemplate``. The notifications of the registry need no options."""

    image_template: str | None = Field(
        default=None,
        max_length=512,
        description=(
            "Image that a successful pipeline has pushed, such as registry.example/{path}:{sha8}; "
            "placeholders: path, ref, ref_slug, sha, sha8, and tag for pipelines of a git tag."
        ),
    )
    refs: tuple[RefPattern, ...] = Field(
        default=(),
        max_length=32,
        description="Branches and git tags whose pipelines count, as globs; all if empty.",
    )

    @field_validator("image_template")
    @classmethod
    def _check_template(cls, text: str | None) -> str | None:
        if text is not None:
            parse_template(text)
        return text

    @model_validator(mode="after")
    def _check_one_registry(self) -> Self:
        if self.registry and self.image_template:
            host = parse_template(self.image_template).host
            if normalise_registry(host) != normalise_registry(self.registry):
                raise ValueError("`imageTemplate` is in another registry than `registry`.")
        return self


class GitLab(Format[GitLabOptions]):
    """Reads an envelope of the registry, or one event of a project's webhook."""

    Options = GitLabOptions
    sender = Sender(
        name="GitLab",
        fields=(
            "`events[]` as `distribution` does",
            "object_attributes.status",
            "object_attributes.ref",
            "object_attributes.sha",
            "object_attributes.tag",
            "project.path_with_namespace",
            "user.username",
        ),
        verification=("gitlab", "header"),
        identity="`events[].id`; of pipelines the image and `finished_at`",
        time="`events[].timestamp`, `object_attributes.finished_at`",
        digest="`events[].target.digest`; pipelines have none",
        gaps="A pipeline names no image: option `imageTemplate`. `auto` does not detect it.",
        page="senders/gitlab.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: GitLabOptions) -> Parsed:
        call = Fields.of(read_known(body))
        if call.has("events"):
            return read_envelope(call, options.registry)
        kind = call.optional_text("object_kind", 64) or call.optional_text("event_name", 64)
        if kind is None:
            raise InvalidPayload("The body has neither `events` nor `object_kind`.")
        if kind != "pipeline":
            subject = call.note("object_kind") or call.note("event_name") or "event"
            return Parsed(dropped=(Dropped(subject, Reason.NOT_A_PUSH),))
        return Parsed.of([_read(call, _source_id(headers), options)])


def _source_id(headers: Mapping[str, str]) -> str | None:
    """The first two are one id and stay the same when GitLab repeats a call."""
    return next(filter(None, (Fields(headers).note(name) for name in _IDS)), None)


def _read(call: Fields, source_id: str | None, options: GitLabOptions) -> PushEvent | Dropped:
    if options.image_template is None:
        raise InvalidPayload(
            "A pipeline names no image: set the receiver's `imageTemplate` option, such as "
            "registry.example/{path}:{sha8}."
        )
    run, subject = call.child("object_attributes"), _subject(call)
    if run.text("status", 64) != "success" or run.note("source") in _NO_PUSH_SOURCES:
        return Dropped(subject, Reason.NOT_A_PUSH)
    ref = run.text("ref", _MAX_REF)
    if options.refs and not any(compile_glob(pattern)(ref) for pattern in options.refs):
        return Dropped(subject, Reason.FILTERED)
    template = parse_template(options.image_template)
    values = _values(run, call.child("project"), ref)
    if template.uses("tag") and "tag" not in values:
        return Dropped(subject, Reason.UNTAGGED)
    return _event(call, template, values, source_id)


def _event(
    call: Fields, template: ImageTemplate, values: Mapping[str, str], source_id: str | None
) -> PushEvent | Dropped:
    path, tag = template.fill(values)
    unfit = f"{_subject(call)}: `imageTemplate` gives no image"
    finished = _time(call.part("object_attributes").values.get("finished_at"))
    if len(path) > MAX_TEXT:
        return Dropped(unfit, Reason.MALFORMED)
    try:
        return event_of(
            Pushed(
                host=template.host,
                path=path,
                field="imageTemplate",
                tag=tag,
                pushed_at=finished,
                actor=call.part("user").note("username"),
                # GitLab's button "Test" reports a pipeline once more under a new id.
                source_id=None if finished else source_id,
            )
        )
    except InvalidPayload:
        # Such as {ref} for the branch feature/x: no reason for GitLab to stop calling.
        return Dropped(unfit, Reason.MALFORMED)


def _values(run: Fields, project: Fields, ref: str) -> dict[str, str]:
    sha = run.text("sha", 64)
    if not _SHA.fullmatch(sha):
        raise InvalidPayload(f"`{run.name('sha')}` is not a commit's hash.")
    values = {
        "path": project.text("path_with_namespace"),
        "ref": ref,
        "ref_slug": _slug(ref),
        "sha": sha,
        "sha8": sha[:8],
    }
    return values | ({"tag": ref} if run.values.get("tag") is True else {})


def _slug(ref: str) -> str:
    """The variable ``CI_COMMIT_REF_SLUG``, by GitLab's documentation of predefined variables."""
    return re.sub(r"[^a-z0-9]", "-", ref.lower())[:63].strip("-")


def _time(value: object) -> datetime | None:
    """Read RFC 3339 or GitLab's ``2026-01-02 03:04:05 UTC``."""
    return read_time(value.removesuffix(" UTC"), UTC) if isinstance(value, str) else None


def _subject(call: Fields) -> str:
    run = call.part("object_attributes")
    shown = (run.note("status", 64), call.part("project").note("path_with_namespace"))
    return " ".join(filter(None, ("pipeline", *shown, run.note("ref"))))
