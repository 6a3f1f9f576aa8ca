"""GitLab: its registry's envelopes as they are, its pipelines by the receiver's template."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.distribution import Distribution
from webhook_service.formats.format import Dropped, Parsed
from webhook_service.formats.gitlab import GitLab, GitLabOptions
from webhook_service.model.delivery import Reason
from webhook_service.model.order import push_identity
from webhook_service.testing.samples import distribution_push
from webhook_service.testing.samples_scm import PUSHED_AT, gitlab_pipeline, gitlab_registry_push

DIGEST = "sha256:" + "ab" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TEMPLATE = "registry.example/{path}:{sha8}"


def _parse(
    body: Any,
    template: str | None = TEMPLATE,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    read = GitLabOptions.model_validate({"imageTemplate": template, **options})
    return GitLab().parse(raw, headers or {}, read)


def _pipeline(run: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    body = json.loads(gitlab_pipeline("Acme/shop"))
    body["object_attributes"] |= run or {}
    return body | fields


def test_a_notification_of_the_registry_reads_as_distributions() -> None:
    body = distribution_push("registry.example", "acme/shop", "1.2.3", DIGEST)
    options = GitLabOptions()
    assert GitLab().parse(body, {}, options) == Distribution().parse(body, {}, options)


def test_the_sample_of_the_registry_becomes_one_event() -> None:
    body = gitlab_registry_push("registry.example", "acme/shop", "1", DIGEST, pushed_at=PUSHED_AT)
    (event,) = _parse(body, None).events
    assert event.image == f"registry.example/acme/shop:1@{DIGEST}"
    assert (event.pushed_at, event.actor) == (PUSHED_AT, "ada")
    assert event.source_id


@pytest.mark.parametrize(
    ("request_host", "registry", "expected"),
    [
        ("registry.example", None, "registry.example"),
        ("registry.internal:5000", "registry.example", "registry.example"),
        (None, None, "url.example:5050"),
    ],
)
def test_the_host_of_a_notification_is_the_option_else_the_request_else_the_url(
    request_host: str | None, registry: str | None, expected: str
) -> None:
    body = json.loads(
        gitlab_registry_push("url.example:5050", "acme/shop", "1", pushed_at=PUSHED_AT)
    )
    body["events"][0]["request"]["host"] = request_host
    (event,) = _parse(body, None, registry=registry).events
    assert event.registry == expected


def test_blobs_and_pulls_of_the_registry_are_dropped_and_bad_events_alone() -> None:
    body = json.loads(gitlab_registry_push("r.example", "acme/shop", "1", pushed_at=PUSHED_AT))
    (push,) = body["events"]
    body["events"] = [push | {"action": "pull"}, {}, push]
    parsed = _parse(body, None)
    assert len(parsed.events) == 1
    assert [item.reason for item in parsed.dropped] == [Reason.NOT_A_PUSH, Reason.MALFORMED]


def test_a_successful_pipeline_becomes_one_event() -> None:
    headers = {"x-gitlab-event": "Pipeline Hook", "idempotency-key": "908a6d9e"}
    assert _parse(gitlab_pipeline("Acme/Shop"), headers=headers) == Parsed(
        events=(
            PushEvent(
                registry="registry.example",
                repository="acme/shop",
                tag="01234567",
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                actor="ada",
            ),
        )
    )


@pytest.mark.parametrize("status", ["success", "failed", "running"])
def test_a_pipeline_without_a_template_says_what_to_set(status: str) -> None:
    with pytest.raises(InvalidPayload, match="set the receiver's `imageTemplate` option"):
        _parse(gitlab_pipeline("acme/shop", status=status), None)


@pytest.mark.parametrize(
    "status", ["created", "pending", "running", "failed", "canceled", "skipped", "manual"]
)
def test_only_success_is_a_push(status: str) -> None:
    parsed = _parse(gitlab_pipeline("acme/shop", status=status))
    subject = f"pipeline {status} acme/shop main"
    assert parsed == Parsed(dropped=(Dropped(subject, Reason.NOT_A_PUSH),))


@pytest.mark.parametrize(
    "source", ["merge_request_event", "external_pull_request_event", "parent_pipeline"]
)
def test_unmerged_code_and_child_pipelines_are_no_pushes(source: str) -> None:
    (dropped,) = _parse(gitlab_pipeline("acme/shop", source=source)).dropped
    assert dropped.reason == Reason.NOT_A_PUSH


@pytest.mark.parametrize(
    "body",
    [
        {"object_kind": "push", "ref": "refs/heads/main"},
        {"object_kind": "tag_push"},
        {"object_kind": "build", "build_status": "success"},
        {"object_kind": "merge_request"},
        {"event_name": "project_create"},
    ],
)
def test_other_events_are_no_pushes(body: dict[str, Any]) -> None:
    kind = body.get("object_kind") or body["event_name"]
    assert _parse(body, None).dropped == (Dropped(kind, Reason.NOT_A_PUSH),)


@pytest.mark.parametrize(
    ("template", "ref", "expected"),
    [
        ("registry.example/{path}:{sha}", "main", f"registry.example/acme/shop:{COMMIT}"),
        (
            "registry.example:5050/{path}/web:{ref}",
            "main",
            "registry.example:5050/acme/shop/web:main",
        ),
        ("registry.example/x/{ref_slug}:{sha8}", "main", "registry.example/x/main:01234567"),
        (
            "r.example/{path}:{ref_slug}-{sha8}",
            "Feature/X_1",
            "r.example/acme/shop:feature-x-1-01234567",
        ),
        ("r.example/{path}:{ref_slug}", "-" + "a" * 70, "r.example/acme/shop:" + "a" * 62),
        ("docker.io/acme/shop:{ref_slug}", "v1.2.3", "docker.io/acme/shop:v1-2-3"),
        ("r.example/acme/shop:latest", "main", "r.example/acme/shop:latest"),
    ],
)
def test_the_template_is_filled(template: str, ref: str, expected: str) -> None:
    (event,) = _parse(gitlab_pipeline("Acme/Shop", ref), template).events
    assert event.image == expected


def test_the_git_tag_is_there_for_its_own_pipelines_only() -> None:
    template = "registry.example/{path}:{tag}"
    (event,) = _parse(gitlab_pipeline("acme/shop", "v1.2.3", tag=True), template).events
    assert event.tag == "v1.2.3"
    (dropped,) = _parse(gitlab_pipeline("acme/shop", "v1.2.3"), template).dropped
    assert dropped == Dropped("pipeline success acme/shop v1.2.3", Reason.UNTAGGED)


@pytest.mark.parametrize("ref", ["feature/x", "a b", "x" * 200, "{sha}"])
def test_a_ref_that_gives_no_tag_is_dropped_not_refused(ref: str) -> None:
    (dropped,) = _parse(gitlab_pipeline("acme/shop", ref), "r.example/{path}:{ref}").dropped
    assert dropped.reason == Reason.MALFORMED
    assert "`imageTemplate` gives no image" in dropped.subject


def test_a_path_that_no_registry_takes_is_dropped_unread() -> None:
    (dropped,) = _parse(gitlab_pipeline("acme/shop", "aa." * 300), "r.example/x{ref}:1").dropped
    assert dropped.reason == Reason.MALFORMED


@pytest.mark.parametrize(
    ("refs", "ref", "passes"),
    [
        ([], "anything", True),
        (["main", "v*"], "main", True),
        (["main", "v*"], "v1.2.3", True),
        (["main", "v*"], "feature/x", False),
        (["main"], "Main", False),
        (["release/*"], "release/1/x", True),
    ],
)
def test_refs_name_the_branches_and_tags_that_count(
    refs: list[str], ref: str, passes: bool
) -> None:
    parsed = _parse(gitlab_pipeline("acme/shop", ref), refs=refs)
    assert len(parsed.events) == int(passes)
    assert [item.reason for item in parsed.dropped] == ([] if passes else [Reason.FILTERED])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "host/path:tag"),
        ("registry.example", "host/path:tag"),
        ("registry.example/{path}", "host/path:tag"),
        ("registry.example/{path}:", "host/path:tag"),
        ("registry.example:5000/{path}", "host/path:tag"),
        ("/{path}:{sha8}", "host/path:tag"),
        ("{path}/shop:{sha8}", "written out"),
        ("registry.{ref}/shop:1", "written out"),
        ("registry.example/{project}:{sha8}", "unknown placeholder"),
        ("registry.example/{path.x}:{sha8}", "unknown placeholder"),
        ("registry.example/{}:{sha8}", "unknown placeholder"),
        ("registry.example/{path:{sha8}", "not a repository name"),
        ("registry.example/{path}}:{sha8}", "not a repository name"),
        ("registry.example/a b:{sha8}", "not a repository name"),
        ("registry.example/{path}:{sha8", "not a tag"),
        ("registry.example/{path}:a/{sha8}", "not a tag"),
        ("registry.example/{path}:-{sha8}", "not a tag"),
        ("registry.example/{path}@sha256:{sha}", "not a repository name"),
        ("registry/{path}:{sha8}", "not a host"),
        ("registry.example/{path}:" + "x" * 500, "512"),
    ],
)
def test_a_template_that_cannot_work_is_refused_when_saved(template: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GitLabOptions.model_validate({"imageTemplate": template})


def test_template_and_registry_option_must_agree() -> None:
    with pytest.raises(ValidationError, match="another registry"):
        GitLabOptions.model_validate({"imageTemplate": TEMPLATE, "registry": "other.example"})
    options = GitLabOptions.model_validate(
        {"imageTemplate": TEMPLATE, "registry": "Registry.example"}
    )
    assert GitLab().home(options) == "Registry.example"
    assert GitLab().home(GitLabOptions()) is None


@pytest.mark.parametrize("refs", [[""], ["*" * 9], ["x" * 256], ["main"] * 33, "main", [5]])
def test_refs_that_cannot_be_matched_cheaply_are_refused(refs: Any) -> None:
    with pytest.raises(ValidationError):
        GitLabOptions.model_validate({"refs": refs})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"idempotency-key": "a", "webhook-id": "b", "x-gitlab-event-uuid": "c"}, "a"),
        ({"webhook-id": "b", "x-gitlab-event-uuid": "c"}, "b"),
        ({"x-gitlab-event-uuid": "c"}, "c"),
        ({"idempotency-key": "", "webhook-id": "b"}, "b"),
        ({"idempotency-key": "x" * 256}, None),
        ({}, None),
    ],
)
def test_without_a_time_the_id_is_the_first_that_stays_the_same(
    headers: dict[str, str], expected: str | None
) -> None:
    body = json.loads(gitlab_pipeline("acme/shop"))
    del body["object_attributes"]["finished_at"]
    (event,) = _parse(json.dumps(body).encode(), headers=headers).events
    assert event.source_id == expected


def test_a_pipeline_that_is_reported_again_under_a_new_id_is_the_same_push() -> None:
    later = PUSHED_AT + timedelta(seconds=1)
    calls = [("a", PUSHED_AT), ("b", PUSHED_AT), ("c", later)]
    events = [
        _parse(
            gitlab_pipeline("acme/shop", finished_at=at), headers={"x-gitlab-event-uuid": id_}
        ).events[0]
        for id_, at in calls
    ]
    first, again, retried = (push_identity("gitlab", event, PUSHED_AT) for event in events)
    assert first == again != retried


def test_one_id_with_two_commits_is_two_pushes() -> None:
    headers = {"x-gitlab-event-uuid": "c"}
    bodies = [gitlab_pipeline("acme/shop", sha=sha * 20) for sha in ("ab", "cd")]
    events = [_parse(body, headers=headers).events[0] for body in bodies]
    identities = {push_identity("gitlab", event, PUSHED_AT) for event in events}
    assert len(identities) == 2


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-02 03:04:05 UTC", PUSHED_AT),
        ("2026-01-02T03:04:05Z", PUSHED_AT),
        ("2026-01-02T05:04:05+02:00", PUSHED_AT),
        ("2026-01-02 03:04:05 CET", None),
        ("", None),
        (None, None),
        (1767323045, None),
    ],
)
def test_the_time_is_the_pipelines_end(written: Any, moment: datetime | None) -> None:
    (event,) = _parse(_pipeline({"finished_at": written})).events
    assert event.pushed_at == moment


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        {"events": {}},
        {"object_kind": 5},
        {"object_kind": "pipeline"},
        _pipeline({"status": None}),
        _pipeline({"status": 5}),
        _pipeline({"ref": None}),
        _pipeline({"ref": 5}),
        _pipeline({"ref": "x" * 1025}),
        _pipeline({"sha": None}),
        _pipeline({"sha": "0123"}),
        _pipeline({"sha": COMMIT.upper()}),
        _pipeline({"sha": "x/" * 20}),
        _pipeline(project=None),
        _pipeline(project={"path_with_namespace": ""}),
        _pipeline(object_attributes=[]),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)
