"""Whatever the body and headers, these formats answer ``Parsed`` or ``InvalidPayload``."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.anything import (
    BYTES,
    DIGEST,
    FAST,
    VALUES,
    assert_parsed_or_invalid,
    changed,
    with_bytes_changed,
)
from webhook_service.errors import InvalidRequest
from webhook_service.formats.format import Format, FormatOptions
from webhook_service.formats.gitea import Gitea
from webhook_service.formats.github import GitHub
from webhook_service.formats.gitlab import GitLab, GitLabOptions
from webhook_service.formats.harbor import Harbor
from webhook_service.formats.quay import Quay
from webhook_service.images import parse_image
from webhook_service.testing.samples_scm import (
    CLOUD_EVENT,
    FORM,
    PUSHED_AT,
    Sample,
    as_form,
    gitlab_pipeline,
    harbor_cloud_event,
    sample,
)

FORMATS: dict[str, tuple[Format[Any], FormatOptions]] = {
    "quay": (Quay(), FormatOptions()),
    "github": (GitHub(), FormatOptions()),
    "gitlab": (GitLab(), GitLabOptions(image_template="registry.example/{path}:{ref}")),
    "harbor": (Harbor(), FormatOptions()),
    "gitea": (Gitea(), FormatOptions()),
}
NAMES = ["content-type", "x-github-event", "x-github-delivery", "x-gitea-event", "webhook-id"]
HEADERS = st.dictionaries(
    st.sampled_from(NAMES), st.text() | st.sampled_from([FORM, "package", "ping"]), max_size=3
)


def _sample(format_name: str, image: str = "registry.example:5000/acme/shop:1.2.3") -> Sample:
    return sample(format_name, parse_image(image), DIGEST, PUSHED_AT)


BODIES: dict[str, tuple[str, bytes, dict[str, str]]] = {
    **{name: (name, *_sample(name)) for name in FORMATS},
    "gitlab pipeline": ("gitlab", gitlab_pipeline("acme/shop"), {}),
    "harbor cloud event": (
        "harbor",
        harbor_cloud_event("registry.example", "acme/shop", "1.2.3"),
        {"content-type": CLOUD_EVENT},
    ),
}


def check_body(name: str, body: bytes, headers: dict[str, str]) -> None:
    format_, options = FORMATS[name]
    assert_parsed_or_invalid(format_, options, body, headers)


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(
    body=BYTES,
    headers=HEADERS,
    prefix=st.sampled_from([b"", b"payload="]),
)
def test_any_bytes_are_parsed_or_invalid(
    name: str, body: bytes, headers: dict[str, str], prefix: bytes
) -> None:
    check_body(name, prefix + body, headers)


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(value=VALUES, headers=HEADERS)
def test_any_json_is_parsed_or_invalid(name: str, value: Any, headers: dict[str, str]) -> None:
    check_body(name, json.dumps(value).encode(), headers)


@pytest.mark.parametrize("name", BODIES)
@FAST
@given(data=st.data())
def test_a_real_body_with_fields_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    format_name, real, headers = BODIES[name]
    body = json.dumps(changed(data, json.loads(real))).encode()
    check_body(format_name, body, headers)
    check_body(format_name, as_form(body), headers | {"content-type": FORM})


@pytest.mark.parametrize("name", BODIES)
@FAST
@given(data=st.data())
def test_a_real_body_with_bytes_changed_is_parsed_or_invalid(name: str, data: Any) -> None:
    format_name, real, headers = BODIES[name]
    body = data.draw(st.sampled_from([real, as_form(real)]))
    check_body(format_name, with_bytes_changed(data, body), headers)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "image", ["nginx", "localhost:5000/a/b:2.0", "docker.io/acme/shop:1", "quay.io/shop:1"]
)
def test_a_sample_of_any_image_is_a_push_of_its_tag(name: str, image: str) -> None:
    body, headers = _sample(name, image)
    format_, options = FORMATS[name]
    (event,) = format_.parse(body, headers, options).events
    assert event.tag == (image.rpartition(":")[2] if ":" in image else "latest")


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_is_the_same_each_time_and_names_its_registry(name: str) -> None:
    body, headers = _sample(name)
    assert _sample(name) == (body, headers)
    format_, options = FORMATS[name]
    (event,) = format_.parse(body, headers, options).events
    registry = "ghcr.io" if name == "github" else "registry.example:5000"
    assert event.image.partition("@")[0] == f"{registry}/acme/shop:1.2.3"
    assert event.pushed_at == (None if name == "quay" else PUSHED_AT)


def test_a_sample_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no sample"):
        _sample("carrier-pigeon")


@pytest.mark.parametrize("name", FORMATS)
def test_a_call_is_claimed_by_its_own_format_alone(name: str) -> None:
    body, headers = _sample(name)
    claims = {key for key, (one, _) in FORMATS.items() if one.claims(json.loads(body), headers)}
    # GitLab's registry sends distribution's envelope, and is left to that format.
    assert claims == ({name} - {"gitlab"})


@pytest.mark.parametrize(
    ("body", "headers", "claimed"),
    [
        (json.loads(harbor_cloud_event("r.example", "acme/shop", "1")), {}, {"harbor"}),
        ({"specversion": "1.0", "type": "dev.cdevents.artifact.published.0.2.0"}, {}, set()),
        (json.loads(gitlab_pipeline("acme/shop")), {"x-gitlab-event": "Pipeline Hook"}, set()),
        ({"zen": "Keep it logically awesome."}, {"x-github-event": "ping"}, {"github"}),
        ({"package": {"package_version": {}}}, {}, {"github"}),
        ({}, {"x-forgejo-event": "push", "x-github-event": "push"}, {"gitea"}),
        ([], {}, set()),
        (None, {}, set()),
        ({"package": 7, "docker_url": None}, {}, {"quay"}),
    ],
)
def test_what_else_is_claimed(body: object, headers: dict[str, str], claimed: set[str]) -> None:
    assert {name for name, (one, _) in FORMATS.items() if one.claims(body, headers)} == claimed


@pytest.mark.parametrize("name", FORMATS)
@FAST
@given(value=VALUES, headers=HEADERS)
def test_claiming_never_fails(name: str, value: Any, headers: dict[str, str]) -> None:
    assert FORMATS[name][0].claims(value, headers) in (True, False)
