"""`auto`: each sender's call is claimed by its own format, and by no other."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from webhook_service.driver import WebhookDriver
from webhook_service.errors import InvalidConfig, InvalidPayload
from webhook_service.formats.alicloud import AliCloud
from webhook_service.formats.auto import Auto, AutoOptions
from webhook_service.formats.azure import Azure
from webhook_service.formats.cloudevents import CloudEvents
from webhook_service.formats.cloudsmith import Cloudsmith
from webhook_service.formats.distribution import Distribution
from webhook_service.formats.dockerhub import DockerHub
from webhook_service.formats.ecr import Ecr
from webhook_service.formats.format import Format, FormatOptions, Parsed
from webhook_service.formats.generic import Generic
from webhook_service.formats.gitea import Gitea
from webhook_service.formats.github import GitHub
from webhook_service.formats.gitlab import GitLab
from webhook_service.formats.google import Google
from webhook_service.formats.harbor import Harbor
from webhook_service.formats.jfrog import JFrog
from webhook_service.formats.nexus import Nexus
from webhook_service.formats.quay import Quay
from webhook_service.formats.zot import Zot
from webhook_service.images import parse_image
from webhook_service.model.delivery import Call
from webhook_service.model.receiver import Receiver, ReceiverSpec, Source
from webhook_service.plugins.discovery import Plugins
from webhook_service.plugins.instances import new_drivers, new_formats, new_schemes
from webhook_service.receiving.compiled import CompiledReceiver, compile_receiver
from webhook_service.receiving.gate import compile_gate
from webhook_service.schemes.none import Unsigned
from webhook_service.schemes.scheme import Scheme
from webhook_service.testing import samples_cloud, samples_scm
from webhook_service.testing.samples import sample_push
from webhook_service.testing.stub import StubDriver

DIGEST = "sha256:" + "ab" * 32
REGISTRY = "registry.example:5000"
FORMATS: Mapping[str, type[Format[Any]]] = {
    "alicloud": AliCloud,
    "auto": Auto,
    "azure": Azure,
    "cloudevents": CloudEvents,
    "cloudsmith": Cloudsmith,
    "distribution": Distribution,
    "dockerhub": DockerHub,
    "ecr": Ecr,
    "generic": Generic,
    "gitea": Gitea,
    "github": GitHub,
    "gitlab": GitLab,
    "google": Google,
    "harbor": Harbor,
    "jfrog": JFrog,
    "nexus": Nexus,
    "quay": Quay,
    "zot": Zot,
}
SCM = ("quay", "github", "gitlab", "harbor", "gitea")
CLOUD = ("ecr", "google", "jfrog", "nexus", "cloudsmith", "zot")
ECR_HOST = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
PURL = "pkg:oci/shop?repository_url=ghcr.io/acme/shop&tag=1.2.3"
PUBLISHED = "dev.cdevents.artifact.published.0.2.0"


def _sample(name: str) -> tuple[bytes, Mapping[str, str]]:
    if name in SCM:
        image = parse_image(f"{REGISTRY}/acme/shop:1.2.3")
        return samples_scm.sample(name, image, DIGEST, samples_scm.PUSHED_AT)
    if name in CLOUD:
        host = ECR_HOST if name == "ecr" else REGISTRY
        return samples_cloud.cloud_sample(name, parse_image(f"{host}/acme/shop:1.2.3@{DIGEST}"))
    if name == "cloudevents":
        return _cdevent(), {"content-type": "application/cloudevents+json"}
    return sample_push(
        name, "acme/shop:1.2.3" if name == "dockerhub" else f"{REGISTRY}/acme/shop:1.2.3"
    )


def _cdevent() -> bytes:
    context = {"id": "1", "source": "/ci", "type": PUBLISHED, "timestamp": "2026-01-02T03:04:05Z"}
    data = {"context": context, "subject": {"id": PURL, "type": "artifact", "content": {}}}
    event = {"specversion": "1.0", "id": "1", "source": "/ci", "type": PUBLISHED, "data": data}
    return json.dumps(event).encode()


def _auto(**options: Any) -> tuple[Format[Any], AutoOptions]:
    own = AutoOptions.model_validate(options)
    return Auto().bind(own, FORMATS), own


def _parse(body: bytes, headers: Mapping[str, str], **options: Any) -> Parsed:
    format_, own = _auto(**options)
    return format_.parse(body, headers, own)


SAMPLES = {name: _sample(name) for name in FORMATS if name not in ("auto", "generic")}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_claimed_by_its_format_alone(name: str) -> None:
    body, headers = SAMPLES[name]
    value = json.loads(body)
    claimed = [other for other, kind in FORMATS.items() if kind().claims(value, headers)]
    # GitLab's registry is CNCF's, and its pipelines need an option.
    assert claimed == ["distribution" if name == "gitlab" else name]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_call_is_read_as_its_own_format_reads_it(name: str) -> None:
    body, headers = SAMPLES[name]
    kind = FORMATS[name]
    expected = kind().parse(body, headers, kind.Options(registry="other.example"))
    assert _parse(body, headers, registry="other.example") == expected
    assert len(expected.events) == 1


def test_a_form_with_json_in_it_is_read() -> None:
    body, headers = SAMPLES["github"]
    form = {**headers, "content-type": "application/x-www-form-urlencoded"}
    assert _parse(samples_scm.as_form(body), form) == _parse(body, headers)


@pytest.mark.parametrize(
    "body",
    [
        samples_scm.harbor_cloud_event("registry.example", "acme/shop", "1.2.3"),
        samples_cloud.ecr_cloud_event(SAMPLES["ecr"][0]),
    ],
)
def test_registries_own_cloud_events_go_to_their_formats(body: bytes) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    assert len(_parse(body, headers).events) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {}),
        (b"[]", {}),
        (b"7", {}),
        (b'"text"', {}),
        (b'{"push_data": {"tag": "1"}}', {}),
        (b'{"events": []}', {}),
        (b'{"repo": "acme/shop", "tag": "1"}', {}),
        (b"repo=acme&tag=1", {"content-type": "application/x-www-form-urlencoded"}),
        (
            b'{"specversion": "1.0", "type": "other"}',
            {"content-type": "application/cloudevents+json"},
        ),
    ],
)
def test_a_call_that_fits_no_format_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidPayload, match=r"fits none of the formats; .*`source\.format`"):
        _parse(body, headers)


def test_a_call_that_fits_two_formats_is_refused_and_names_both() -> None:
    body, headers = SAMPLES["quay"]
    with pytest.raises(InvalidPayload, match="fits `nexus` and `quay`"):
        _parse(body, {**headers, "x-nexus-webhook-id": "rm:repository:component"})


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": 1, "a": 2}', b"payload=", b"[" * 99])
def test_what_cannot_be_read_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body, {})


def test_named_formats_are_the_only_ones() -> None:
    body, headers = SAMPLES["quay"]
    assert _parse(body, headers, formats=["quay", "dockerhub"]).events
    with pytest.raises(InvalidPayload, match="fits none"):
        _parse(body, headers, formats=["dockerhub"])


@pytest.mark.parametrize("name", ["auto", "generic", "nope", ""])
def test_a_format_that_cannot_be_detected_is_refused_when_saved(name: str) -> None:
    with pytest.raises(InvalidConfig, match=r"source\.formats: .* those that can: alicloud, azure"):
        _auto(formats=["quay", name])


def test_a_format_that_needs_options_takes_no_part() -> None:
    class Wanted(FormatOptions):
        host: str

    class Demanding(Quay):
        Options = Wanted

        def claims(self, body: object, headers: Mapping[str, str]) -> bool:
            return True

    own = AutoOptions()
    body, headers = SAMPLES["quay"]
    bound = Auto().bind(own, {**FORMATS, "demanding": Demanding})
    assert bound.parse(body, headers, own).events
    with pytest.raises(InvalidConfig, match="'demanding' cannot be detected"):
        Auto().bind(AutoOptions(formats=("demanding",)), {"demanding": Demanding})


def test_without_formats_nothing_fits() -> None:
    with pytest.raises(InvalidPayload, match="fits none"):
        Auto().parse(b"{}", {}, AutoOptions())


def test_too_many_formats_are_refused() -> None:
    with pytest.raises(ValidationError):
        AutoOptions.model_validate({"formats": ["quay"] * 51})


@settings(max_examples=200, deadline=None, database=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda some: (
            st.lists(some, max_size=3)
            | st.dictionaries(
                st.text()
                | st.sampled_from(
                    ["push_data", "repository", "events", "action", "type", "message"]
                ),
                some,
                max_size=4,
            )
        ),
        max_leaves=8,
    ),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "ce-type", "x-github-event", "user-agent"]),
        st.text() | st.sampled_from(["package", "application/cloudevents+json", PUBLISHED]),
    ),
)
def test_any_json_is_parsed_or_invalid(value: Any, headers: dict[str, str]) -> None:
    try:
        assert isinstance(_parse(json.dumps(value).encode(), headers), Parsed)
    except InvalidPayload as exc:
        assert exc.message


def test_plug_ins_give_their_classes_by_name() -> None:
    plugins: Plugins[Format[Any]] = Plugins("group", "format", Format)
    plugins.add("quay", Quay)
    assert plugins.targets == {"quay": Quay}


def _compiled(source: dict[str, Any]) -> CompiledReceiver:
    formats: Plugins[Format[Any]] = Plugins("group", "format", Format)
    for name, kind in FORMATS.items():
        formats.add(name, kind)
    schemes: Plugins[Scheme[Any]] = Plugins("group", "scheme", Scheme)
    schemes.add("none", Unsigned)
    spec = ReceiverSpec(name="shop", driver="stub", source=Source.model_validate(source))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    receiver = Receiver("rcv_1", "p", spec, now, now)
    drivers: Plugins[WebhookDriver[Any, Any]] = Plugins("group", "driver", WebhookDriver)
    drivers.add("stub", StubDriver)
    found, known = new_formats(formats), new_schemes(lambda url: b"", schemes)
    gate = compile_gate("receiver rcv_1", spec.source, spec.verify, found, known)
    return compile_receiver(receiver, new_drivers(drivers), gate)


def test_a_receiver_of_several_senders_reads_them_all() -> None:
    compiled = _compiled({"format": "auto", "formats": ["quay", "dockerhub"]})
    for name in ("quay", "dockerhub"):
        body, headers = SAMPLES[name]
        parsed = compiled.parse(Call(body, dict(headers)))
        assert isinstance(parsed, Parsed) and parsed.events[0].tag == "1.2.3"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ({"format": "auto", "formats": ["nope"]}, "'nope' cannot be detected"),
        ({"format": "auto", "formats": "quay"}, r"source\.formats"),
        ({"format": "generic"}, "Say where the image is"),
        ({"format": "generic", "image": "$..x"}, r"source\.image: A JSONPath must name one place"),
        ({"format": "cloudevents", "types": ["x"]}, "Say where the image is"),
    ],
)
def test_a_receiver_with_options_that_cannot_work_is_refused(
    source: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        _compiled(source)
