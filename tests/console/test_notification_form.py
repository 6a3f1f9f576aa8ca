"""The form of a notification: made, changed, tried and ended without a terminal."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.console.site import PROJECT, ConsoleSite
from tests.support import wait_for
from webhook_service.console.fields import config_in, fields_of
from webhook_service.model.notification import Notification
from webhook_service.model.people.tokens import Role
from webhook_service.plugins.instances import new_notification_kinds

HOOK = {"url": "https://127.0.0.1:1/T0KEN"}


@pytest.fixture
def stored(site: ConsoleSite) -> Iterator[Notification]:
    body = {"name": "stored", "kind": "webhook", "on": ["failed"], "webhookConfig": HOOK}
    made = site.service.notifications.create(PROJECT, body)
    yield made
    site.service.notifications.delete(PROJECT, made.id)


def found(site: ConsoleSite, name: str) -> Notification | None:
    all_ = site.service.notifications.list(PROJECT).items
    return next((each for each in all_ if each.name == name), None)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_notification_is_made_tried_changed_and_ended(
    site: ConsoleSite, browser: Any, javascript: bool
) -> None:
    context = browser.new_context(java_script_enabled=javascript)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("dialog", lambda dialog: dialog.accept())
    site.log_in(page)
    page.goto(f"{site.base}/notifications")
    page.get_by_role("link", name="New notification").click()
    page.get_by_label("How people are told").select_option("webhook")
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name", exact=True).fill("by hand")
    page.get_by_label("Url").fill(HOOK["url"])
    page.get_by_label("held", exact=True).check()
    page.get_by_role("button", name="Save and send a test").click()
    page.get_by_text("A test is on its way").wait_for()
    made = found(site, "by hand")
    assert made is not None and made.spec.full_config["url"] == HOOK["url"]
    assert made.spec.on == ("failed", "rolledBack", "held")
    notices = site.service.notifications.notices
    assert wait_for(lambda: notices(PROJECT, made.id).items[0].execution.state == "failed")
    page.get_by_role("link", name="Change").click()
    page.get_by_label("failed", exact=True).uncheck()
    page.get_by_label("Only if").fill("notice.receiver == 'shop'")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("The notification is stored").wait_for()
    changed = found(site, "by hand")
    assert changed is not None and changed.spec.on == ("rolledBack", "held")
    assert changed.spec.when == "notice.receiver == 'shop'"
    assert changed.spec.full_config["url"] == HOOK["url"]
    page.get_by_role("button", name="End it").click()
    page.get_by_text("The notification was ended").wait_for()
    context.close()
    assert found(site, "by hand") is None


def test_secrets_go_in_and_never_come_out(
    site: ConsoleSite, owner: httpx.Client, stored: Notification
) -> None:
    page = owner.get(f"/notifications/{stored.id}/edit").text
    assert "T0KEN" not in page and "leave this empty to keep it" in page
    form = {"name": "stored", "kind": "webhook", "on_failed": "on"}
    bad = owner.post(
        f"/notifications/{stored.id}/edit",
        data={**form, "config_url": "https://x/N3W", "when": "("},
    )
    assert bad.status_code == 422 and 'role="alert"' in bad.text and "N3W" not in bad.text
    assert owner.post(f"/notifications/{stored.id}/edit", data=form).status_code == 303
    kept = site.service.notifications.get(PROJECT, stored.id)
    assert kept.spec.full_config["url"] == HOOK["url"]


def test_what_cannot_be_is_said_and_what_was_written_stays(owner: httpx.Client) -> None:
    form = {"name": "mine", "kind": "mail", "on_held": "on", "config_to": "a@x.example nobody"}
    answer = owner.post("/notifications/new", data=form)
    assert answer.status_code == 422
    assert "mailConfig" in answer.text and "a@x.example nobody" in answer.text
    assert 'value="mine"' in answer.text
    assert owner.get("/notifications/new?kind=none").status_code == 422


def test_a_change_of_an_older_version_is_refused(
    site: ConsoleSite, owner: httpx.Client, stored: Notification
) -> None:
    site.service.notifications.update(PROJECT, stored.id, {"on": ["held"]})
    form = {"name": "late", "kind": "webhook", "on_failed": "on", "version": str(stored.version)}
    assert owner.post(f"/notifications/{stored.id}/edit", data=form).status_code == 422
    assert site.service.notifications.get(PROJECT, stored.id).name == "stored"


def test_other_sites_and_readers_make_none(
    site: ConsoleSite, owner: httpx.Client, readonly: httpx.Client, stored: Notification
) -> None:
    form = {"name": "evil", "kind": "webhook", "on_failed": "on", "config_url": HOOK["url"]}
    elsewhere = {"origin": "https://evil.example"}
    for path in ("new", f"{stored.id}/edit", f"{stored.id}/delete"):
        assert owner.post(f"/notifications/{path}", data=form, headers=elsewhere).status_code == 403
        assert readonly.post(f"/notifications/{path}", data=form).status_code == 403
    assert readonly.get("/notifications/new").status_code == 403
    assert found(site, "evil") is None and found(site, "stored") is not None


def test_only_owners_are_offered_links_to_vote(site: ConsoleSite, owner: httpx.Client) -> None:
    assert 'name="votes"' in owner.get("/notifications/new?kind=slack").text
    assert 'name="votes"' not in owner.get("/notifications/new?kind=gitHub").text
    with site.client(Role.MEMBER) as member:
        assert 'name="votes"' not in member.get("/notifications/new?kind=slack").text
        form = {"name": "m", "kind": "slack", "on_held": "on", "votes": "on"}
        told = member.post("/notifications/new", data={**form, "config_url": HOOK["url"]})
        assert (told.status_code, "only an owner" in told.text) == (422, True)


def test_every_kind_has_a_form_that_gives_its_config_back() -> None:
    kinds = new_notification_kinds()
    shapes = {
        f"{name}.{field.name}": field.shape
        for name in kinds.names
        for field in fields_of(kinds.get(name).Config, {})
    }
    mail = kinds.get("mail").Config
    kinds.close()
    assert "json" not in shapes.values()
    assert shapes["slack.url"] == shapes["webhook.secret"] == shapes["gitHub.token"] == "secret"
    assert (shapes["mail.to"], shapes["pagerDuty.severity"]) == ("list", "choice")
    assert shapes["gitHub.repository"] == "text"
    assert config_in(mail, {"config_to": "a@x.example\nb@x.example"}) == {
        "to": ["a@x.example", "b@x.example"]
    }
