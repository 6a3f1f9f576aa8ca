"""Every button that changes something, pressed in a browser with JavaScript and without."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.console.site import PROJECT, ConsoleSite, receiver_body
from webhook_service.model.execution import ExecutionState
from webhook_service.model.people.audit import AuditAction
from webhook_service.model.people.tokens import Role
from webhook_service.testing.samples import dockerhub_push


@pytest.fixture(params=["with JavaScript", "without"])
def page(request: pytest.FixtureRequest, browser: Any, site: ConsoleSite) -> Iterator[Any]:
    """A page of an owner, who answers every question with yes."""
    context = browser.new_context(java_script_enabled=request.param == "with JavaScript")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{site.base}/login")
    page.get_by_label("API token").fill(site.token())
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/console/deliveries")
    yield page
    context.close()


@pytest.fixture
def asking(site: ConsoleSite) -> Iterator[str]:
    """A receiver whose pushes wait for one vote."""
    match = {"repositories": ["acme/shop"]}
    made = site.service.create_receiver(
        PROJECT, receiver_body("asks", match=match, approval={"count": 1})
    )
    yield made.id
    site.service.delete_receiver(PROJECT, made.id)


def held(site: ConsoleSite, receiver: str, tag: str) -> str:
    image = f"acme/shop:{tag}"
    return site.service.interventions.push(PROJECT, receiver, image).executions[0]


def audited(site: ConsoleSite) -> tuple[AuditAction, str]:
    newest = site.service.list_audit(PROJECT).items[0]
    return newest.action, newest.actor.via


def test_an_approval_lets_the_push_run(site: ConsoleSite, page: Any, asking: str) -> None:
    execution = held(site, asking, "3.0.0")
    page.get_by_role("link", name="Approvals").click()
    card = page.locator("section", has=page.locator(f"h2#{execution}"))
    card.get_by_role("button", name="Approve").click()
    page.get_by_text("Your approval was counted").wait_for()
    assert site.wait(execution).state in (ExecutionState.SUCCEEDED, ExecutionState.UNCHANGED)
    assert audited(site) == (AuditAction.EXECUTION_APPROVED, "console")


def test_whoever_has_approved_is_not_asked_again(site: ConsoleSite, page: Any, asking: str) -> None:
    site.service.update_receiver(PROJECT, asking, {"approval": {"count": 2}})
    execution = held(site, asking, "3.0.1")
    page.goto(f"{site.base}/approvals")
    card = page.locator("section", has=page.locator(f"h2#{execution}"))
    card.get_by_role("button", name="Approve").dblclick()
    card.get_by_text("You have approved it; others have to.").wait_for()
    assert card.get_by_role("button", name="Approve").count() == 0
    page.goto(f"{site.base}/executions/{execution}")
    article = page.locator(f"article#{execution}")
    assert article.get_by_role("button", name="Approve").count() == 0
    article.get_by_role("button", name="Refuse").click()
    page.get_by_text("The execution was refused").wait_for()


def test_a_rollout_that_was_stopped_names_whoever_did_it(site: ConsoleSite, page: Any) -> None:
    with site.hanging() as execution:
        page.goto(f"{site.base}/executions/{execution.id}")
        page.get_by_role("button", name="Abort and roll back").click()
        page.locator(".said").wait_for()
        site.wait(execution.id)
        page.reload()
        said = page.locator(f"article#{execution.id}").inner_text()
        assert "Aborted by the owner." in said and "tok_" not in said


def test_a_refusal_ends_the_push(site: ConsoleSite, page: Any, asking: str) -> None:
    execution = held(site, asking, "3.1.0")
    page.goto(f"{site.base}/executions/{execution}")
    page.locator(f"article#{execution}").get_by_role("button", name="Refuse").click()
    page.get_by_text("The execution was refused").wait_for()
    assert site.wait(execution).state is ExecutionState.CANCELLED
    assert audited(site) == (AuditAction.EXECUTION_REFUSED, "console")


def test_a_push_is_let_through_a_freeze_window(site: ConsoleSite, page: Any) -> None:
    freeze = [{"cron": "* * * * *", "minutes": 60}]
    match = {"repositories": ["acme/shop"], "freeze": freeze}
    made = site.service.create_receiver(PROJECT, receiver_body("frozen", match=match))
    execution = held(site, made.id, "3.3.0")
    page.goto(f"{site.base}/executions/{execution}")
    page.locator(f"article#{execution}").get_by_role("button", name="Let it through").click()
    page.get_by_text("The execution was let through").wait_for()
    assert site.wait(execution).state in (ExecutionState.SUCCEEDED, ExecutionState.UNCHANGED)
    page.get_by_text("Let through", exact=True).wait_for()
    assert audited(site) == (AuditAction.EXECUTION_RELEASED, "console")
    site.service.delete_receiver(PROJECT, made.id)


def test_a_push_that_waits_can_be_cancelled(site: ConsoleSite, page: Any, asking: str) -> None:
    execution = held(site, asking, "3.2.0")
    page.goto(f"{site.base}/executions/{execution}")
    page.locator(f"article#{execution}").get_by_role("button", name="Cancel").click()
    page.get_by_text("cancelled before it changed anything").wait_for()
    assert site.wait(execution).state is ExecutionState.CANCELLED


def test_an_abort_goes_back_to_what_ran(site: ConsoleSite, page: Any) -> None:
    before = site.cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"]
    with site.hanging() as execution:
        page.goto(f"{site.base}/executions/{execution.id}")
        page.get_by_role("button", name="Abort and roll back").click()
        page.get_by_text("The execution is being stopped").wait_for()
        ended = site.wait(execution.id)
    assert (ended.state, ended.reason) == (ExecutionState.CANCELLED, "aborted")
    after = site.cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"]
    assert after["containers"] == before["containers"]


def test_all_receivers_are_suspended_and_switched_on_by_one_button(
    site: ConsoleSite, page: Any
) -> None:
    page.get_by_role("link", name="Holds and freezes").click()
    page.get_by_role("button", name="Suspend every receiver").click()
    page.get_by_text("Every receiver of the project is suspended").wait_for()
    assert site.service.get_receiver(PROJECT, site.receiver).suspended
    assert page.get_by_role("button", name="Suspend every receiver").count() == 0
    page.get_by_role("button", name="Switch all on").click()
    page.get_by_text("Every receiver of the project is active").wait_for()
    assert not site.service.get_receiver(PROJECT, site.receiver).suspended
    assert audited(site) == (AuditAction.RECEIVER_RESUMED, "console")


def test_a_revoked_token_is_out_with_its_sessions(site: ConsoleSite, page: Any) -> None:
    token, secret = site.service.create_token(PROJECT, Role.MEMBER, name="lost laptop")
    session = site.service.sessions.open_by_token(secret)
    page.get_by_role("link", name="Settings").click()
    row = page.locator("tr", has_text=token.id).first
    row.get_by_role("button", name="Revoke").click()
    page.get_by_text("The token was revoked").wait_for()
    assert site.service.sessions.find(session) is None
    assert page.get_by_text("lost laptop").count() == 0
    assert audited(site) == (AuditAction.TOKEN_REVOKED, "console")


def test_a_way_back_shows_what_it_changes_before_it_is_gone(site: ConsoleSite, page: Any) -> None:
    for tag in ("1.30.0", "1.31.0"):
        assert site.push(tag).state is ExecutionState.SUCCEEDED
    page.goto(f"{site.base}/receivers/{site.receiver}")
    page.get_by_role("link", name="Roll back", exact=True).click()
    page.get_by_role("heading", name="What would change").wait_for()
    assert page.locator("del").first.text_content() == "acme/shop:1.31.0"
    assert page.locator("ins").first.text_content() == "acme/shop:1.30.0"
    newest = site.service.list_executions(PROJECT).items[0]
    page.get_by_role("button", name="Roll back now").click()
    page.get_by_text("The rollback has begun").wait_for()
    made = site.service.list_executions(PROJECT).items[0]
    assert made.id != newest.id and site.wait(made.id).state is ExecutionState.SUCCEEDED
    assert audited(site) == (AuditAction.RECEIVER_ROLLED_BACK, "console")


def test_a_look_at_a_target_sees_what_others_set(site: ConsoleSite, page: Any) -> None:
    site.push("1.32.0")
    spec = {"containers": [{"name": "shop", "image": "docker.io/acme/shop:by-hand"}]}
    deployment = site.cluster.get("Deployment", "shop", "shop")
    containers = deployment["spec"]["template"]["spec"]["containers"]
    containers[0]["image"] = spec["containers"][0]["image"]
    site.cluster.apply(deployment)
    page.get_by_role("link", name="Targets").click()
    page.get_by_role("link", name="Look").first.click()
    page.get_by_text("drifted").first.wait_for()
    assert page.get_by_text("shop:by-hand").first.is_visible()
    site.push("1.33.0")


def test_an_inbox_is_made_and_says_who_would_take_a_call(site: ConsoleSite, page: Any) -> None:
    page.get_by_role("link", name="Receivers").click()
    page.get_by_role("link", name="Inboxes").click()
    page.get_by_label("Name").fill("hub-of-all")
    page.get_by_role("button", name="Make the inbox").click()
    page.get_by_text("The inbox was made").wait_for()
    inbox = page.url.rpartition("/")[2].partition("?")[0]
    listens = site.service.create_receiver(
        PROJECT, receiver_body("listens") | {"listen": {"inboxes": ["hub-of-all"], "ownUrl": True}}
    )
    body = dockerhub_push("acme/shop", "1.40.0").decode()
    page.get_by_label("The body of a call").fill(body)
    page.get_by_role("button", name="Ask").click()
    page.get_by_text("acme/shop:1.40.0 would be taken by").wait_for()
    assert page.get_by_role("button", name="Delete the inbox").count() == 0
    page.get_by_label("The body of a call").fill("no JSON")
    page.get_by_role("button", name="Ask").click()
    page.get_by_role("alert").wait_for()
    site.service.delete_receiver(PROJECT, listens.id)
    page.goto(f"{site.base}/inboxes/{inbox}")
    page.get_by_role("button", name="Delete the inbox").click()
    page.get_by_text("The inbox was deleted").wait_for()
