"""The console shows calls of inboxes, which are no receivers."""

from collections.abc import Mapping

import httpx
import pytest

from tests.console.site import PROJECT, ConsoleSite
from tests.support import add_inbox
from webhook_service.model.delivery import Call
from webhook_service.testing.samples import dockerhub_push


@pytest.fixture(scope="module")
def called(site: ConsoleSite) -> Mapping[str, str]:
    """A call on an inbox to which nobody listens."""
    inbox = site.service.inboxes.get(PROJECT, add_inbox(site.service, PROJECT))
    key = site.service.inboxes.describe([inbox])[inbox.id].key
    told = site.service.accept(PROJECT, str(key), Call(dockerhub_push("acme/shop", "9")))
    return {"inbox": inbox.id, "delivery": told.id}


def test_a_call_on_an_inbox_is_shown_as_such(
    site: ConsoleSite, owner: httpx.Client, called: Mapping[str, str]
) -> None:
    inbox = called["inbox"]
    page = owner.get(f"/deliveries/{called['delivery']}")
    assert page.status_code == 200
    link = f'inbox <a href="/console/inboxes/{inbox}"><code>{inbox}'
    assert link in page.text and "(deleted)" not in page.text
    rows = owner.get("/deliveries").text
    assert link[:-24] in rows and f"/receivers/{inbox}" not in rows


def test_an_inbox_says_its_commands(
    owner: httpx.Client, site: ConsoleSite, called: Mapping[str, str]
) -> None:
    name = site.service.inboxes.get(PROJECT, called["inbox"]).name
    page = owner.get(f"/inboxes/{called['inbox']}").text
    assert f"webhook-service inbox show {name} --project {PROJECT}" in page
    assert f"webhook-service inbox simulate {name} --file push.json --project {PROJECT}" in page
