"""The live feed: what a page hears, also after its connection broke, and of other hosts."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest

from tests.console.site import PATIENCE, PROJECT, ConsoleSite, console_site
from tests.servers.postgres import Postgres
from tests.support import wait_for
from webhook_service.console.feeds import FEEDS_OF_ACTOR, Feeds, _Channel
from webhook_service.console.pages import live
from webhook_service.model.people.tokens import Role

Lines = Iterator[str]


@contextmanager
def feed(client: httpx.Client, headers: Mapping[str, str] | None = None) -> Iterator[Lines]:
    with client.stream("GET", "/feed", headers=headers or {}, timeout=PATIENCE) as answer:
        assert answer.status_code == 200, answer.read()
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        yield lines


def heard(lines: Lines, wanted: str, said: str = "") -> str:
    """Read until a row of this delivery says so; the id of that event."""
    id_, row = "", ""
    for line in lines:
        if line.startswith("id: "):
            id_, row = line.removeprefix("id: "), ""
        if line.startswith("data: "):
            row += line
        if not line and id_ and f'id="{wanted}"' in row and said in row:
            return id_
    raise AssertionError("the feed ended")


def push(site: ConsoleSite, tag: str) -> str:
    """Push a tag; the id of the delivery."""
    return site.push(tag).delivery


def test_a_page_hears_each_push_to_its_end(site: ConsoleSite, owner: httpx.Client) -> None:
    with feed(owner) as lines:
        assert heard(lines, push(site, "1.50.0"), "succeeded")


def test_what_came_while_the_connection_was_broken_is_told_after_it(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    with feed(owner) as lines:
        last = heard(lines, push(site, "1.51.0"), "succeeded")
    missed = push(site, "1.52.0")
    with feed(owner, {"last-event-id": last}) as lines:
        assert heard(lines, missed, "succeeded") != last


def test_a_rollout_that_ended_while_the_connection_was_broken_is_told(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    with site.hanging() as execution:
        with feed(owner) as lines:
            taken = site.service.interventions.push(PROJECT, site.receiver, "acme/shop:nightly")
            last = heard(lines, taken.id, "ignored")
        site.service.interventions.abort(PROJECT, execution.id)
        site.wait(execution.id)
        with feed(owner, {"last-event-id": last}) as lines:
            assert heard(lines, execution.delivery, "cancelled") != last


def test_without_an_id_nothing_old_is_told(site: ConsoleSite, owner: httpx.Client) -> None:
    with feed(owner) as lines:
        heard(lines, old := push(site, "1.53.0"), "succeeded")
    with feed(owner) as lines:
        new = push(site, "1.54.0")
        told = []
        for line in lines:
            told.append(line)
            if f'id="{new}"' in line:
                break
    assert not any(old in line for line in told)


@pytest.mark.parametrize("last", ["nonsense", "~", "dlv_x~zz", "~" + "f" * 400, "'; --~1"])
def test_an_id_that_no_feed_gave_begins_anew(
    site: ConsoleSite, owner: httpx.Client, last: str
) -> None:
    with feed(owner, {"last-event-id": last}) as lines:
        assert heard(lines, push(site, "1.55.0")) != last


def test_of_one_person_ten_pages_are_live_and_a_closed_one_makes_room(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        first.enter_context(feed(owner))
        for _ in range(FEEDS_OF_ACTOR - 1):
            stack.enter_context(feed(owner))
        refused = owner.get("/feed")
        assert refused.status_code == 429 and refused.headers["retry-after"]
        with site.client() as another, feed(another):
            pass
        first.close()
        wait_for(lambda: has_room(owner), PATIENCE)


def has_room(client: httpx.Client) -> bool:
    with client.stream("GET", "/feed") as answer:
        return answer.status_code == 200


def test_another_project_hears_nothing(site: ConsoleSite) -> None:
    with site.client(project="other") as stranger:
        assert stranger.get("/feed", params={"projectId": PROJECT}).status_code == 404


def test_a_feed_ends_with_its_session(site: ConsoleSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SESSION_SECONDS", 0.0)
    token, secret = site.service.create_token(PROJECT, Role.READONLY)
    with site.client(None) as client:
        client.post("/login", data={"token": secret})
        with feed(client) as lines:
            heard(lines, push(site, "1.56.0"))
            site.service.revoke_token(token.id)
            push(site, "1.57.0")
            assert not any("1.57.0" in line for line in lines)


def test_the_feed_of_one_host_tells_of_pushes_to_another(
    tmp_path: Path, postgres: Postgres
) -> None:
    url = postgres.new_migrated_database()
    with (
        console_site(tmp_path, database_url=url) as here,
        here.another_host() as there,
        there.client() as client,
    ):
        with feed(client) as lines:
            last = heard(lines, push(here, "1.2.0"), "succeeded")
        missed = push(here, "1.3.0")
        with feed(client, {"last-event-id": last}) as lines:
            assert heard(lines, missed, "succeeded") != last


def test_what_ends_between_two_reads_of_one_look_is_told() -> None:
    def entry(finished: datetime | None) -> Mock:
        return Mock(delivery=Mock(id="dlv_1"), executions=[Mock(id="exe_1", finished=finished)])

    ran, ended = entry(None), entry(datetime.now(UTC))
    overview = Mock()
    overview.newer.return_value, overview.under_way.return_value = [ran], {}
    overview.entries.return_value = [ended]
    found = asyncio.run(Feeds(Mock(overview=overview))._look(PROJECT, _Channel(None, {})))
    assert found == [ran, ended]
