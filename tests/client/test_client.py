"""The client against a real host: every request, both ways of waiting."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.host.served import Served, serving
from tests.servers.certificates import self_signed, server_side, trusting
from tests.servers.proxy import Proxy
from tests.support import PROJECT, add_receiver, make_service, push, receiver_body, sqlite_url
from webhook_service.client import AsyncClient, Client, NotEnded, Rejected, Unreachable
from webhook_service.client.exchange import Retries
from webhook_service.errors import InvalidRequest
from webhook_service.model.execution import ExecutionState
from webhook_service.model.people.tokens import Role

ONCE = Retries(most=1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(make_service(sqlite_url(tmp_path_factory.mktemp("client")))) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    _, secret = served.service.create_token(PROJECT, Role.OWNER)
    with Client(served.base, secret, retries=ONCE) as opened:
        yield opened


def test_a_receiver_is_made_found_changed_and_deleted(client: Client) -> None:
    made = client.receivers.create(receiver_body("life", stubConfig={"target": "life"}))
    assert made.url and made.config["target"] == "life"
    assert client.receivers.find("life") == client.receivers.get(made.id)
    assert client.receivers.find("none") is None
    etag = client.receivers.etag(made.id)
    assert client.receivers.update(made.id, {"state": "suspended"}, etag=etag).state == "suspended"
    with pytest.raises(Rejected) as refused:
        client.receivers.update(made.id, {"state": "active"}, etag=etag)
    assert (refused.value.http_status, refused.value.reason) == (412, "outdated_version")
    rotated = client.receivers.rotate(made.id, overlap_seconds=0)
    assert rotated.url and rotated.url != made.url
    client.receivers.delete(made.id)
    assert made.id not in [each.id for each in client.receivers.list()]


def test_a_notification_is_made_tried_changed_and_deleted(client: Client) -> None:
    config = {"url": "https://127.0.0.1:1/T0KEN"}
    made = client.notifications.create(
        {"name": "ops", "kind": "webhook", "on": ["failed"], "webhookConfig": config}
    )
    assert made.config == {"url": "********"}
    notice = client.notifications.test(made.id)
    assert notice.happened == "test"
    assert [each.id for each in client.notifications.notices(made.id)] == [notice.id]
    assert client.notifications.notice(made.id, notice.id).id == notice.id
    found = client.notifications.find("ops")
    assert found is not None and found.last is not None and found.last.id == notice.id
    assert client.notifications.update(made.id, {"on": ["held"]}).on == ["held"]
    with pytest.raises(Rejected) as refused:
        client.notifications.update(made.id, {"name": "x"}, etag='"1"')
    assert refused.value.reason == "outdated_version"
    client.notifications.delete(made.id)
    with pytest.raises(Rejected) as missing:
        client.notifications.get(made.id)
    assert missing.value.http_status == 404


def test_a_push_is_followed_to_its_end_and_undone(client: Client, served: Served) -> None:
    receiver, key = add_receiver(served.service, name="followed")
    told = push(served.service, key)
    (execution,) = told.executions
    seen = list(client.executions.follow(execution, interval=0.05))
    assert seen[-1].ended and seen[-1].succeeded and seen[-1].attempts
    assert [each.state for each in seen] == sorted({e.state: 0 for e in seen}, key=_order)
    assert client.executions.wait(execution, seconds=5) == seen[-1]
    assert client.deliveries.get(told.id).executions == [execution]
    assert [each.id for each in client.receivers.history(receiver)] == [execution]
    again = client.executions.replay(execution)
    assert client.executions.wait(again.id, seconds=10, interval=0.05).replay_of == execution
    found = client.executions.replay_all(state=ExecutionState.SUCCEEDED, dry_run=True)
    assert found.dry_run and not found.executions


def _order(state: ExecutionState) -> int:
    return [*ExecutionState].index(state)


def test_a_wait_that_is_over_says_where_the_execution_stands(
    client: Client, served: Served
) -> None:
    rule = {"approval": {"count": 1}, "verify": {"scheme": "none"}}
    _, key = add_receiver(served.service, name="held", **rule)
    (execution,) = push(served.service, key).executions
    with pytest.raises(NotEnded, match=f"{execution} is held after 0.2 seconds"):
        client.executions.wait(execution, seconds=0.2, interval=0.05)
    threading.Timer(0.3, client.executions.refuse, [execution]).start()
    assert client.executions.wait(execution, seconds=10, interval=0.05).state == "cancelled"


def test_a_list_goes_over_all_pages(client: Client) -> None:
    made = {client.tokens.create(Role.READONLY, name=f"t{n}").id for n in range(5)}
    listed = [token.id for token in client.tokens.list(limit=2)]
    assert len(listed) == len(set(listed)) and made <= set(listed)
    assert listed == sorted(listed, reverse=True)


def test_a_token_has_its_secret_once_and_ends(client: Client, served: Served) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    made = client.tokens.create(Role.READONLY, name="ci", expires=until)
    assert made.token and made.expires == until
    assert {token.token for token in client.tokens.list()} == {None}
    with Client(served.base, made.token, retries=ONCE) as reader:
        assert reader.project().tokens > 0
        with pytest.raises(Rejected, match="Only owners"):
            reader.tokens.create(Role.OWNER)
        client.tokens.revoke(made.id)
        with pytest.raises(Rejected, match="not valid"):
            reader.project()
    actions = [(entry.action, entry.subject, entry.via) for entry in client.audit.list(limit=50)]
    assert ("token.revoked", made.id, "api") in actions


def test_what_is_installed_and_the_document_can_be_read(client: Client) -> None:
    assert [driver.name for driver in client.plugins.drivers()] == ["stub"]
    assert client.plugins.drivers()[0].config_schema
    assert [each.name for each in client.plugins.formats()] == ["dockerhub"]
    assert [each.name for each in client.plugins.schemes()] == ["none"]
    assert client.document()["openapi"] == "3.1.0"


def test_a_simulation_says_what_a_call_would_do(client: Client, served: Served) -> None:
    receiver, _ = add_receiver(served.service, name="simulated")
    body = {"push_data": {"tag": "1"}, "repository": {"repo_name": "acme/shop"}}
    assert client.receivers.simulate(receiver, body).planned


@pytest.mark.parametrize("id_", ["../tokens", "a/b", "ä?x=1#y", "..", ".", ""])
def test_an_id_stays_one_part_of_the_path(client: Client, id_: str) -> None:
    with pytest.raises((Rejected, InvalidRequest)):
        client.executions.get(id_)


def test_who_is_not_there_is_named_with_the_advice(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:9", "wht_x", retries=Retries(2, 0.01)) as client:
        with pytest.raises(Unreachable, match=r"http://127.0.0.1:9.*2 tries.*check the address"):
            client.project()


@pytest.mark.parametrize(
    ("name", "trusts", "said"),
    [
        ("127.0.0.1", False, "self-signed certificate): its certificate is not trusted"),
        ("other.example", True, "the certificate is for another name): its certificate is not"),
    ],
)
def test_a_certificate_that_is_not_trusted_is_named_at_the_first_try(
    served: Served, tmp_path: Path, name: str, trusts: bool, said: str
) -> None:
    key, certificate = self_signed(tmp_path, name)
    with Proxy(served.port, server_side(key, certificate)) as front:
        url = f"https://127.0.0.1:{front.port}"
        verify = trusting(certificate) if trusts else True
        with Client(url, "wht_x", verify=verify) as client, pytest.raises(Unreachable) as caught:
            client.project()
    assert said in caught.value.message


def test_https_at_a_plain_port_says_so(served: Served) -> None:
    url = f"https://127.0.0.1:{served.port}"
    with Client(url, "wht_x", retries=Retries(2, 0.01)) as client:
        with pytest.raises(Unreachable, match="may speak http:// and not https:// there"):
            client.project()


def test_the_asynchronous_client_does_the_same(served: Served) -> None:
    import asyncio

    _, secret = served.service.create_token(PROJECT, Role.OWNER)
    _, key = add_receiver(served.service, name="asynchronous")
    (execution,) = push(served.service, key).executions

    async def run() -> tuple[Any, ...]:
        async with AsyncClient(served.base, secret) as client:
            ended = await client.executions.wait(execution, seconds=10, interval=0.05)
            seen = [each async for each in client.executions.follow(execution)]
            names = [each.name async for each in client.receivers.list(limit=1)]
            return ended, seen, names

    started = time.monotonic()
    ended, seen, names = asyncio.run(run())
    assert seen == [ended] and "asynchronous" in names
    assert time.monotonic() - started < 60
