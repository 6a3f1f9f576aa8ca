"""Who gets in, and who does not: sessions that are fixed, stolen, expired or another site's."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.routing import Route

from tests.console.site import PROJECT, ConsoleSite
from webhook_service.console import build_console
from webhook_service.model.people.sessions import SESSION_LIFETIME
from webhook_service.model.people.tokens import Role
from webhook_service.people.sessions import Sessions

NAME = "webhook-service-console"


def secret_of(client: httpx.Client) -> str:
    return client.cookies[NAME]


def is_in(site: ConsoleSite, secret: str) -> bool:
    cookies = {NAME: secret} if secret else {}
    answer = httpx.get(f"{site.base}/deliveries", cookies=cookies)
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


def test_a_token_opens_a_session_that_no_script_can_read(site: ConsoleSite) -> None:
    with site.client(None) as client:
        answer = client.post("/login", data={"token": site.token(), "next": "/receivers"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/receivers")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    assert "wht_" not in cookie


@pytest.mark.parametrize("token", ["", "nonsense", "wht_" + "x" * 43])
def test_what_is_no_token_is_told_so_and_gets_no_session(site: ConsoleSite, token: str) -> None:
    with site.client(None) as client:
        answer = client.post("/login", data={"token": token})
    assert answer.status_code == 401 and "set-cookie" not in answer.headers
    assert "no live API token" in answer.text


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:1"]
)
def test_nobody_is_sent_elsewhere_after_the_login(site: ConsoleSite, wanted: str) -> None:
    with site.client(None) as client:
        answer = client.post("/login", data={"token": site.token(), "next": wanted})
    assert answer.headers["location"] == "/console/"


def test_a_session_that_somebody_planted_is_not_the_one_that_is_opened(site: ConsoleSite) -> None:
    """Session fixation: whoever knew the cookie before the login knows nothing after it."""
    planted = site.service.sessions.open_by_token(site.token(Role.READONLY))
    with site.client(None) as client:
        client.cookies.set(NAME, planted)
        answer = client.post("/login", data={"token": site.token()})
    given = answer.headers["set-cookie"].partition(f"{NAME}=")[2].partition(";")[0]
    assert given != planted and is_in(site, given)
    assert not is_in(site, planted)


def test_after_the_logout_a_stolen_cookie_is_worth_nothing(site: ConsoleSite) -> None:
    with site.client() as client:
        stolen = secret_of(client)
        assert is_in(site, stolen)
        answer = client.post("/logout")
        assert answer.headers["location"] == "/console/login"
    assert not is_in(site, stolen)


def test_a_session_ends_with_its_token(site: ConsoleSite) -> None:
    token, secret = site.service.create_token(PROJECT, Role.MEMBER)
    session = site.service.sessions.open_by_token(secret)
    assert is_in(site, session)
    site.service.revoke_token(token.id)
    assert not is_in(site, session)


def test_a_session_ends_by_itself(site: ConsoleSite) -> None:
    sessions = site.service.sessions
    secret = sessions.open_by_token(site.token())
    found = sessions.find(secret)
    assert found is not None
    late = Sessions(site.service.store, lambda: found.expires + timedelta(seconds=1))
    assert late.find(secret) is None
    early = Sessions(site.service.store, lambda: found.expires - timedelta(seconds=1))
    assert early.find(secret) == found
    assert found.expires <= datetime.now(UTC) + SESSION_LIFETIME


def test_a_link_logs_in_once(site: ConsoleSite) -> None:
    link = site.link()
    first, second = httpx.get(link), httpx.get(link)
    assert first.status_code == 200 and NAME in first.cookies
    assert second.status_code == 401 and "used already" in second.text
    assert "set-cookie" not in second.headers


def test_an_old_link_logs_nobody_in(site: ConsoleSite) -> None:
    token, _ = site.service.create_token(PROJECT)
    past = Sessions(site.service.store, lambda: datetime.now(UTC) - timedelta(minutes=11))
    answer = httpx.get(f"{site.base}/login/link?link={past.make_link(token)}")
    assert answer.status_code == 401 and "ten minutes" in answer.text


def test_a_link_is_no_session_and_a_session_is_no_link(site: ConsoleSite) -> None:
    token, secret = site.service.create_token(PROJECT)
    assert not is_in(site, site.service.sessions.make_link(token))
    session = site.service.sessions.open_by_token(secret)
    assert httpx.get(f"{site.base}/login/link?link={session}").status_code == 401


ORIGINS = {
    "another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "another site, by an old browser": {"origin": "https://evil.example"},
    "a host of the same site": {"origin": "http://127.0.0.1:1", "sec-fetch-site": "same-site"},
    "another port": {"origin": "http://127.0.0.1:1"},
    "a page without an origin": {"origin": "null"},
    "nobody who says so": {},
}


@pytest.mark.parametrize("whose", ORIGINS)
@pytest.mark.parametrize("path", ["/login", "/logout", "/receivers/{id}/push"])
def test_a_form_of_another_site_does_nothing(site: ConsoleSite, path: str, whose: str) -> None:
    with site.client() as client:
        session = secret_of(client)
    before = site.service.list_deliveries(PROJECT).items[:1]
    answer = httpx.post(
        site.base + path.format(id=site.receiver),
        data={"token": site.token(), "image": "acme/shop:1.9.9"},
        cookies={NAME: session},
        headers=ORIGINS[whose],
    )
    assert answer.status_code == 403 and "set-cookie" not in answer.headers
    assert is_in(site, session)
    assert site.service.list_deliveries(PROJECT).items[:1] == before


def paths(site: ConsoleSite, method: str) -> list[str]:
    """All that the console has for a method, with some id in them."""
    routes = build_console(site.settings, site.service).routes
    known = [each for each in routes if isinstance(each, Route) and method in (each.methods or ())]
    return [re.sub(r"\{\w+\}", "some", each.path) for each in known]


def test_no_form_at_all_is_taken_from_another_site(site: ConsoleSite) -> None:
    with site.client() as client:
        session = secret_of(client)
    forms = paths(site, "POST")
    assert len(forms) > 20
    foreign = ORIGINS["another site"]
    for path in forms:
        answer = httpx.post(site.base + path, cookies={NAME: session}, headers=foreign)
        assert answer.status_code == 403, path
    assert is_in(site, session)


def test_no_page_at_all_is_shown_to_who_is_not_logged_in(site: ConsoleSite) -> None:
    pages = [path for path in paths(site, "GET") if not path.startswith(("/login", "/assets"))]
    assert len(pages) > 15
    for path in pages:
        answer = httpx.get(site.base + path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/console/login")


def test_whoever_is_not_logged_in_is_sent_to_the_login_and_back(site: ConsoleSite) -> None:
    answer = httpx.get(f"{site.base}/receivers?x=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/login?next=%2Freceivers%3Fx%3D1"


def test_of_one_person_the_twenty_newest_sessions_live(site: ConsoleSite) -> None:
    _, secret = site.service.create_token(PROJECT)
    opened = [site.service.sessions.open_by_token(secret) for _ in range(21)]
    assert not is_in(site, opened[0])
    assert is_in(site, opened[1]) and is_in(site, opened[-1])


def test_a_form_of_an_ended_session_can_be_sent_once_more(site: ConsoleSite, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    site.log_in(page)
    page.goto(f"{site.base}/receivers/{site.receiver}")
    context.clear_cookies()
    page.fill("#image", "acme/shop:no tag at all")
    with page.expect_response("**/push") as answered:
        page.click("section[aria-labelledby=push] button")
    assert answered.value.status == 401
    assert "session has ended" in page.get_by_role("alert").inner_text()
    assert page.locator("input[name=next]").input_value() == f"/receivers/{site.receiver}"
    other = context.new_page()
    site.log_in(other)
    page.reload()
    assert page.input_value("#image") == "acme/shop:no tag at all"
    context.close()


def test_a_script_whose_session_has_ended_gets_no_page(site: ConsoleSite) -> None:
    with site.client(None) as client:
        answer = client.post("/receivers/new/try", headers={"hx-request": "true"})
    assert (answer.status_code, answer.text) == (401, "Log in again.")
