"""What is fuzzed: one function per format and scheme, which takes bytes and may not raise.

The bytes of a format are the number of a set of headers, and the body; those of a scheme are the
values of its headers in lines, an empty line, and the body.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.schemes.cases import CASES, CLIENT, scheme_of
from webhook_service.errors import InvalidPayload, IssuerUnavailable, Unauthenticated
from webhook_service.formats.format import MAX_SUBJECT, Format, Parsed
from webhook_service.images import is_digest, is_tag, parse_repository
from webhook_service.model.delivery import Call
from webhook_service.plugins.discovery import FORMATS, discover
from webhook_service.schemes.none import Unsigned
from webhook_service.schemes.oidc import Oidc, OidcOptions
from webhook_service.schemes.proving.signature import REFUSED
from webhook_service.schemes.scheme import Scheme, SchemeOptions
from webhook_service.schemes.sns import Sns, SnsOptions
from webhook_service.testing import samples_cloud, samples_scm
from webhook_service.testing.samples import sample_push

IMAGE = "registry.example:5000/acme/shop:1.2.3"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "cloudevents": {"types": ["built"], "image": "$.data.image", "time": "$.time"},
    "generic": {
        "repository": "$.repository",
        "tag": "$.tag",
        "digest": "$.digest",
        "time": "$.time",
        "id": "$.id",
    },
    "gitlab": {"imageTemplate": "registry.example/{path}:{ref}"},
    "nexus": {"registry": "nexus.example:5000"},
    "zot": {"registry": "zot.example:5000"},
}
CLOUD_EVENT = {
    "ce-specversion": "1.0",
    "ce-type": "built",
    "ce-source": "/ci",
    "ce-id": "1",
}
ZOT = samples_cloud.zot_push("acme/shop", "1.2.3")
HEADERS: Sequence[Mapping[str, str]] = [
    {},
    {"content-type": samples_scm.FORM},
    {"content-type": samples_scm.CLOUD_EVENT},
    {"content-type": "application/cloudevents-batch+json"},
    {"content-type": "application/json", **CLOUD_EVENT},
    {"x-github-event": "package", "x-github-delivery": "1"},
    {"x-gitea-event": "package", "x-forgejo-delivery": "1"},
    {"x-nexus-webhook-id": "rm:repository:component"},
    {"content-type": "application/json", **ZOT[1]},
    {"aeg-event-type": "SubscriptionValidation"},
    {"user-agent": "AzureContainerRegistry/1.0"},
]
AZURE = sample_push("azure", "acme.azurecr.io/shop:1.2.3")[0]
ECR = samples_cloud.ecr_push("acme/shop", "1.2.3")
MORE_SEEDS: Mapping[str, Sequence[bytes]] = {
    "azure": [samples_cloud.event_grid(AZURE)[0], samples_cloud.event_grid_validation("code")[0]],
    "cloudevents": [
        b'{"image": "acme/shop:1.2.3"}',
        b'{"specversion": "1.0", "type": "built", "source": "/ci", "id": "1", '
        b'"data": {"image": "acme/shop:1.2.3"}}',
        b'{"context": {"type": "dev.cdevents.artifact.published.0.3.0"}, '
        b'"subject": {"id": "pkg:oci/shop@sha256%3A00?repository_url=ghcr.io/acme&tag=1.2.3"}}',
    ],
    "ecr": [samples_cloud.ecr_cloud_event(ECR), samples_cloud.sns_notification(ECR)],
    "generic": [b'{"repository": "acme/shop", "tag": "1.2.3"}', b"repository=acme/shop&tag=1"],
    "gitea": [samples_scm.as_form(samples_scm.gitea_package("git.example", "acme/shop", "1"))],
    "gitlab": [samples_scm.gitlab_pipeline("acme/shop")],
    "google": [samples_cloud.google_change("gcr.io/acme/shop", "1.2.3")],
    "harbor": [samples_scm.harbor_cloud_event("harbor.example", "acme/shop", "1.2.3")],
}
UNSEEN = ("auto", "cloudevents", "generic")


@dataclass(frozen=True)
class Target:
    """``run`` takes one input; ``seeds`` are inputs to start from."""

    run: Callable[[bytes], None]
    seeds: Sequence[bytes]


def _format_target(name: str, format_: Format[Any], options: Any) -> Target:
    def run(data: bytes) -> None:
        headers = HEADERS[data[0] % len(HEADERS)] if data else {}
        try:
            parsed = format_.parse(data[1:], headers, options)
        except InvalidPayload as exc:
            assert exc.message
        else:
            check_parsed(parsed)

    bodies = [*MORE_SEEDS.get(name, ())]
    if name not in UNSEEN:
        bodies.append(sample_push(name, IMAGE)[0])
    return Target(run, [bytes([i]) + body for body in bodies for i in range(len(HEADERS))])


def check_parsed(parsed: Parsed) -> None:
    """What every answer of a format holds to."""
    for event in parsed.events:
        assert event.tag and is_tag(event.tag)
        assert event.digest is None or is_digest(event.digest)
        assert parse_repository(event.reference.name) == event.reference.at(None)
        assert event.pushed_at is None or event.pushed_at.utcoffset() is not None
    for item in parsed.dropped:
        assert item.reason
        assert len(item.subject) <= MAX_SUBJECT and item.subject.isprintable()


def _scheme_target(scheme: Scheme[Any], options: SchemeOptions, genuine: Call) -> Target:
    names = sorted(genuine.headers)

    def run(data: bytes) -> None:
        head, _, body = data.partition(b"\n\n")
        values = (line.decode("latin-1") for line in head.split(b"\n"))
        call = replace(genuine, headers=dict(zip(names, values, strict=False)), body=body)
        try:
            scheme.check(call, options)
        except Unauthenticated as exc:
            assert exc.message == REFUSED
        except IssuerUnavailable:
            return
        else:
            scheme.message_id(call, options)

    lines = "\n".join(genuine.headers[name] for name in names).encode("latin-1")
    return Target(run, [lines + b"\n\n" + genuine.body])


def _formats() -> dict[str, Target]:
    found = discover(FORMATS, "format", Format).targets
    targets = {}
    for name, kind in found.items():
        options = kind.Options.model_validate(OPTIONS.get(name, {}))
        targets[name] = _format_target(name, kind().bind(options, found), options)
    every = [seed for target in targets.values() for seed in target.seeds]
    return targets | {"auto": replace(targets["auto"], seeds=every)}


def _schemes() -> dict[str, Target]:
    def unreachable(url: str) -> bytes:
        raise IssuerUnavailable("Nothing is fetched here.")

    targets = {
        f"scheme {name}": _scheme_target(scheme_of(case.scheme), case.options(), case.call())
        for name, case in CASES.items()
    }
    oidc = OidcOptions(issuer="https://issuer.example", audience="a", subject="s")
    sns = SnsOptions(topic_arn="arn:aws:sns:us-east-1:123456789012:pushes")
    token = {"authorization": "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.e30.AAAA"}
    message = Call(samples_cloud.sns_notification(ECR), {"x-amz-sns-message-type": "Notification"})
    return targets | {
        "scheme oidc": _scheme_target(Oidc(unreachable), oidc, Call(b"{}", token)),
        "scheme sns": _scheme_target(Sns(unreachable), sns, message),
        "scheme none": _scheme_target(Unsigned(), SchemeOptions(), Call(b"{}", {}, {}, CLIENT)),
    }


TARGETS: Mapping[str, Target] = {**_formats(), **_schemes()}


def all_targets() -> Target:
    """One target for all: the first byte says which."""
    targets = list(TARGETS.values())

    def run(data: bytes) -> None:
        if data:
            targets[data[0] % len(targets)].run(data[1:])

    seeds = [bytes([i]) + seed for i, target in enumerate(targets) for seed in target.seeds]
    return Target(run, seeds)
