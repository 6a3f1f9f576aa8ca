"""What people do at the console, in a real browser, on a service and a cluster that answer."""

import json
import re
from typing import Any

import httpx
import pytest

from tests.console.site import PROJECT, ConsoleSite, Slow, receiver_body
from tests.support import wait_for
from webhook_service.model.delivery import Call
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.audit import AuditAction
from webhook_service.testing.samples import dockerhub_push


def running(site: ConsoleSite) -> str:
    spec = site.cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"]
    image: str = spec["containers"][0]["image"]
    return image.rpartition(":")[2]


def test_push_break_and_roll_back_without_reading_a_word(site: ConsoleSite, page: Any) -> None:
    page.get_by_role("link", name="Receivers").click()
    page.get_by_role("link", name="shop", exact=True).click()
    page.get_by_label("Image", exact=True).fill("acme/shop:1.4.0")
    page.get_by_role("button", name="Push", exact=True).click()
    page.get_by_text("3 of 3 pods run").wait_for()
    assert running(site) == "1.4.0"

    page.get_by_role("button", name="Push again").click()
    page.get_by_text("It was pushed again").wait_for()
    page.get_by_text("unchanged").first.wait_for()

    page.get_by_role("link", name="shop", exact=True).click()
    page.get_by_label("Image", exact=True).fill("acme/shop:1.5.0")
    page.get_by_role("button", name="Push", exact=True).click()
    page.get_by_text("3 of 3 pods run").wait_for()
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back now").click()
    page.get_by_text("The rollback has begun").wait_for()
    page.get_by_text("3 of 3 pods run docker.io/acme/shop:1.4.0").first.wait_for()
    assert running(site) == "1.4.0"


def test_a_way_back_that_is_pressed_twice_goes_back_once(site: ConsoleSite) -> None:
    for tag in ("1.91.0", "1.92.0", "1.93.0"):
        assert site.push(tag).state == "succeeded"
    with site.client() as client:
        place = f"/receivers/{site.receiver}/rollback"
        shown = client.get(place).text
        form = dict(re.findall(r'name="(to|repository)" value="([^"]*)"', shown))
        assert '<form class="acts"' in shown
        assert client.post(place, data=form).status_code == 303
        wait_for(lambda: running(site) == "1.92.0")
        client.post(place, data=form)
        for execution in site.service.list_executions(PROJECT, PageRequest(limit=3)).items:
            site.wait(execution.id)
    assert running(site) == "1.92.0"


def test_a_bad_tag_is_seen_failing_and_the_reason_is_said(site: ConsoleSite, page: Any) -> None:
    before = running(site)
    page.goto(f"{site.base}/receivers/{site.receiver}")
    page.get_by_label("Image", exact=True).fill("acme/shop:1.6.0-bad")
    page.get_by_role("button", name="Push", exact=True).click()
    page.get_by_text("not one of those").first.wait_for()
    page.get_by_text("semver ^1").wait_for()

    page.goto(f"{site.base}/receivers/{site.receiver}")
    body = page.get_by_label("The receiver as JSON")
    changed = body.input_value().replace('"variant": null', '"variant": "bad"')
    body.fill(changed)
    page.get_by_role("button", name="Store").click()
    page.get_by_text("The change was stored").wait_for()
    page.get_by_label("Image", exact=True).fill("acme/shop:1.6.0-bad")
    page.get_by_role("button", name="Push", exact=True).click()
    page.locator("progress").first.wait_for()
    page.get_by_text("ImagePullBackOff").first.wait_for()
    page.locator("li.bad", has_text="Failed").wait_for()
    assert running(site) == before
    rules = {"match": {"tags": {"variant": None}}}
    site.service.update_receiver(PROJECT, site.receiver, rules)


def test_the_log_is_live_and_a_row_follows_its_execution(site: ConsoleSite, page: Any) -> None:
    page.locator("#live").wait_for(state="visible")
    made = site.service.interventions.push(PROJECT, site.receiver, "acme/shop:1.7.0")
    row = page.locator(f"#{made.id}")
    row.get_by_text("acme/shop:1.7.0", exact=True).wait_for()
    row.get_by_text("succeeded").wait_for()
    row.get_by_role("link", name="shop", exact=True).wait_for()
    assert page.locator("#rows tr").first.get_attribute("id") == made.id


def test_a_call_is_simulated_under_other_rules_and_nothing_is_stored(
    site: ConsoleSite, page: Any
) -> None:
    key = site.service.receiver_key(PROJECT, site.receiver)
    taken = site.service.accept(PROJECT, key, Call(dockerhub_push("acme/shop", "nightly")))
    assert taken.state == "ignored"
    page.goto(f"{site.base}/deliveries/{taken.id}")
    page.get_by_role("link", name="Simulate with other rules").click()
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("would be ignored").wait_for()
    rules = page.get_by_label("Rules")
    rules.fill('{"match": {"tags": {"policy": "any", "value": null}}}')
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("would be taken").wait_for()
    receiver = site.service.get_receiver(PROJECT, site.receiver)
    assert receiver.spec.match.tags.policy == "semver"
    assert site.service.list_deliveries(PROJECT).items[0].id == taken.id


def test_rules_that_cannot_work_are_told_so_and_stay_in_the_form(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    for body, said in (("{", "no JSON"), ('{"match": {"tags": {"policy": "x"}}}', "policy")):
        answer = owner.post(f"/receivers/{site.receiver}", data={"body": body, "version": ""})
        assert answer.status_code == 422 and said in answer.text


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    old = site.service.get_receiver(PROJECT, site.receiver)
    site.service.update_receiver(PROJECT, old.id, {"respond": "accepted"})
    answer = owner.post(f"/receivers/{old.id}", data={"body": "{}", "version": str(old.version)})
    assert answer.status_code == 422 and "version" in answer.text


def test_people_are_called_by_the_names_of_their_tokens(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    pushed = owner.post(f"/receivers/{site.receiver}/push", data={"image": "acme/shop:1.8.2"})
    path = pushed.headers["location"].removeprefix("/console")
    shown = owner.get(path).text
    assert "pushed by the owner" in shown and "a person pushed this image" in shown
    assert "pushed by tok_" not in shown
    entry = site.service.list_audit(PROJECT).items[0]
    assert (entry.action, entry.actor.via) == (AuditAction.RECEIVER_PUSHED, "console")
    assert entry.changes[0].after == "docker.io/acme/shop:1.8.2"
    taken = path.rpartition("/")[2].partition("?")[0]
    site.wait(site.service.get_delivery(PROJECT, taken).executions[0])


def test_buttons_are_in_the_audit_with_who_pressed_them_and_where(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    ended = site.push("1.8.0")
    answer = owner.post(f"/executions/{ended.id}/replay")
    assert answer.status_code == 303
    entry = site.service.list_audit(PROJECT).items[0]
    assert (entry.action, entry.actor.via) == (AuditAction.EXECUTION_REPLAYED, "console")
    assert entry.actor.name.startswith("tok_") and entry.actor.address == "127.0.0.1"
    site.wait(answer.headers["location"].rpartition("#")[2])


@pytest.mark.parametrize("name", ["", "shops"])
def test_a_receiver_is_deleted_only_by_its_name(
    site: ConsoleSite, owner: httpx.Client, name: str
) -> None:
    answer = owner.post(f"/receivers/{site.receiver}/delete", data={"name": name})
    assert answer.status_code == 422 and "type its name" in answer.text
    assert site.service.get_receiver(PROJECT, site.receiver)


def test_without_javascript_all_but_the_live_feed_works(site: ConsoleSite, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.base}/receivers/{site.receiver}")
    page.get_by_label("API token").fill(site.token())
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Image", exact=True).fill("acme/shop:1.8.1")
    page.get_by_role("button", name="Push", exact=True).click()
    taken = page.url.rpartition("/")[2].partition("?")[0]
    site.wait(site.service.get_delivery(PROJECT, taken).executions[0])
    page.reload()
    page.get_by_text("3 of 3 pods run docker.io/acme/shop:1.8.1").wait_for()
    page.get_by_role("button", name="Push again").click()
    page.get_by_text("It was pushed again").wait_for()
    assert page.locator("[data-copy]:visible").count() == 0
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("API token").wait_for()
    context.close()


def test_a_page_shows_the_end_of_what_moved_while_it_asked(site: ConsoleSite, page: Any) -> None:
    with site.hanging() as execution:
        page.route("**/feed**", lambda _: None)
        page.goto(f"{site.base}/deliveries/{execution.delivery}")
        page.get_by_text("Abort and roll back").wait_for()
        slow = Slow(page, f"**/deliveries/{execution.delivery}")
        part = page.locator(f'[data-delivery="{execution.delivery}"]')
        part.evaluate("one => htmx.trigger(one, 'moved')")
        page.wait_for_timeout(500)
        site.service.interventions.abort(PROJECT, execution.id)
        site.wait(execution.id)
        part.evaluate("one => htmx.trigger(one, 'moved')")
        page.wait_for_timeout(500)
        slow.let_go()
        page.get_by_text("Push again").wait_for()
        assert page.get_by_text("Abort and roll back").count() == 0


def test_a_part_in_which_somebody_is_moves_when_they_leave_it(site: ConsoleSite, page: Any) -> None:
    with site.hanging() as execution:
        page.route("**/feed**", lambda _: None)
        page.goto(f"{site.base}/deliveries/{execution.delivery}")
        page.get_by_role("group", name="Table of attempts").focus()
        site.service.interventions.abort(PROJECT, execution.id)
        site.wait(execution.id)
        row = f'<tr id="{execution.delivery}"></tr>'
        page.evaluate(
            "data => document.dispatchEvent(new CustomEvent('row', {detail: {data}}))", row
        )
        page.wait_for_timeout(300)
        assert page.get_by_text("Abort and roll back").count() == 1
        page.get_by_role("button", name="Log out").focus()
        page.get_by_text("Push again").wait_for()


def test_what_somebody_else_stored_meanwhile_is_not_replaced_by_a_second_try(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    made = site.service.create_receiver(PROJECT, receiver_body("two people"))
    mine = json.dumps({"name": "mine"})
    site.service.update_receiver(PROJECT, made.id, {"name": "theirs"})
    form = {"version": str(made.version), "body": mine}
    for body in ("no JSON", mine, mine):
        answer = owner.post(f"/receivers/{made.id}", data={**form, "body": body})
        assert answer.status_code == 422
        form["version"] = re.search(r'name="version" value="(\d+)"', answer.text)[1]  # type: ignore[index]
    now = site.service.get_receiver(PROJECT, made.id)
    site.service.delete_receiver(PROJECT, made.id)
    assert now.name == "theirs"
    assert "The receiver as it is now" in answer.text and "If-Match" not in answer.text
