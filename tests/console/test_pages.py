"""Every page, as people with different eyes, screens and browsers see it."""

import html
import re
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.console.site import PROJECT, ConsoleSite, receiver_body
from tests.servers.browser import Watched
from tests.support import add_inbox, wait_for
from webhook_service.console.pages.receivers import receivers
from webhook_service.console.pages.receivers.receivers import SAMPLED
from webhook_service.console.security import POLICY
from webhook_service.model.delivery import Call
from webhook_service.model.people.tokens import Role
from webhook_service.testing import samples
from webhook_service.testing.samples import dockerhub_push

PAGES = (
    "/deliveries",
    "/deliveries?text=shop&state=ignored",
    "/deliveries/{delivery}",
    "/deliveries/{refused}",
    "/deliveries/{called}/simulate",
    "/receivers",
    "/receivers/{receiver}",
    "/receivers/new",
    "/receivers/new/json",
    "/receivers/{receiver}/first",
    "/receivers/{receiver}/rollback",
    "/inboxes",
    "/inboxes/{inbox}",
    "/targets",
    "/targets/{receiver}",
    "/approvals",
    "/freezes",
    "/insights",
    "/settings",
    "/notifications",
    "/notifications/{notification}",
    "/notifications/{notification}/edit",
    "/notifications/new",
    "/notifications/new?kind=slack",
    "/notifications/new?kind=mail",
    "/notifications/new?kind=gitHub",
)
PUBLIC = ("/login", "/nowhere")


def notified(site: ConsoleSite, name: str) -> str:
    """A notification whose address nobody may call, with a notice that has failed."""
    config = {"url": "https://127.0.0.1:1/T0KEN"}
    body = {"name": name, "kind": "webhook", "on": ["failed"], "webhookConfig": config}
    made = site.service.notifications.create(PROJECT, body)
    site.service.notifications.test(PROJECT, made.id)

    def failed() -> bool:
        (sent,) = site.service.notifications.notices(PROJECT, made.id).items
        return sent.execution.state == "failed"

    assert wait_for(failed)
    return made.id


@pytest.fixture(scope="module")
def places(site: ConsoleSite) -> dict[str, str]:
    """The ids that pages are about: one push that ran, one that was called, one refused."""
    ran = site.push("1.1.0")
    key = site.service.receiver_key(PROJECT, site.receiver)
    url = f"{site.base.removesuffix('/console')}/v1-webhooks/endpoint"
    query = {"key": key, "projectId": PROJECT}
    as_json = {"content-type": "application/json"}
    called = httpx.post(
        url, params=query, content=dockerhub_push("acme/shop", "latest"), headers=as_json
    ).json()
    httpx.post(url, params=query, content=b"{}", headers=as_json)

    def refused() -> str | None:
        found = site.service.list_deliveries(PROJECT).items
        return next((item.id for item in found if item.refusal), None)

    return {
        "delivery": ran.delivery,
        "called": called["id"],
        "refused": wait_for(refused),
        "receiver": site.receiver,
        "notification": notified(site, ran.id),
        "inbox": add_inbox(site.service, PROJECT, f"seen {ran.id}"),
    }


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_quiet_readable_and_fits(
    site: ConsoleSite, browser: Any, places: dict[str, str], scheme: str, width: int
) -> None:
    """No violation of the policy or of axe's rules, nothing from elsewhere, nothing to the side."""
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
    )
    watched = Watched(site.base.removesuffix("/console"))
    page = watched.watch(context.new_page())
    axe, found = Axe(), {}
    site.log_in(page)
    for path in [*PAGES, *PUBLIC]:
        page.goto(site.base + path.format(**places))
        wide = page.evaluate("document.documentElement.scrollWidth")
        problems = [
            f"{item['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
            for item in axe.run(page).response["violations"]
            for node in item["nodes"]
        ]
        if problems or wide > width:
            found[path] = (wide, problems)
    context.close()
    missing = [text for text in watched.complaints if "404" not in text]
    assert (found, missing, watched.foreign) == ({}, [], [])


def test_every_page_is_there_in_a_project_that_has_nothing_yet(site: ConsoleSite) -> None:
    empty = [path for path in PAGES if "{" not in path]
    for role in Role:
        with site.client(role, project=f"empty-{role}") as client:
            told = {path: client.get(path).status_code for path in empty}
            assert max(told.values()) < 500, told
            assert told["/targets"] == 200


def test_every_page_is_there_while_a_push_rolls_out(site: ConsoleSite, owner: httpx.Client) -> None:
    with site.hanging() as execution:
        receiver = f"/receivers/{execution.receiver}"
        rolling = ("/deliveries", f"/deliveries/{execution.delivery}", "/targets", "/freezes")
        for path in (
            *rolling,
            "/approvals",
            "/insights",
            "/settings",
            receiver,
            f"{receiver}/first",
        ):
            assert owner.get(path).status_code == 200, path
        shown = owner.get(f"/deliveries/{execution.delivery}").text
    assert "Abort and roll back" in shown and "Cancel" not in shown


def test_tables_whose_rows_are_blocks_on_a_phone_keep_their_roles(
    site: ConsoleSite, page: Any, places: dict[str, str]
) -> None:
    """Some browsers tell screen readers of no table where CSS shows none."""
    page.set_viewport_size({"width": 390, "height": 900})
    parts = "table.log:not([role]), table.log :is(thead, tbody, tr, th, td):not([role])"
    for path in ("/deliveries", "/receivers", f"/receivers/{places['receiver']}", "/inboxes"):
        page.goto(site.base + path)
        # In one go: the live feed may put a new row in the place of this one.
        cell = "getComputedStyle(document.querySelector('table.log td')).display"
        assert page.evaluate(cell) == "block"
        assert page.locator(parts).count() == 0, path


def test_every_answer_has_the_policy(site: ConsoleSite, owner: httpx.Client) -> None:
    for path in ("/deliveries", "/login", "/nowhere", "/assets/console.css"):
        headers = owner.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY
    assert owner.get("/deliveries").headers["cache-control"] == "no-store"
    assert "immutable" in owner.get("/assets/console.css").headers["cache-control"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_of_another_project_are_not_there(
    site: ConsoleSite, places: dict[str, str], path: str
) -> None:
    with site.client(project="other") as stranger:
        separator = "&" if "?" in path else "?"
        there = path.format(**places)
        assert stranger.get(f"{there}{separator}projectId={PROJECT}").status_code == 404
        if "{" in path:
            assert stranger.get(there).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/executions/{execution}/replay",
        "/executions/{execution}/cancel",
        "/executions/{execution}/abort",
        "/executions/{execution}/approve",
        "/executions/{execution}/refuse",
        "/executions/{execution}/release",
        "/deliveries/{called}/simulate",
        "/receivers/{receiver}",
        "/receivers/{receiver}/push",
        "/receivers/{receiver}/rollback",
        "/receivers/{receiver}/suspend",
        "/receivers/{receiver}/resume",
        "/receivers/{receiver}/rotate",
        "/receivers/{receiver}/delete",
        "/inboxes/{inbox}/simulate",
        "/inboxes/{inbox}/rotate",
        "/inboxes/{inbox}/delete",
        "/notifications/{notification}/test",
        "/notifications/{notification}/edit",
        "/notifications/{notification}/delete",
    ],
)
def test_who_may_only_look_presses_no_button_and_strangers_find_none(
    site: ConsoleSite, readonly: httpx.Client, places: dict[str, str], path: str
) -> None:
    execution = site.service.list_executions(PROJECT).items[0].id
    there = path.format(**places, execution=execution)
    before = site.service.list_audit(PROJECT).items[:1]
    assert readonly.post(there, data={}).status_code == 403
    with site.client(project="other") as stranger:
        assert stranger.post(there, data={"image": "a/b:1"}).status_code == 404
        assert stranger.post(f"{there}?projectId={PROJECT}", data={}).status_code == 404
    assert site.service.list_audit(PROJECT).items[:1] == before


def test_who_may_only_look_sees_no_url_and_no_button(
    site: ConsoleSite, readonly: httpx.Client, places: dict[str, str]
) -> None:
    key = site.service.receiver_key(PROJECT, site.receiver)
    for path in PAGES:
        if not any(part in path for part in ("simulate", "new", "edit", "first", "rollback")):
            shown = readonly.get(path.format(**places))
            assert shown.status_code == 200 and key not in shown.text
            assert "Push again" not in shown.text and "Roll back</button>" not in shown.text
            for refused in ("rollback", "replay", "token create", "notification create"):
                assert f"webhook-service {refused}" not in shown.text
            assert "execution replay" not in shown.text and "curl -X POST" not in shown.text


def test_an_error_leaves_the_navigation_to_whoever_is_logged_in(
    site: ConsoleSite, readonly: httpx.Client
) -> None:
    for path in ("/nowhere", "/notifications/new", "/deliveries/dlv_0"):
        answer = readonly.get(path)
        assert answer.status_code in (403, 404) and 'aria-label="Main"' in answer.text
    with site.client(project="other") as stranger:
        foreign = stranger.get(f"/deliveries?projectId={PROJECT}")
    assert foreign.status_code == 404 and "aria-label" not in foreign.text
    assert 'aria-label="Main"' not in httpx.get(f"{site.base}/nowhere").text


def test_a_key_is_shown_only_to_who_opens_it(
    site: ConsoleSite, browser: Any, places: dict[str, str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.link())
    key = site.service.receiver_key(PROJECT, site.receiver)
    for path in (f"/receivers/{site.receiver}", "/deliveries/{called}".format(**places)):
        page.goto(site.base + path)
        assert key not in page.locator("main").inner_text()
    page.goto(f"{site.base}/receivers/{site.receiver}")
    page.get_by_text("Show the URL").click()
    assert key in page.locator("main").inner_text()
    context.close()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "--format dockerhub --image acme/shop:1.2.3"),
        ({"source": {"format": "auto"}}, "--format dockerhub --image"),
        ({"source": {"format": "auto", "formats": ["quay", "zot"]}}, "--format quay --image"),
        ({"match": {"repositories": ["acme/*", "acme/web"]}}, "--image acme/web:1.2.3"),
        ({"match": {"repositories": ["acme/*"]}}, "--image acme/shop:1.2.3"),
        ({"source": {"format": "generic", "repository": "$.r", "tag": "$.t"}}, None),
        ({"listen": {"inboxes": ["all"], "ownUrl": False}}, None),
    ],
)
def test_a_sample_push_is_offered_where_there_is_one_that_the_receiver_takes(
    site: ConsoleSite, owner: httpx.Client, fields: dict[str, Any], said: str | None
) -> None:
    if "listen" in fields:
        add_inbox(site.service, PROJECT, "all")
    made = site.service.create_receiver(PROJECT, receiver_body("sampled", **fields))
    try:
        shown = html.unescape(owner.get(f"/receivers/{made.id}").text)
    finally:
        site.service.delete_receiver(PROJECT, made.id)
    line = re.search("webhook-service send .*", shown)
    assert said in line[0] if line and said else line is said, line


def test_the_formats_of_samples_are_those_that_have_one() -> None:
    assert SAMPLED == set(samples.SAMPLED)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_longest_names_fit(site: ConsoleSite, browser: Any, width: int) -> None:
    made = site.service.create_receiver(PROJECT, receiver_body("x" * 120))
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    site.log_in(page)
    for path in ("/deliveries", "/receivers", f"/receivers/{made.id}", "/targets", "/settings"):
        page.goto(site.base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    # Nor is anything out of sight in a part that scrolls, where there is room for it.
    hidden = page.locator(".wide").first.evaluate("e => e.scrollWidth - e.clientWidth")
    assert hidden == 0 or width == 390
    context.close()
    site.service.delete_receiver(PROJECT, made.id)


def test_members_may_all_but_a_new_url(site: ConsoleSite, places: dict[str, str]) -> None:
    with site.client(Role.MEMBER) as member:
        shown = member.get(f"/receivers/{site.receiver}").text
        assert "Switch" not in shown and "Suspend" in shown and "new URL" not in shown
        assert member.post(f"/receivers/{site.receiver}/rotate").status_code == 403


def test_what_others_wrote_is_shown_as_text(site: ConsoleSite, owner: httpx.Client) -> None:
    name = '<img src=x onerror="alert(1)">'
    made = site.service.create_receiver(PROJECT, receiver_body(name))
    for path in ("/receivers", f"/receivers/{made.id}", "/deliveries"):
        text = owner.get(path, params={"text": "<script>alert(1)</script>"}).text
        assert "<img" not in text and "<script>alert" not in text
    site.service.delete_receiver(PROJECT, made.id)


def test_who_sees_the_systems_colours_sees_which_page_it_is(
    site: ConsoleSite, browser: Any
) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    site.log_in(page)
    colour = "element => getComputedStyle(element).borderBottomColor"
    links = page.locator("nav[aria-label=Main] a").all()
    shown = {link.get_attribute("aria-current"): link.evaluate(colour) for link in links}
    context.close()
    assert shown["page"] != shown[None]


def test_on_paper_there_is_all_that_is_known_and_nothing_to_press(
    site: ConsoleSite, page: Any
) -> None:
    page.goto(f"{site.base}/receivers/{site.receiver}")
    page.emulate_media(media="print")
    for gone in ("nav[aria-label=Main]", ".who form", "section[aria-labelledby=push] button"):
        assert not page.locator(gone).first.is_visible(), gone
    cut = "all => all.some(one => one.scrollHeight > one.clientHeight + 2)"
    assert not page.locator("pre:visible").evaluate_all(cut)
    assert page.get_by_role("heading", level=1).is_visible()


def test_a_long_name_does_not_push_the_filters_aside(site: ConsoleSite, page: Any) -> None:
    made = site.service.create_receiver(PROJECT, receiver_body("long" * 50))
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{site.base}/deliveries")
    top = "element => element.getBoundingClientRect().top"
    tops = {one.evaluate(top) for one in page.locator(".filters select").all()}
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    site.service.delete_receiver(PROJECT, made.id)
    assert len(tops) == 1 and wide <= 0


def test_more_receivers_than_a_page_holds_are_on_the_next(
    site: ConsoleSite, owner: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [site.service.create_receiver(PROJECT, receiver_body(f"page {n}")) for n in range(3)]
    monkeypatch.setattr(receivers, "MOST", 2)
    seen, path = list[str](), "/receivers"
    while path:
        text = html.unescape(owner.get(path).text)
        seen += re.findall(r'<tr role="row" id="(rcv_\w+)"', text)
        found = re.search(r'href="/console(/receivers\?marker=[^"]+)">Older', text)
        path = found[1] if found else ""
    for one in made:
        site.service.delete_receiver(PROJECT, one.id)
    assert len(seen) == len(set(seen)) and {one.id for one in made} < set(seen)


def test_a_row_that_changes_keeps_the_focus_of_the_keyboard(site: ConsoleSite, page: Any) -> None:
    site.push("1.7.1")
    page.goto(f"{site.base}/deliveries")
    link = page.locator("#rows tr").first.locator("a").nth(1)
    link.focus()
    page.evaluate(
        """() => {
          const row = document.querySelector("#rows tr");
          row.dataset.old = "yes";
          const data = row.outerHTML.replace('data-old="yes"', "");
          document.dispatchEvent(new CustomEvent("row", { detail: { data } }));
        }"""
    )
    assert page.locator("#rows tr[data-old]").count() == 0
    assert page.evaluate("document.activeElement.closest('tr')?.id") is not None
    assert link.evaluate("element => element === document.activeElement")


def test_no_command_is_offered_that_a_receiver_refuses_for_its_proof(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    made = site.service.create_receiver(PROJECT, receiver_body("becomes proven"))
    key = site.service.receiver_key(PROJECT, made.id)
    called = site.service.accept(PROJECT, key, Call(dockerhub_push("acme/shop", "0.0.7")))
    pages = (f"/receivers/{made.id}", f"/deliveries/{called.id}")
    offers = ("webhook-service send --format", "The call itself, with curl")

    def offered() -> list[bool]:
        return [offer in owner.get(path).text for path, offer in zip(pages, offers, strict=True)]

    before = offered()
    proof = {"scheme": "header", "secret": "0123456789abcdef" * 2}
    site.service.update_receiver(PROJECT, made.id, {"verify": proof})
    after = offered()
    site.service.delete_receiver(PROJECT, made.id)
    assert (before, after) == ([True, True], [False, False])
