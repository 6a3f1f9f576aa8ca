"""What each kind sends, held against the limits and schemas that its target documents."""

import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import jsonschema_rs
import pytest

from tests.notifications.conftest import Answer, Target
from webhook_service.driver import Context, Request
from webhook_service.engine.notify import Notify, NotifyConfig
from webhook_service.errors import DriverError, InvalidConfig, Retry
from webhook_service.model.notice import Happened, Notice
from webhook_service.net.outbound import Outbound
from webhook_service.notifications.kind import Sending
from webhook_service.plugins.instances import NotificationKinds, new_notification_kinds
from webhook_service.receiving.bodies.notification import read_notification
from webhook_service.settings import Settings

SHA = "4f2a9c0d5e" * 4
TOKEN = "s3cret-token"
NOTICE = Notice(
    happened=Happened.FAILED,
    project="1a5",
    at="2026-11-26T10:00:00Z",
    receiver="shop",
    receiver_id="rcv_1",
    execution="exe_1",
    delivery="dlv_1",
    driver="deploymentUpdate",
    image="docker.io/acme/shop:1.2.3",
    state="failed",
    reason="no_pods",
    message="No <pod> starts & @channel waits.",
    event={
        "image": "docker.io/acme/shop:1.2.3",
        "registry": "docker.io",
        "repository": "acme/shop",
        "tag": "1.2.3",
        "digest": "sha256:" + "a" * 64,
        "facts": {"revision": SHA, "source": "https://git.example.com/acme/shop", "version": "1"},
    },
    changes=(
        {
            "target": "cluster/shop/Deployment/shop",
            "field": "spec.template.spec.containers[0].image",
            "before": "docker.io/acme/shop:1.2.2",
            "after": "docker.io/acme/shop:1.2.3",
        },
    ),
)
# As much as the service ever tells: long texts of strangers, and many changes.
LONG = replace(
    NOTICE,
    receiver="r" * 255,
    image="docker.io/" + "a" * 500,
    message="m" * 5000,
    changes=tuple({**NOTICE.changes[0], "target": f"{n}/" + "t" * 3000} for n in range(200)),
    by="b" * 255,
    approvals=3,
    approve_by="2026-11-27T10:00:00Z",
)
EMPTY = Notice(happened=Happened.TEST, project="1a5", at=NOTICE.at, receiver="", receiver_id="x")
VOTE = "https://hooks.example.com/vote?link=" + "v" * 150
LINK = "https://hooks.example.com/console/deliveries/dlv_1?projectId=1a5#exe_1"
ANY = [NOTICE, LONG, EMPTY, *(replace(NOTICE, happened=happened) for happened in Happened)]


@pytest.fixture(scope="module")
def kinds() -> Iterator[NotificationKinds]:
    found = new_notification_kinds()
    yield found
    found.close()


class Sender:
    """Sends notices by one kind, to the target of the test."""

    def __init__(self, kinds: NotificationKinds, outbound: Outbound) -> None:
        self._kinds = kinds
        self.outbound = outbound

    def __call__(self, kind: str, config: dict[str, Any], notice: Notice, **more: Any) -> str:
        found = self._kinds.get(kind)
        sending = Sending(id="exe_9", at=datetime.now(UTC), outbound=self.outbound, **more)
        assert found.wants(notice) == ""
        return found.send(found.Config.model_validate(config), notice, sending)

    def wants(self, kind: str, notice: Notice) -> str:
        return self._kinds.get(kind).wants(notice)


@pytest.fixture
def send(kinds: NotificationKinds) -> Iterator[Sender]:
    outbound = Outbound(allow_private=[ip_network("127.0.0.0/8")])
    yield Sender(kinds, outbound)
    outbound.close()


def check(schema: dict[str, Any], body: Any) -> None:
    jsonschema_rs.validator_for(schema).validate(body)


def text(limit: int, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": limit}


def only(properties: dict[str, Any], *needed: str) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(needed or properties),
        "additionalProperties": False,
    }


# https://api.slack.com/reference/block-kit/blocks
_MRKDWN = only({"type": {"const": "mrkdwn"}, "text": text(3000)})


def plain(limit: int) -> Any:
    return only(
        {"type": {"const": "plain_text"}, "text": text(limit), "emoji": {"type": "boolean"}}
    )


SLACK = only(
    {
        "text": text(40_000),
        "mrkdwn": {"const": False},
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": {
                "oneOf": [
                    only(
                        {
                            "type": {"const": "header"},
                            "text": plain(150),
                        }
                    ),
                    only(
                        {
                            "type": {"const": "section"},
                            "text": {"oneOf": [_MRKDWN, plain(3000)]},
                        }
                    ),
                    only(
                        {
                            "type": {"const": "section"},
                            "fields": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 10,
                                "items": plain(2000),
                            },
                        }
                    ),
                ]
            },
        },
    }
)
# https://learn.microsoft.com/connectors/teams/, adaptive cards 1.4
_RUN = only(
    {
        "type": {"const": "TextRun"},
        "text": text(28_000),
        "weight": {"enum": ["Lighter", "Default", "Bolder"]},
        "size": {"enum": ["Small", "Default", "Medium", "Large", "ExtraLarge"]},
        "color": {"enum": ["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"]},
    },
    "type",
    "text",
)
_PARAGRAPH = only(
    {
        "type": {"const": "RichTextBlock"},
        "inlines": {"type": "array", "minItems": 1, "items": _RUN},
    }
)
_CARD = only(
    {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "type": {"const": "AdaptiveCard"},
        "version": {"enum": ["1.0", "1.1", "1.2", "1.3", "1.4"]},
        "body": {"type": "array", "items": _PARAGRAPH},
        "actions": {
            "type": "array",
            "items": only(
                {
                    "type": {"const": "Action.OpenUrl"},
                    "title": text(100),
                    "url": {"type": "string", "format": "uri"},
                }
            ),
        },
    },
    "type",
    "version",
    "body",
)
TEAMS = only(
    {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": only(
                {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": _CARD,
                }
            ),
        },
    }
)
# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
DISCORD = only(
    {
        "embeds": {
            "type": "array",
            "minItems": 1,
            "maxItems": 10,
            "items": only(
                {
                    "title": text(256),
                    "description": text(4096, 0),
                    "color": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFF},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "url": {"type": "string", "format": "uri"},
                    "fields": {
                        "type": "array",
                        "maxItems": 25,
                        "items": only(
                            {"name": text(256), "value": text(1024), "inline": {"type": "boolean"}}
                        ),
                    },
                },
                "title",
            ),
        },
        "allowed_mentions": {"const": {"parse": []}},
    }
)
# https://developer.pagerduty.com/docs/send-alert-event
PAGERDUTY = only(
    {
        "routing_key": text(64),
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": text(255),
        "client": text(255),
        "payload": only(
            {
                "summary": text(1024),
                "source": text(1024),
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {"type": "string", "format": "date-time"},
                "component": {"type": "string"},
                "custom_details": {"type": "object"},
            },
            "summary",
            "source",
            "severity",
        ),
        "links": {
            "type": "array",
            "items": only({"href": {"type": "string", "format": "uri"}, "text": text(200)}),
        },
    },
    "routing_key",
    "event_action",
    "payload",
)
# https://developers.mattermost.com/integrate/webhooks/incoming/
MATTERMOST = only({"text": text(16_383)})


@pytest.mark.parametrize(
    ("kind", "schema", "config"),
    [
        ("slack", SLACK, {}),
        ("teams", TEAMS, {}),
        ("discord", DISCORD, {}),
        ("mattermost", MATTERMOST, {}),
        ("pagerDuty", PAGERDUTY, {"routingKey": TOKEN}),
    ],
)
@pytest.mark.parametrize("link", ["", LINK])
@pytest.mark.parametrize("vote", ["", VOTE])
def test_every_notice_fits_what_the_target_documents(
    send: Sender,
    target: Target,
    kind: str,
    schema: dict[str, Any],
    config: Any,
    link: str,
    vote: str,
) -> None:
    for notice in ANY:
        whole = {"url": f"{target.url}/{TOKEN}", **config}
        send(kind, whole, notice, link=link, vote_link=lambda voter: vote)
        got = target.got.pop()
        check(schema, got.json)
        assert got.headers["content-type"] == "application/json"
        assert len(got.body) < 28 * 1024  # the least of them, Teams
        assert link in got.body.decode() and vote in got.body.decode()


@pytest.mark.parametrize("kind", new_notification_kinds().names)
def test_only_kinds_that_say_so_show_a_link_to_vote(
    send: Sender, target: Target, kind: str, kinds: NotificationKinds
) -> None:
    """What is read by many, such as the status of a commit, brings none."""
    needed = {"pagerDuty": {"routingKey": TOKEN}, "webhook": {}, "cloudEvents": {}}
    if kind in ("gitHub", "gitLab", "gitea", "mail"):
        assert kinds.get(kind).shows_vote_link == (kind == "mail")
        return
    send(kind, {"url": target.url, **needed.get(kind, {})}, NOTICE, vote_link=lambda voter: VOTE)
    shown = any(VOTE in got.body.decode() for got in target.got)
    assert shown == kinds.get(kind).shows_vote_link


@pytest.mark.parametrize(
    ("kind", "same"),
    [
        ("slack", "No <pod> starts & @channel waits."),
        ("mattermost", r"No \<pod\> starts & \@channel waits."),
        ("discord", r"No \<pod\> starts & \@channel waits."),
        ("teams", "No <pod> starts & @channel waits."),
    ],
)
def test_texts_of_strangers_mean_nothing_to_chats(
    send: Sender, target: Target, kind: str, same: str
) -> None:
    send(kind, {"url": target.url}, NOTICE)
    assert same in _texts(target.got[0].json)


STRANGE = "[Log in](https://evil.example) *9* _8_ ~7~ `6` <!channel> {{DATE(2026-01-01)}}"


@pytest.mark.parametrize(("kind", "plain"), [("slack", "plain_text"), ("teams", "TextRun")])
def test_no_text_of_a_sender_stands_where_markup_is_read(
    send: Sender, target: Target, kind: str, plain: str
) -> None:
    notice = replace(NOTICE, message=STRANGE, by=STRANGE, by_name="")
    send(kind, {"url": target.url}, notice)
    found = [each for each in _objects(target.got[0].json) if "evil" in str(each.get("text"))]
    assert [each["type"] for each in found] == [plain] * 2
    assert kind != "teams" or not any("{{" in each["text"] for each in found)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in JSON that holds a text of its own."""
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        yield from _objects(each)


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(map(_texts, value.values()))
    return "\n".join(map(_texts, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    "kind", ["slack", "teams", "discord", "mattermost", "webhook", "cloudEvents"]
)
def test_address_is_a_secret_and_faults_do_not_tell_it(
    send: Sender, target: Target, kind: str
) -> None:
    config = {"url": f"{target.url}/{TOKEN}"}
    target.answers = [Answer(404, TOKEN.encode()), Answer(500, TOKEN.encode())]
    with pytest.raises(DriverError) as final:
        send(kind, config, NOTICE)
    with pytest.raises(Retry) as passing:
        send(kind, config, NOTICE)
    assert TOKEN not in f"{final.value.message}{passing.value.message}"


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *[(kind, "url") for kind in ("slack", "teams", "discord", "mattermost", "webhook")],
        *[(kind, "url") for kind in ("cloudEvents", "pagerDuty", "gitLab", "gitea")],
        ("gitHub", "api"),
    ],
)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("hooks.example.com/canary", "must be a URL such as"),
        ("ftp://hooks.example.com/canary", "must be a URL such as"),
        ("https://hooks.example.com:99999/canary", "must be a URL such as"),
        ("https://[::1/canary", "must be a URL such as"),
        ("https://hooks.example.com/canary\n", "must be a URL such as"),
        ("https://ci:canary@hooks.example.com/", "without a user and a password"),
        ("https://:canary@hooks.example.com/", "without a user and a password"),
    ],
)
def test_what_cannot_be_called_is_refused_when_it_is_saved(
    kinds: NotificationKinds, kind: str, field: str, url: str, said: str
) -> None:
    config = {"routingKey": "k"} if kind == "pagerDuty" else {}
    config |= {"token": "t"} if kind.startswith("git") else {}
    body = {"name": "ops", "kind": kind, "on": ["failed"], f"{kind}Config": {**config, field: url}}
    with pytest.raises(InvalidConfig, match=f"{kind}Config.{field}.*{said}") as refused:
        read_notification(body, kinds)
    assert "canary" not in refused.value.message


def test_a_stored_config_that_no_longer_fits_is_told_without_its_secrets(
    kinds: NotificationKinds,
) -> None:
    config = NotifyConfig(kind="slack", config={"url": "canary.example.com/canary"})
    told = Request(body=NOTICE.to_bytes())
    context = Context.without_execution("1a5", "ntf_1", shared=False)
    with pytest.raises(DriverError, match="slackConfig.url: .* change the notification") as failed:
        Notify(Settings(), kinds).execute(config, told, context)
    assert "canary" not in "".join(traceback.format_exception(failed.value))


def test_pagerduty_ends_the_incident_that_it_began(send: Sender, target: Target) -> None:
    config = {"url": target.url, "routingKey": TOKEN, "severity": "critical"}
    send("pagerDuty", config, NOTICE)
    send("pagerDuty", config, replace(NOTICE, execution="exe_2", happened=Happened.SUCCEEDED))
    other = {**NOTICE.event, "repository": "acme/other"}
    send("pagerDuty", config, replace(NOTICE, event=other))
    first, second, third = (got.json for got in target.got)
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["payload"]["severity"] == "critical"
    assert first["dedup_key"] == second["dedup_key"] != third["dedup_key"]


def test_pagerduty_is_where_it_says(kinds: NotificationKinds) -> None:
    config: Any = kinds.get("pagerDuty").Config.model_validate({"routingKey": "k"})
    assert config.url == "https://events.pagerduty.com/v2/enqueue"


# CloudEvents 1.0.2, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/cloudevents.json
CLOUD_EVENT = only(
    {
        "id": text(1000),
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "specversion": {"const": "1.0"},
        "type": text(1000),
        "datacontenttype": text(1000),
        "subject": text(1000),
        "time": {"type": "string", "format": "date-time", "minLength": 1},
        "data": {"type": "object"},
    }
)
# https://github.com/cdevents/spec/tree/v0.4.1/schemas, serviceupgraded and servicerolledback
CDEVENT = only(
    {
        "context": only(
            {
                "version": {"type": "string", "pattern": r"^0\.4\.[0-9]+$"},
                "id": text(1000),
                "source": {"type": "string", "format": "uri-reference", "minLength": 1},
                "type": {
                    "enum": [
                        "dev.cdevents.service.upgraded.0.2.0",
                        "dev.cdevents.service.rolledback.0.2.0",
                    ]
                },
                "timestamp": {"type": "string", "format": "date-time"},
            }
        ),
        "subject": only(
            {
                "id": text(10_000),
                "source": {"type": "string", "format": "uri-reference"},
                "type": {"const": "service"},
                "content": only(
                    {
                        "environment": only({"id": text(1000), "source": {"type": "string"}}, "id"),
                        "artifactId": {"type": "string", "pattern": "^pkg:oci/"},
                    }
                ),
            }
        ),
        "customData": {"type": "object"},
        "customDataContentType": {"const": "application/json"},
    }
)


def test_cloud_events_are_events(send: Sender, target: Target) -> None:
    for notice in ANY:
        send("cloudEvents", {"url": target.url}, notice, service="https://hooks.example.com")
        got = target.got.pop()
        assert got.headers["content-type"] == "application/cloudevents+json; charset=UTF-8"
        check(CLOUD_EVENT, got.json)
        assert got.json["type"] == f"webhook-service.{notice.happened}.v1"


@pytest.mark.parametrize(
    ("happened", "type_"),
    [
        (Happened.SUCCEEDED, "dev.cdevents.service.upgraded.0.2.0"),
        (Happened.ROLLED_BACK, "dev.cdevents.service.rolledback.0.2.0"),
        (Happened.FAILED, None),
    ],
)
def test_deployments_are_cd_events(
    send: Sender, target: Target, happened: Happened, type_: str | None
) -> None:
    config = {"url": target.url, "vocabulary": "cdevents"}
    notice = replace(NOTICE, happened=happened)
    if type_ is None:
        assert send("cloudEvents", config, notice).startswith("Left out")
        assert not target.got
        return
    send("cloudEvents", config, notice)
    event = target.got[0].json
    check(CLOUD_EVENT, event)
    check(CDEVENT, event["data"])
    assert event["type"] == event["data"]["context"]["type"] == type_
    purl = event["data"]["subject"]["content"]["artifactId"]
    assert purl == (
        f"pkg:oci/shop@sha256%3A{'a' * 64}?repository_url=docker.io%2Facme%2Fshop&tag=1.2.3"
    )


# https://docs.github.com/rest/commits/statuses#create-a-commit-status
GITHUB_STATUS = only(
    {
        "state": {"enum": ["error", "failure", "pending", "success"]},
        "target_url": {"type": "string"},
        "description": text(140, 0),
        "context": text(255),
    },
    "state",
)
# https://docs.github.com/rest/deployments/deployments#create-a-deployment
GITHUB_DEPLOYMENT = only(
    {
        "ref": {"const": SHA},
        "environment": text(255),
        "auto_merge": {"const": False},
        "required_contexts": {"const": []},
        "description": text(140, 0),
    },
    "ref",
)
# https://docs.github.com/rest/deployments/statuses#create-a-deployment-status
GITHUB_DEPLOYMENT_STATUS = only(
    {
        "state": {
            "enum": [
                *("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
            ]
        },
        "log_url": {"type": "string"},
        "description": text(140, 0),
        "environment": text(255),
    },
    "state",
)
# https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
GITLAB_STATUS = only(
    {
        "state": {"enum": ["pending", "running", "success", "failed", "canceled", "skipped"]},
        "name": text(255),
        "description": text(255, 0),
        "target_url": text(255),
    },
    "state",
)
# https://docs.gitea.com/api, CreateStatusOption
GITEA_STATUS = only(
    {
        "state": {"enum": ["pending", "success", "error", "failure", "warning"]},
        "context": text(255),
        "description": text(255, 0),
        "target_url": {"type": "string"},
    },
    "state",
)
OUTCOMES = [
    (Happened.SUCCEEDED, "success", "success"),
    (Happened.FAILED, "failure", "failed"),
    (Happened.ROLLED_BACK, "failure", "failed"),
    (Happened.HELD, "pending", "pending"),
]


def from_source(source: str, happened: Happened = Happened.FAILED, **more: Any) -> Notice:
    facts = {"revision": SHA, "source": source}
    return replace(NOTICE, happened=happened, event={**NOTICE.event, "facts": facts}, **more)


@pytest.mark.parametrize(("happened", "state", "_"), OUTCOMES)
def test_github_gets_a_status_of_the_commit(
    send: Sender, target: Target, happened: Happened, state: str, _: str
) -> None:
    config = {"api": f"{target.url}/api/v3", "token": TOKEN}
    send("gitHub", config, from_source("http://127.0.0.1/acme/shop", happened), link=LINK)
    (got,) = target.got
    assert (got.method, got.path) == ("POST", f"/api/v3/repos/acme/shop/statuses/{SHA}")
    assert got.headers["authorization"] == f"Bearer {TOKEN}"
    assert got.headers["accept"] == "application/vnd.github+json"
    check(GITHUB_STATUS, got.json)
    assert got.json["state"] == state and got.json["context"] == "webhook-service/shop"
    assert got.json["target_url"] == LINK


@pytest.mark.parametrize(("happened", "state", "_"), OUTCOMES)
def test_github_gets_a_deployment_once(
    send: Sender, target: Target, happened: Happened, state: str, _: str
) -> None:
    config = {"api": target.url, "token": TOKEN, "as": "deployment", "environment": "staging"}
    notice = from_source("http://127.0.0.1/acme/shop.git", happened)
    target.answers = [Answer(200, b"[]"), Answer(201, b'{"id": 7}'), Answer(201)]
    send("gitHub", config, notice)
    asked, made, status = target.got
    assert asked.path == (f"/repos/acme/shop/deployments?sha={SHA}&environment=staging&per_page=1")
    assert (made.method, made.path) == ("POST", "/repos/acme/shop/deployments")
    check(GITHUB_DEPLOYMENT, made.json)
    assert status.path == "/repos/acme/shop/deployments/7/statuses"
    check(GITHUB_DEPLOYMENT_STATUS, status.json)
    assert status.json["state"] == state
    # Sent again, or of another outcome: the deployment is there.
    target.got.clear()
    target.answers = [Answer(200, b'[{"id": 7}]'), Answer(201)]
    send("gitHub", config, notice)
    assert [got.path for got in target.got][1:] == ["/repos/acme/shop/deployments/7/statuses"]


@pytest.mark.parametrize(("happened", "_", "state"), OUTCOMES)
def test_gitlab_gets_a_status_of_the_commit(
    send: Sender, target: Target, happened: Happened, _: str, state: str
) -> None:
    config = {"url": target.url, "token": TOKEN, "name": "deploy"}
    source = "http://127.0.0.1/acme/team/shop.git"
    send("gitLab", config, from_source(source, happened), link=LINK)
    (got,) = target.got
    assert got.path == f"/api/v4/projects/acme%2Fteam%2Fshop/statuses/{SHA}"
    assert got.headers["private-token"] == TOKEN
    check(GITLAB_STATUS, got.json)
    assert (got.json["state"], got.json["name"]) == (state, "deploy")


def test_status_that_gitlab_has_already_is_no_fault(send: Sender, target: Target) -> None:
    said = b'{"message": "Cannot transition status via :enqueue from :pending"}'
    target.answers = [Answer(400, said), Answer(400, b"{}")]
    config, notice = {"url": target.url, "token": TOKEN}, from_source("http://127.0.0.1/a/b")
    send("gitLab", config, notice)
    with pytest.raises(DriverError):
        send("gitLab", config, notice)


@pytest.mark.parametrize(("happened", "state", "_"), OUTCOMES)
def test_gitea_gets_a_status_of_the_commit(
    send: Sender, target: Target, happened: Happened, state: str, _: str
) -> None:
    config = {"url": f"{target.url}/", "token": TOKEN}
    send("gitea", config, from_source("http://127.0.0.1/acme/shop", happened), link=LINK)
    (got,) = target.got
    assert got.path == f"/api/v1/repos/acme/shop/statuses/{SHA}"
    assert got.headers["authorization"] == f"token {TOKEN}"
    check(GITEA_STATUS, got.json)
    assert got.json["state"] == state


FORGES = [("gitHub", "api"), ("gitLab", "url"), ("gitea", "url")]


@pytest.mark.parametrize(("kind", "field"), FORGES)
@pytest.mark.parametrize(
    ("source", "repository"),
    [
        ("https://evil.example.com/acme/shop", None),
        ("http://127.0.0.1/acme/other", "acme/shop"),
    ],
)
def test_image_cannot_send_the_token_elsewhere(
    send: Sender, target: Target, kind: str, field: str, source: str, repository: str | None
) -> None:
    config = {field: target.url, "token": TOKEN, "repository": repository}
    with pytest.raises(DriverError) as caught:
        send(kind, config, from_source(source))
    assert caught.value.reason == "other_repository" and not target.got


@pytest.mark.parametrize(("kind", "_"), FORGES)
@pytest.mark.parametrize(
    ("notice", "why"),
    [
        (replace(NOTICE, event={"image": "x"}), "does not say of which commit"),
        (from_source("not a URL"), "does not say of which commit"),
        (from_source("https://example.com/../admin"), "does not say of which commit"),
        (from_source("https://example.com/a/b?c=d", Happened.DRIFTED), "Commits are told of"),
        (from_source("https://example.com/a b/c"), "does not say of which commit"),
        (
            replace(NOTICE, event={"facts": {"revision": "main", "source": "https://a.com/b/c"}}),
            "does not say of which commit",
        ),
    ],
)
def test_what_names_no_commit_is_left_out(
    send: Sender, kind: str, _: str, notice: Notice, why: str
) -> None:
    assert why in send.wants(kind, notice)


@pytest.mark.parametrize(("kind", "field"), FORGES)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_token_that_may_not_is_named_and_not_shown(
    send: Sender, target: Target, kind: str, field: str, status: int
) -> None:
    target.answers = [Answer(status, TOKEN.encode())]
    config = {field: target.url, "token": TOKEN}
    with pytest.raises(DriverError) as caught:
        send(kind, config, from_source("http://127.0.0.1/acme/shop"))
    assert "Give a token that may write statuses of acme/shop" in caught.value.message
    assert TOKEN not in caught.value.message


def test_commit_is_good_again_when_people_go_back_to_it(send: Sender, target: Target) -> None:
    notice = from_source("http://127.0.0.1/a/b", Happened.ROLLED_BACK, state="succeeded")
    send("gitea", {"url": target.url, "token": TOKEN}, notice)
    assert target.got[0].json["state"] == "success"
