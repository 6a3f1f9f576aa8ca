"""The page of a link to vote, in a browser: it needs no login, no script and no console."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.host.served import Served, serving
from tests.servers.browser import Watched
from tests.support import PROJECT, add_receiver, make_service, sqlite_url, stub_of
from webhook_service.model.people.ballot import VoteLink
from webhook_service.notifications.links import vote_url


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("vote")
    settings = {"base_url": "https://hooks.example.com"}
    with serving(make_service(sqlite_url(folder), settings=settings)) as running:
        yield running


def asked(host: Served, count: int = 1) -> tuple[str, str]:
    """A push that waits, and the address where to vote on it."""
    service, number = host.service, len(host.service.list_receivers(PROJECT).items)
    body = {"name": f"n{number}", "kind": "slack", "on": ["held"], "votes": True}
    body |= {"slackConfig": {"url": "https://hooks.slack.com/services/T0KEN"}}
    made = service.notifications.create(PROJECT, body)
    receiver, _ = add_receiver(
        service, name=f"shop-{number}", approval={"count": count}, verify={"scheme": "none"}
    )
    image = f"acme/shop:1.2.3@sha256:{'d' * 64}"
    (execution,) = service.interventions.push(PROJECT, receiver, image).executions
    expires = service.store.now().replace(microsecond=0) + timedelta(hours=1)
    link = VoteLink(made.id, execution, expires)
    text = service.store.vote_links.make(link, made.spec.voter, made.spec.full_config)
    return execution, vote_url(host.base, text)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_of_the_page_is_quiet_readable_and_fits(
    host: Served, browser: Any, scheme: str, width: int
) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, java_script_enabled=True
    )
    watched, axe = Watched(host.base), Axe()
    page = watched.watch(context.new_page())
    _, url = asked(host, count=2)
    found = []

    def look() -> None:
        found.extend(item["id"] for item in axe.run(page).response["violations"])
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.goto(url)
    assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"
    look()
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("1 of 2 have approved").wait_for()
    look()
    page.goto(f"{url}x")
    page.get_by_text("copy the whole link").wait_for()
    look()
    context.close()
    missing = [text for text in watched.complaints if "404" not in text]
    assert (found, missing, watched.foreign) == ([], [], [])


def test_who_has_no_javascript_refuses_with_the_keyboard(host: Served, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    execution, url = asked(host)
    page.goto(url)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("has refused this").wait_for()
    context.close()
    found = host.service.get_execution(PROJECT, execution)
    assert (found.state, stub_of(host.service).calls) == ("cancelled", [])
