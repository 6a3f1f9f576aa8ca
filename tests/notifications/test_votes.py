"""Votes by link: looked at by anybody's machine, cast by people, once, whatever happens."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.host.served import Served, serving
from tests.notifications.conftest import StartService, Target, add
from tests.support import PROJECT, add_receiver, push, wait_for_end
from webhook_service.errors import InvalidConfig, RoleNotAllowed, UnknownLink
from webhook_service.host.limits.rates import CallRates, Rate
from webhook_service.model.notification import Notification
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import Actor, AuditEntry
from webhook_service.model.people.ballot import VoteLink
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService

BASE = "https://hooks.example.com"
DIGEST = "sha256:" + "d" * 64
# What a vote stores is tried on both databases; the rest is the same on each.
on_sqlite = pytest.mark.parametrize("start", ["sqlite"], indirect=True)


@dataclass(frozen=True)
class Asked:
    """A push that waits for approval, and the link that the notification has sent."""

    notification: Notification
    execution: str
    link: str


Ask = Callable[..., Asked]


@pytest.fixture
def service(start: StartService) -> WebhookService:
    return start(base_url=BASE)


@pytest.fixture
def ask(service: WebhookService, target: Target) -> Ask:
    """Holds a push, and gives the link that comes for it."""

    def ask(count: int = 1, **more: Any) -> Asked:
        made = add(service, target, **{"on": ["held"], "votes": True, **more})
        approval = {"count": count, "withinSeconds": 3600}
        receiver, _ = add_receiver(service, approval=approval, verify={"scheme": "none"})
        pushed = service.interventions.push(PROJECT, receiver, f"acme/shop:1.2.3@{DIGEST}")
        (execution,) = pushed.executions
        (got,) = target.wait()
        url = urlsplit(got.json["data"]["voteLink"])
        assert (url.scheme, url.netloc, url.path) == ("https", "hooks.example.com", "/vote")
        (link,) = parse_qs(url.query)["link"]
        return Asked(made, execution, link)

    return ask


@pytest.fixture
def host(service: WebhookService) -> Iterator[Served]:
    with serving(service, manage_service=False) as running:
        yield running


@pytest.fixture
def anybody(host: Served) -> Iterator[httpx.Client]:
    """Whoever has the link: there is no login."""
    with httpx.Client(base_url=host.base, timeout=20) as client:
        yield client


def look(client: httpx.Client, link: str) -> httpx.Response:
    return client.get("/vote", params={"link": link})


def cast(client: httpx.Client, link: str, vote: str) -> httpx.Response:
    return client.post("/vote", params={"link": link}, data={"vote": vote}, follow_redirects=True)


def votes(service: WebhookService, asked: Asked) -> list[tuple[str, bool]]:
    approval = service.get_execution(PROJECT, asked.execution).approval
    return [(vote.voter, vote.approved) for vote in approval.votes] if approval else []


def audited(service: WebhookService, action: str) -> list[AuditEntry]:
    return list(service.list_audit(PROJECT, PageRequest(filters={"action": action})).items)


def link_of(service: WebhookService, asked: Asked, **changes: Any) -> str:
    """The same link with something changed, and signed as the service signs."""
    text, _, _ = asked.link.rpartition(".")
    read = VoteLink.read(text)
    assert read is not None
    spec = asked.notification.spec
    return service.store.vote_links.make(replace(read, **changes), spec.voter, spec.full_config)


@on_sqlite
def test_looking_shows_what_is_asked_and_votes_nothing(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask()
    page = look(anybody, asked.link)
    assert page.status_code == 200
    for shown in (
        "Approve docker.io/acme/shop:1.2.3?",
        DIGEST,
        "<dd>shop</dd>",
        "what the target runs",
        "notification ops",
        "0 of 1 have approved",
        "UTC",
        asked.execution,
    ):
        assert shown in page.text, shown
    # As mail scanners and chats do it.
    assert anybody.head("/vote", params={"link": asked.link}).status_code == 200
    for body in ("", "vote=", "vote=yes", "approve"):
        form = {"content-type": "application/x-www-form-urlencoded"}
        no = anybody.post("/vote", params={"link": asked.link}, content=body, headers=form)
        assert (no.status_code, "Nobody has voted" in no.text) == (400, True)
    assert votes(service, asked) == []
    assert service.get_execution(PROJECT, asked.execution).state == "held"


@on_sqlite
def test_nobody_else_gets_to_know_the_link_by_the_page(ask: Ask, anybody: httpx.Client) -> None:
    page = look(anybody, ask().link)
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert not re.findall(r"(?:src|href)=", page.text)


def test_a_vote_counts_once_and_the_audit_says_whose_it_was(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask(count=2)
    told = cast(anybody, asked.link, "approve")
    assert told.status_code == 200
    assert "notification ops has approved this" in told.text and "used up" in told.text
    assert "1 of 2 have approved" in told.text and "<button" not in told.text
    again = cast(anybody, asked.link, "refuse")
    assert (again.status_code, "used up" in again.text) == (409, True)
    assert votes(service, asked) == [("notification ops", True)]
    (entry,) = audited(service, "execution.approved")
    assert (entry.actor.name, entry.actor.via) == ("notification ops", "link")
    assert entry.actor.address == "127.0.0.1" and entry.subject == asked.execution
    changes = {change.field: change.after for change in entry.changes}
    assert changes == {"notification": asked.notification.id}
    service.interventions.approve(PROJECT, asked.execution, Actor("ada"))
    assert wait_for_end(service, asked.execution).state == "succeeded"
    assert "It waits for no vote any more: it is succeeded" in look(anybody, asked.link).text


def test_a_refusal_ends_the_push(service: WebhookService, ask: Ask, anybody: httpx.Client) -> None:
    asked = ask()
    assert "has refused this" in cast(anybody, asked.link, "refuse").text
    found = service.get_execution(PROJECT, asked.execution)
    assert (found.state, found.message) == ("cancelled", "Refused by notification ops.")
    assert len(audited(service, "execution.refused")) == 1


def test_of_votes_that_come_at_once_at_several_hosts_one_counts(
    start: StartService, service: WebhookService, ask: Ask
) -> None:
    asked, hosts = ask(count=2), [service, start(base_url=BASE)]
    together = threading.Barrier(6)

    def vote(number: int) -> None:
        together.wait()
        host = hosts[number % 2]
        host.voting.vote(asked.link, approved=number < 3, address="")

    threads = [threading.Thread(target=vote, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(votes(service, asked)) == 1
    entries = [*audited(service, "execution.approved"), *audited(service, "execution.refused")]
    assert len(entries) == 1


@on_sqlite
def test_a_link_that_was_tampered_with_says_so_and_what_to_do(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask()
    execution, notification, expires, voter, signature = asked.link.split(".")
    other = "exe_" + "0" * 32
    for parts in (
        (other, notification, expires, voter, signature),
        (execution, "ntf_" + "0" * 32, expires, voter, signature),
        (execution, notification, str(int(expires) + 1), voter, signature),
        (execution, notification, expires, "YWxpY2U", signature),
        (execution, notification, expires, voter, signature[:-2]),
        (execution, notification, expires, voter, "A" * 43),
        (execution, notification, "9" * 12, voter, signature),
        ("é", "x" * 5000),
        ("",),
    ):
        for answer in (
            look(anybody, ".".join(parts)),
            cast(anybody, ".".join(parts), "approve"),
        ):
            assert answer.status_code == 404, parts
            assert "copy the whole link" in answer.text and "execution approve" in answer.text
    assert votes(service, asked) == []


@on_sqlite
def test_a_link_that_has_ended_says_how_to_vote_all_the_same(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask()
    past = service.store.now().replace(microsecond=0) - timedelta(seconds=1)
    ended = link_of(service, asked, expires=past)
    for answer in (look(anybody, ended), cast(anybody, ended, "approve")):
        assert f"webhook-service execution approve {asked.execution}" in answer.text
        assert "<button" not in answer.text
    assert look(anybody, ended).status_code == 410
    assert votes(service, asked) == []


@on_sqlite
def test_a_link_ends_with_the_time_for_approval(service: WebhookService, ask: Ask) -> None:
    asked = ask()
    approval = service.get_execution(PROJECT, asked.execution).approval
    assert approval is not None and approval.until is not None
    assert service.voting.look(asked.link).link.expires == approval.until.replace(microsecond=0)


@on_sqlite
@pytest.mark.parametrize(
    "change",
    [
        {"name": "others"},
        {"webhookConfig": {"url": "https://elsewhere.example.com/hook"}},
        {"votes": False},
        None,
    ],
)
def test_links_end_when_an_owner_changes_who_is_told(
    service: WebhookService, ask: Ask, change: dict[str, Any] | None
) -> None:
    asked = ask()
    service.notifications.update(PROJECT, asked.notification.id, {"when": "true"})
    assert service.voting.look(asked.link).open
    if change is None:
        service.notifications.delete(PROJECT, asked.notification.id)
    else:
        service.notifications.update(PROJECT, asked.notification.id, change)
    with pytest.raises(UnknownLink, match="was changed or deleted"):
        service.voting.vote(asked.link, approved=True, address="")
    assert votes(service, asked) == []


@on_sqlite
def test_somebody_who_has_voted_in_another_way_has_no_second_vote(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask(count=2)
    mailed = link_of(service, asked, voter="alice@example.com")
    service.interventions.approve(PROJECT, asked.execution, Actor("alice@example.com", "api"))
    assert "alice@example.com has approved this" in look(anybody, mailed).text
    cast(anybody, mailed, "approve")
    assert votes(service, asked) == [("alice@example.com", True)]
    assert service.get_execution(PROJECT, asked.execution).state == "held"


@on_sqlite
def test_whom_a_proxy_names_by_a_mail_address_has_one_vote_with_the_links_to_it(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask(count=2)
    by_proxy, by_login = (
        Actor("user:alice@example.com", "api"),
        Actor("alice@example.com", "console"),
    )
    mailed = link_of(service, asked, voter="alice@example.com")
    service.interventions.approve(PROJECT, asked.execution, by_proxy)
    assert "alice@example.com has approved this" in look(anybody, mailed).text
    cast(anybody, mailed, "approve")
    service.interventions.approve(PROJECT, asked.execution, by_login)
    assert votes(service, asked) == [("alice@example.com", True)]
    service.interventions.approve(PROJECT, asked.execution, Actor("user:bo", "api"))
    assert votes(service, asked) == [("alice@example.com", True), ("user:bo", True)]


@on_sqlite
def test_a_used_link_stays_used_in_a_new_process(
    start: StartService, service: WebhookService, ask: Ask
) -> None:
    asked = ask(count=2)
    service.voting.vote(asked.link, approved=True, address="")
    later = start(base_url=BASE)
    ballot = later.voting.vote(asked.link, approved=False, address="")
    assert ballot.cast is not None and ballot.cast.approved and not ballot.open


@on_sqlite
def test_a_push_that_has_ended_meanwhile_says_so(
    service: WebhookService, ask: Ask, anybody: httpx.Client
) -> None:
    asked = ask()
    service.interventions.cancel(PROJECT, asked.execution, by=Actor("ada"))
    answer = cast(anybody, asked.link, "approve")
    assert (answer.status_code, "it is cancelled" in unescape(answer.text)) == (409, True)


@on_sqlite
def test_who_guesses_links_is_slowed_down_and_a_real_link_passes(
    service: WebhookService, ask: Ask
) -> None:
    asked = ask()
    rates = CallRates(Rate(1, 40), Rate(100, 100))
    with (
        serving(service, manage_service=False, rates=rates) as host,
        httpx.Client(base_url=host.base, timeout=20) as client,
    ):
        assert look(client, asked.link).status_code == 200
        answers = [look(client, f"{asked.link}{number}").status_code for number in range(5)]
        assert answers[0] == 404 and answers[-1] == 429
        assert look(client, asked.link).status_code == 200


@on_sqlite
def test_only_owners_say_who_votes(service: WebhookService, target: Target) -> None:
    asks = {"name": "asks", "kind": "webhook", "on": ["held"], "votes": True}
    config = {"webhookConfig": {"url": f"{target.url}/hook"}}
    with pytest.raises(RoleNotAllowed, match="only an owner"):
        service.notifications.create(PROJECT, {**asks, **config}, role=Role.MEMBER)
    made = service.notifications.create(PROJECT, {**asks, **config})
    for change in ({"webhookConfig": {"url": "https://mine.example.com"}}, {"votes": False}):
        with pytest.raises(RoleNotAllowed, match="only an owner"):
            service.notifications.update(PROJECT, made.id, change, role=Role.MEMBER)
    plain = add(service, target)
    with pytest.raises(RoleNotAllowed, match="only an owner"):
        change = {"votes": True, "on": ["held"]}
        service.notifications.update(PROJECT, plain.id, change, role=Role.MEMBER)


@on_sqlite
def test_the_api_hands_the_role_of_the_caller_on(host: Served, target: Target) -> None:
    body = {"name": "asks", "kind": "webhook", "on": ["held"], "votes": True}
    body |= {"webhookConfig": {"url": f"{target.url}/hook"}}
    with host.client(Role.MEMBER) as member, host.client() as owner:
        path = "/v1-webhooks/notifications"
        assert member.post(path, json=body).status_code == 405
        made = owner.post(path, json=body)
        assert (made.status_code, made.json()["votes"]) == (200, True)
        assert member.put(f"{path}/{made.json()['id']}", json={"name": "x"}).status_code == 405
        assert (
            owner.put(f"{path}/{made.json()['id']}", json={"votes": False}).json()["votes"] is False
        )


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"on": ["failed"]}, "add 'held' to on"),
        ({"kind": "cloudEvents", "cloudEventsConfig": {"url": "https://x.example"}}, "no link"),
        ({"votes": "yes"}, "votes"),
    ],
)
def test_votes_that_could_not_work_are_refused(
    service: WebhookService, fields: dict[str, Any], said: str
) -> None:
    body = {"name": "asks", "kind": "webhook", "on": ["held"], "votes": True, **fields}
    if body["kind"] == "webhook":
        body["webhookConfig"] = {"url": "https://x.example"}
    with pytest.raises(InvalidConfig, match=said):
        service.notifications.create(PROJECT, body)


@on_sqlite
def test_without_the_address_of_the_service_there_are_no_links(
    start: StartService, target: Target
) -> None:
    with pytest.raises(InvalidConfig, match="WEBHOOK_SERVICE_BASE_URL"):
        add(start(), target, on=["held"], votes=True)


@on_sqlite
def test_a_notification_that_does_not_ask_for_votes_brings_no_link(
    service: WebhookService, target: Target
) -> None:
    add(service, target, on=["held"])
    _, key = add_receiver(service, approval={"count": 1}, verify={"scheme": "none"})
    push(service, key)
    (got,) = target.wait()
    assert "voteLink" not in got.json["data"]
