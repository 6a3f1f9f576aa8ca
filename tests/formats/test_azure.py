"""Azure's registry: `action` tells a push from all else of one shape; Event Grid wraps it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from webhook_service.driver import PushEvent
from webhook_service.errors import InvalidPayload
from webhook_service.formats.azure import Azure
from webhook_service.formats.format import Dropped, FormatOptions, Parsed
from webhook_service.model.delivery import Reason
from webhook_service.testing.samples import azure_push, distribution_push
from webhook_service.testing.samples_cloud import event_grid, event_grid_validation

DIGEST = "sha256:" + "ab" * 32
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def _parse(body: Any, registry: str | None = None) -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Azure().parse(raw, {}, FormatOptions(registry=registry))


def _body(target: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    whole = {"mediaType": MANIFEST, "digest": DIGEST, "repository": "shop", "tag": "v1"}
    whole |= target or {}
    return {
        "id": "cb8c3971",
        "timestamp": "2026-01-02T03:04:05.6789012Z",
        "action": "push",
        "target": {key: value for key, value in whole.items() if value is not None},
        "request": {"id": "a1", "host": "acme.azurecr.io", "method": "PUT"},
    } | fields


def test_a_push_becomes_one_event() -> None:
    assert _parse(_body(actor={"name": "ada"})) == Parsed(
        events=(
            PushEvent(
                registry="acme.azurecr.io",
                repository="shop",
                tag="v1",
                digest=DIGEST,
                media_type=MANIFEST,
                pushed_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
                actor="ada",
                source_id="cb8c3971",
            ),
        )
    )


def test_the_sample_becomes_one_event() -> None:
    (event,) = _parse(azure_push("acme.azurecr.io", "team/shop", "v1", DIGEST)).events
    assert event.image == f"acme.azurecr.io/team/shop:v1@{DIGEST}"


def test_a_push_without_media_type_is_taken() -> None:
    assert len(_parse(_body({"mediaType": None})).events) == 1


@pytest.mark.parametrize("registry", ["acme.example", "ACME.example"])
def test_the_registry_option_wins_over_the_body(registry: str) -> None:
    (event,) = _parse(_body(), registry=registry).events
    assert event.registry == "acme.example"


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"id": "1", "action": "ping"}, Dropped("ping", Reason.NOT_A_PUSH)),
        (_body(action="delete"), Dropped("delete shop:v1", Reason.NOT_A_PUSH)),
        (
            _body({"tag": None}, action="delete"),
            Dropped(f"delete shop@{DIGEST}", Reason.NOT_A_PUSH),
        ),
        (_body(action="quarantine"), Dropped("quarantine shop:v1", Reason.NOT_A_PUSH)),
        (_body(action="chart_delete"), Dropped("chart_delete shop:v1", Reason.NOT_A_PUSH)),
        (_body(action="chart_push"), Dropped("chart_push shop:v1", Reason.NOT_AN_IMAGE)),
        (_body(action="PUSH"), Dropped("PUSH shop:v1", Reason.NOT_A_PUSH)),
        (
            _body({"mediaType": "application/vnd.cncf.helm.config.v1+json"}),
            Dropped("push shop:v1", Reason.NOT_AN_IMAGE),
        ),
        (
            _body({"tag": None}),
            Dropped(f"acme.azurecr.io/shop@{DIGEST}", Reason.UNTAGGED),
        ),
        (
            _body({"tag": None, "mediaType": None}),
            Dropped(f"acme.azurecr.io/shop@{DIGEST}", Reason.UNTAGGED),
        ),
        (
            _body({"tag": DIGEST}),
            Dropped(f"acme.azurecr.io/shop@{DIGEST}", Reason.UNTAGGED),
        ),
    ],
)
def test_what_cannot_be_deployed_is_dropped_with_its_reason(
    body: dict[str, Any], dropped: Dropped
) -> None:
    assert _parse(body) == Parsed(dropped=(dropped,))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'"push"',
        {"action": None},
        {"action": 1},
        {"action": "x" * 65},
        {"action": "push"},
        _body(request={}),
        _body(request=None),
        _body(request={"host": 5}),
        _body(request={"host": "acme"}),
        _body(request={"host": "evil.example/acme.azurecr.io"}),
        _body({"repository": None}),
        _body({"repository": "no//name"}),
        _body({"tag": "a b"}),
        _body({"tag": 1}),
        _body({"digest": "sha256:no"}),
        distribution_push("acme.example", "shop", "v1"),
    ],
)
def test_what_is_no_such_event_is_invalid(body: Any) -> None:
    with pytest.raises(InvalidPayload):
        _parse(body)


@pytest.mark.parametrize("cloud_events", [False, True])
def test_event_grid_brings_the_same_event(cloud_events: bool) -> None:
    body = json.dumps(_body(actor={"name": "ada"})).encode()
    sent, headers = event_grid(body, cloud_events=cloud_events)
    assert Azure().parse(sent, headers, FormatOptions()) == _parse(body)


@pytest.mark.parametrize("cloud_events", [False, True])
def test_event_grid_may_bring_many_events(cloud_events: bool) -> None:
    bodies = [azure_push("acme.azurecr.io", "shop", tag, DIGEST) for tag in ("v1", "v2")]
    sent, _ = event_grid(*bodies, cloud_events=cloud_events)
    assert [event.tag for event in _parse(sent).events] == ["v1", "v2"]


def test_a_cloud_event_in_an_array_is_read_too() -> None:
    sent, _ = event_grid(azure_push("acme.azurecr.io", "shop", "v1"), cloud_events=True)
    assert len(_parse([json.loads(sent)]).events) == 1


def test_event_grids_id_and_time_stand_in_for_missing_ones() -> None:
    (sent,) = json.loads(event_grid(json.dumps(_body()).encode())[0])
    sent["data"] |= {"id": None, "timestamp": None}
    (event,) = _parse([sent]).events
    assert event.source_id == sent["id"]
    assert event.pushed_at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize("cloud_events", [False, True])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("ImageDeleted", Reason.NOT_A_PUSH),
        ("ChartDeleted", Reason.NOT_A_PUSH),
        ("ChartPushed", Reason.NOT_AN_IMAGE),
    ],
)
def test_event_grids_other_events_are_dropped(
    kind: str, reason: Reason, cloud_events: bool
) -> None:
    # The type decides, even if the data says otherwise.
    sent, _ = event_grid(json.dumps(_body()).encode(), kind=kind, cloud_events=cloud_events)
    subject = f"Microsoft.ContainerRegistry.{kind} shop:v1"
    assert _parse(sent) == Parsed(dropped=(Dropped(subject, reason),))


def test_event_grids_push_is_still_judged_by_its_data() -> None:
    chart = _body({"mediaType": "application/vnd.cncf.helm.config.v1+json"})
    untagged = _body({"tag": None})
    sent, _ = event_grid(*(json.dumps(body).encode() for body in (chart, untagged)))
    reasons = [item.reason for item in _parse(sent).dropped]
    assert reasons == [Reason.NOT_AN_IMAGE, Reason.UNTAGGED]


def test_an_event_that_cannot_be_read_does_not_harm_the_others() -> None:
    (good,) = json.loads(event_grid(json.dumps(_body()).encode())[0])
    bad = [5, {}, {"eventType": 5}, good | {"data": None}, good | {"data": _body(request={})}]
    parsed = _parse([*bad, good])
    assert [event.tag for event in parsed.events] == ["v1"]
    assert [item.reason for item in parsed.dropped] == [Reason.MALFORMED] * 5
    assert "`[4].data.request.host`" in parsed.dropped[4].subject


def test_event_grids_validation_is_answered_with_its_code() -> None:
    sent, headers = event_grid_validation("512d38b6-c7b8-40c8-89fe-f46f9e9622b6")
    parsed = Azure().parse(sent, headers, FormatOptions())
    assert parsed.reply == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}
    assert [item.reason for item in parsed.dropped] == [Reason.HANDSHAKE]
    assert _parse(sent).reply == parsed.reply


@pytest.mark.parametrize("header", ["Notification", "Unsubscribe", ""])
def test_a_validation_that_is_a_notification_is_not_answered(header: str) -> None:
    sent, _ = event_grid_validation("code")
    parsed = Azure().parse(sent, {"aeg-event-type": header}, FormatOptions())
    assert parsed.reply is None
    assert [item.reason for item in parsed.dropped] == [Reason.HANDSHAKE]


def test_a_validation_among_other_events_is_not_answered() -> None:
    (validation,) = json.loads(event_grid_validation("code")[0])
    (push,) = json.loads(event_grid(json.dumps(_body()).encode())[0])
    parsed = _parse([validation, push])
    assert parsed.reply is None
    assert len(parsed.events) == 1


@pytest.mark.parametrize("data", [None, {}, {"validationCode": 5}, {"validationCode": "x" * 256}])
def test_a_validation_without_code_is_invalid(data: Any) -> None:
    (event,) = json.loads(event_grid_validation("code")[0])
    with pytest.raises(InvalidPayload, match="data"):
        _parse([event | {"data": data}])


def test_a_type_that_does_not_print_is_shown_as_far_as_it_does() -> None:
    body = event_grid_validation("c0de")[0].replace(b"Subscription", b"Subscripti\x7fn", 1)
    (dropped,) = _parse(body).dropped
    assert dropped.subject.startswith("Microsoft.EventGrid.Subscripti?n")


def test_the_end_of_a_subscription_is_a_handshake() -> None:
    event = {"eventType": "Microsoft.EventGrid.SubscriptionDeletedEvent", "data": {}}
    assert [item.reason for item in _parse([event]).dropped] == [Reason.HANDSHAKE]


@pytest.mark.parametrize("events", [[], [{}] * 2001])
def test_an_array_without_or_with_too_many_events_is_invalid(events: list[Any]) -> None:
    with pytest.raises(InvalidPayload, match="1 to 2000"):
        _parse(events)


def test_the_host_is_not_taken_from_a_url() -> None:
    with pytest.raises(InvalidPayload, match="host"):
        _parse(_body({"url": "https://acme.azurecr.io/v2/shop/manifests/v1"}, request={}))


def test_a_relay_may_put_its_own_name_into_the_call() -> None:
    assert Azure().claims(_body(), {"user-agent": "smee-client"})
    envelope = json.loads(distribution_push("registry.example", "acme/shop", "1.2.3"))
    others = [envelope, {**_body(), "target": None}, {**_body(), "request": None}, {"action": "x"}]
    assert [Azure().claims(each, {}) for each in others] == [False] * 4
