"""The wizard: from nothing to a push that rolled out, as people do it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.console.site import PROJECT, ConsoleSite, Slow, console_site
from tests.servers.images import build, push
from tests.servers.registry import Registry
from webhook_service.console.guides import guide
from webhook_service.model.receiver import Receiver
from webhook_service.testing.samples import dockerhub_push


@pytest.fixture
def empty(site: ConsoleSite) -> Iterator[ConsoleSite]:
    """The console; what a test makes is removed."""
    before = {one.id for one in site.service.list_receivers(PROJECT).items}
    yield site
    for one in site.service.list_receivers(PROJECT).items:
        if one.id not in before:
            site.service.delete_receiver(PROJECT, one.id)


def made(site: ConsoleSite, name: str) -> Receiver:
    return next(one for one in site.service.list_receivers(PROJECT).items if one.name == name)


def walk(site: ConsoleSite, page: Any, name: str) -> None:
    """Pick the Deployment shop/shop, called by Docker Hub, up to the page of the first call."""
    page.goto(f"{site.base}/receivers")
    page.get_by_role("link", name="New receiver").click()
    page.get_by_role("button", name="namespace shop").click()
    page.get_by_role("button", name="Deployment shop").click()
    page.get_by_role("button", name="container shop only").click()
    page.get_by_text("open the repository and its tab").wait_for()
    page.get_by_role("button", name="Go on").click()
    assert page.get_by_label("Repositories").input_value() == "docker.io/acme/shop"
    page.get_by_label("Name of the receiver").fill(name)
    page.get_by_role("button", name="Make the receiver").click()
    page.get_by_role("heading", name="Waiting for the first call").wait_for()


def call(site: ConsoleSite, receiver: Receiver, body: bytes) -> None:
    key = site.service.receiver_key(PROJECT, receiver.id)
    url = f"{site.base.removesuffix('/console')}/v1-webhooks/endpoint"
    as_json = {"content-type": "application/json"}
    httpx.post(url, params={"key": key, "projectId": PROJECT}, content=body, headers=as_json)


def test_from_nothing_to_a_push_that_rolled_out(empty: ConsoleSite, page: Any) -> None:
    walk(empty, page, "by hand")
    receiver = made(empty, "by hand")
    assert receiver.suspended and receiver.spec.config == {
        "namespace": "shop",
        "kind": "Deployment",
        "name": "shop",
        "containers": ["shop"],
    }
    call(empty, receiver, b"{}")
    page.get_by_text("refused").first.wait_for()
    call(empty, receiver, dockerhub_push("acme/shop", "1.9.0"))
    page.get_by_role("heading", name="this call would do").wait_for()
    page.get_by_role("button", name="Switch on").click()
    page.get_by_role("button", name="Push acme/shop:1.9.0 now").click()
    page.get_by_text("3 of 3 pods run").wait_for()


def test_the_wizard_needs_no_javascript(empty: ConsoleSite, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{empty.base}/login")
    page.get_by_label("API token").fill(empty.token())
    page.get_by_role("button", name="Log in").click()
    walk(empty, page, "plain")
    call(empty, made(empty, "plain"), dockerhub_push("acme/shop", "1.9.1"))
    page.reload()
    page.get_by_role("heading", name="this call would do").wait_for()
    assert page.get_by_role("button", name="Switch on").count() == 1
    context.close()


def test_a_right_that_is_missing_is_said_where_one_picks(
    empty: ConsoleSite, owner: httpx.Client
) -> None:
    picked = {"config": json.dumps({"namespace": "kube-system"})}
    answer = owner.post("/receivers/new", data={"go": "what", **picked})
    assert "may not touch namespace kube-system" in answer.text
    assert "namespace kube-system" not in owner.get("/receivers/new").text


@pytest.mark.parametrize(
    "config", ["{", "[]", '{"namespace": 7}', '{"namespace": "a", "kind": {}}']
)
def test_whatever_was_typed_as_config_is_answered(
    empty: ConsoleSite, owner: httpx.Client, config: str
) -> None:
    for go in ("what", "who", "create"):
        answer = owner.post("/receivers/new", data={"go": go, "config": config})
        assert answer.status_code in (200, 422)
    for name in ("pick", "take"):
        assert owner.post("/receivers/new", data={name: config}).status_code in (200, 422)


def test_json_stays_reachable_with_what_was_said(empty: ConsoleSite, owner: httpx.Client) -> None:
    config = json.dumps({"namespace": "shop", "name": "shop"})
    draft = owner.post("/receivers/new/json", data={"name": "raw", "config": config})
    assert "&#34;namespace&#34;: &#34;shop&#34;" in draft.text
    answer = owner.post("/receivers/new/json", data={"body": "{}"})
    assert answer.status_code == 422 and "name" in answer.text


def try_in_a_browser(site: ConsoleSite, browser: Any, form: dict[str, str]) -> None:
    """What is typed is tried by itself, and the last word counts, however slow the registry is."""
    page = browser.new_page()
    site.log_in(page)
    page.goto(f"{site.base}/receivers/new")
    page.get_by_text("Write it as JSON instead").click()
    page.get_by_label("Config of the driver").fill(form["config"])
    page.get_by_role("button", name="Go on with this").click()
    page.get_by_role("button", name="Go on").click()
    slow = Slow(page, "**/receivers/new/try")
    page.get_by_label("Repositories").fill(form["repositories"])
    page.get_by_label("Value").fill("^1")
    page.get_by_label("Value").press("Tab")
    page.get_by_label("Value").fill("^2")
    page.get_by_label("Value").press("Tab")
    slow.let_go()
    page.get_by_text("1 of 3 tags pass").wait_for()
    page.close()


def test_rules_are_tried_on_the_tags_of_a_real_registry(tmp_path: Path, browser: Any) -> None:
    with Registry() as registry:
        image = build(tmp_path / "image")
        for tag in ("1.0.0", "1.1.0", "2.0.0"):
            push(image, f"{registry.address}/acme/shop:{tag}")
        reach = {"insecure_registries": [registry.address], "allow_private": ["127.0.0.0/8"]}
        with console_site(tmp_path, **reach) as site, site.client() as client:
            form = {
                "name": "tried",
                "config": json.dumps({"namespace": "shop", "name": "shop"}),
                "repositories": f"{registry.address}/acme/shop",
                "policy": "semver",
                "value": "^1",
            }
            shown = client.post("/receivers/new/try", data=form).text
            assert "2 of 3 tags pass" in shown
            assert shown.index("<code>1.1.0</code>") < shown.index("<code>2.0.0</code>")
            try_in_a_browser(site, browser, form)
            registry.stop()
            away = client.post("/receivers/new/try", data=form).text
            assert "Its registry does not say" in away
            open_rule = client.post("/receivers/new/try", data={**form, "repositories": "*"})
            assert "name each repository in full" in open_rule.text


def test_every_sender_of_the_documentation_has_a_guide(site: ConsoleSite) -> None:
    for kind in site.service.formats.plugins.targets.values():
        page = kind.sender.page
        if page.startswith("senders/"):
            assert guide(page), page
    assert guide("senders/../receivers.md") == () and guide("elsewhere.md") == ()
