"""Logging in at an identity provider, and whoever tries to get in by it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.console.site import PROJECT, ConsoleSite, console_site
from tests.servers.browser import Watched
from tests.servers.identity_provider import IdentityProvider
from webhook_service.errors import SettingsError
from webhook_service.model.people.audit import AuditAction
from webhook_service.model.people.tokens import Role
from webhook_service.settings import load_settings

SESSION, LOGIN = "webhook-service-console", "webhook-service-console-login"


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    with IdentityProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, running: IdentityProvider
) -> Iterator[ConsoleSite]:
    with console_site(tmp_path_factory.mktemp("oidc"), **running.settings()) as site:
        yield site


@pytest.fixture
def provider(running: IdentityProvider) -> Iterator[IdentityProvider]:
    """The provider with a person of its own; what a test changes is undone."""
    before = dict(running.person)
    yield running
    running.person, running.changes = before, {}
    running.signed_with, running.down = "", False


@pytest.fixture
def plain(site: ConsoleSite) -> Iterator[httpx.Client]:
    """A browser without JavaScript that is logged in nowhere."""
    with httpx.Client(base_url=site.base, timeout=60) as client:
        yield client


def begin(client: httpx.Client, wanted: str = "") -> str:
    """Go to the provider; the URL with which it sends the browser back."""
    there = client.get("/login/oidc", params={"next": wanted})
    assert there.status_code == 303, there.text
    back = httpx.get(there.headers["location"])
    assert back.status_code == 302, back.text
    return str(back.headers["location"])


def log_in(client: httpx.Client, wanted: str = "") -> httpx.Response:
    return client.get(begin(client, wanted))


def refused(answer: httpx.Response, client: httpx.Client, status: int = 401) -> bool:
    return answer.status_code == status and SESSION not in client.cookies


def test_a_person_logs_in_with_the_roles_of_the_groups(
    site: ConsoleSite, provider: IdentityProvider, browser: Any
) -> None:
    context = browser.new_context()
    watched = Watched(site.base.removesuffix("/console"))
    page = watched.watch(context.new_page())
    page.set_default_timeout(60_000)
    page.goto(f"{site.base}/receivers/{site.receiver}")
    page.get_by_role("link", name="Log in with Acme login").click()
    page.get_by_role("heading", name="shop", exact=True).wait_for()
    page.get_by_text("Ada").first.wait_for()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_text("The receiver is suspended").wait_for()
    entry = site.service.list_audit(PROJECT).items[0]
    assert (entry.action, entry.actor.via) == (AuditAction.RECEIVER_SUSPENDED, "console")
    assert entry.actor.name == "ada@example.org"
    site.service.resume_receiver(PROJECT, site.receiver)
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("API token").wait_for()
    page.goto(f"{site.base}/receivers")
    page.get_by_label("API token").wait_for()
    context.close()
    watched.foreign = [url for url in watched.foreign if not url.startswith(provider.url)]
    watched.assert_quiet()


@pytest.mark.parametrize("groups", [["devs", "ops"], ["ops", "devs"]])
def test_of_several_groups_the_strongest_role_counts(
    site: ConsoleSite, provider: IdentityProvider, plain: httpx.Client, groups: list[str]
) -> None:
    provider.person["groups"] = groups
    assert log_in(plain).status_code == 200
    session = site.service.sessions.find(plain.cookies[SESSION])
    assert session is not None
    assert session.grants == {"shop": Role.OWNER, "other": Role.MEMBER}
    assert (session.name, session.token) == ("Ada", None)


@pytest.mark.parametrize("groups", [None, [], ["unknown"], "unknown", {"ops": True}, [["ops"]], 7])
def test_whose_groups_have_no_project_gets_no_session(
    provider: IdentityProvider, plain: httpx.Client, groups: Any
) -> None:
    provider.person["groups"] = groups
    answer = log_in(plain)
    assert refused(answer, plain, 403) and "none of your groups" in answer.text


def test_an_email_that_is_not_verified_names_nobody(
    site: ConsoleSite, provider: IdentityProvider, plain: httpx.Client
) -> None:
    provider.person["email_verified"] = False
    assert log_in(plain).status_code == 200
    session = site.service.sessions.find(plain.cookies[SESSION])
    assert session is not None and session.actor == "oidc:ada-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another login's"},
        {"nonce": None},
        {"nonce": "née"},
        {"nonce": "\ud800"},
        {"aud": "another client"},
        {"aud": ["the console", "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": ""},
    ],
)
def test_a_token_that_was_not_made_for_this_login_proves_nobody(
    provider: IdentityProvider, plain: httpx.Client, changes: dict[str, Any]
) -> None:
    provider.changes = changes
    assert refused(log_in(plain), plain)


def test_a_token_of_another_key_proves_nobody(
    provider: IdentityProvider, plain: httpx.Client
) -> None:
    provider.signed_with = "somebody else's"
    assert refused(log_in(plain), plain)


def test_a_login_that_another_plainbegan_is_not_taken(
    provider: IdentityProvider, site: ConsoleSite, plain: httpx.Client
) -> None:
    """Whoever is lured to the end of an attacker's login would work in the attacker's name."""
    with httpx.Client(base_url=site.base) as attacker:
        lure = begin(attacker)
    assert refused(plain.get(lure), plain)
    begin(plain)
    before = len(provider.asked)
    assert refused(plain.get(lure), plain)
    assert len(provider.asked) == before


def test_a_code_of_another_login_is_not_redeemed(
    site: ConsoleSite, provider: IdentityProvider, plain: httpx.Client
) -> None:
    """PKCE: a stolen code is worth nothing without the verifier of the browser that began."""
    stolen = parse_qs(urlsplit(begin(plain)).query)["code"][0]
    with httpx.Client(base_url=site.base) as thief:
        own = parse_qs(urlsplit(begin(thief)).query)["state"][0]
        answer = thief.get("/login/oidc/back", params={"code": stolen, "state": own})
        assert refused(answer, thief)


def test_a_login_ends_once(provider: IdentityProvider, plain: httpx.Client) -> None:
    back = begin(plain)
    assert plain.get(back).status_code == 200
    assert LOGIN not in plain.cookies
    plain.cookies.delete(SESSION)
    assert refused(plain.get(back), plain)


@pytest.mark.parametrize(
    "query", [{}, {"code": "x"}, {"code": "x", "state": ""}, {"state": "x", "error": "<script>"}]
)
def test_what_no_provider_sends_lets_nobody_in(
    provider: IdentityProvider, plain: httpx.Client, query: dict[str, str]
) -> None:
    answer = plain.get("/login/oidc/back", params=query)
    assert refused(answer, plain) and "<script>" not in answer.text.partition("<main")[2]


def test_a_state_that_is_no_ascii_is_not_this_browsers(
    provider: IdentityProvider, plain: httpx.Client
) -> None:
    begin(plain)
    assert refused(plain.get("/login/oidc/back", params={"state": "née", "code": "x"}), plain)


def test_another_providers_answer_is_not_redeemed(
    provider: IdentityProvider, plain: httpx.Client
) -> None:
    """RFC 9207: mix-up."""
    back = begin(plain).replace("iss=http", "iss=https")
    before = len(provider.asked)
    assert refused(plain.get(back), plain)
    assert len(provider.asked) == before


def test_what_the_person_refused_is_said(provider: IdentityProvider, plain: httpx.Client) -> None:
    state = parse_qs(urlsplit(begin(plain)).query)["state"][0]
    query = {"state": state, "error": "access_denied"}
    answer = plain.get("/login/oidc/back", params=query)
    assert refused(answer, plain) and "access_denied" in answer.text


def test_a_session_from_before_the_login_is_closed(
    site: ConsoleSite, provider: IdentityProvider, plain: httpx.Client
) -> None:
    """Session fixation: whoever knew the cookie before the login knows nothing after it."""
    planted = site.service.sessions.open_by_token(site.token(Role.READONLY))
    plain.cookies.set(SESSION, planted)
    given = log_in(plain).headers["set-cookie"].partition(f"{SESSION}=")[2].partition(";")[0]
    assert given != planted and site.service.sessions.find(given) is not None
    assert site.service.sessions.find(planted) is None


def test_the_cookies_of_a_login_are_out_of_reach_of_scripts_and_other_sites(
    provider: IdentityProvider, plain: httpx.Client
) -> None:
    began = plain.get("/login/oidc").headers["set-cookie"].lower()
    assert "httponly" in began and "samesite=lax" in began and "max-age=600" in began
    ended = log_in(plain).headers.get_list("set-cookie")
    (session,) = (cookie.lower() for cookie in ended if cookie.startswith(f"{SESSION}="))
    assert "httponly" in session and "samesite=strict" in session


@pytest.mark.parametrize("wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_nobody_is_sent_elsewhere_after_it(
    provider: IdentityProvider, plain: httpx.Client, wanted: str
) -> None:
    answer = log_in(plain, wanted)
    assert answer.status_code == 200 and "evil.example" not in answer.text


def test_a_provider_that_is_down_is_said(tmp_path: Path, browser: Any) -> None:
    with IdentityProvider() as provider:
        provider.down = True
        with console_site(tmp_path, **provider.settings()) as site:
            answer = httpx.get(f"{site.base}/login/oidc", timeout=60)
            assert answer.status_code == 503 and "API token" in answer.text
            with site.client() as client:
                assert client.get("/deliveries").status_code == 200


def test_without_a_provider_there_is_no_such_way_in(tmp_path: Path, browser: Any) -> None:
    with console_site(tmp_path) as site:
        assert httpx.get(f"{site.base}/login/oidc").status_code == 404
        assert httpx.get(f"{site.base}/login/oidc/back").status_code == 404
        assert "login/oidc" not in httpx.get(f"{site.base}/login").text


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "provider.example"},
        {"grants": {}},
        {"grants": {"ops": {"shop": "god"}}},
        {"grants": {"ops": {"shop/": "owner"}}},
        {"scopes": ["email"]},
        {"client_secret_file": "/run/secret"},
        {"unknown": 1},
    ],
)
def test_settings_that_would_let_nobody_in_are_refused(
    running: IdentityProvider, changes: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match="console_oidc"):
        load_settings(**running.settings(**changes))


def test_the_clients_secret_is_read_from_a_file(running: IdentityProvider, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    settings = load_settings(**running.settings(client_secret=None, client_secret_file=file))
    assert settings.console_oidc is not None and settings.console_oidc.secret == "from a file"
