"""Who may do what: every route without credentials, every role, every foreign id."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection
from starlette.routing import Route

from tests.host.served import Served, serving
from tests.support import PROJECT, add_receiver, make_service, push, receiver_body, sqlite_url
from webhook_service.host.api.callers.auth import (
    FirstOf,
    Identity,
    ProxyAuthenticator,
    TokenAuthenticator,
)
from webhook_service.host.app import create_app
from webhook_service.host.server import _authenticator
from webhook_service.model.ids import RECEIVER, new_id, new_token
from webhook_service.model.people.tokens import Role
from webhook_service.settings import load_settings

ANY = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN = {
    *((method, "/v1-webhooks/endpoint") for method in ANY),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/vote"),
    ("POST", "/vote"),
    ("GET", "/v1-webhooks"),
}
LOCALHOST = [ip_network("127.0.0.0/8")]
READONLY_ROLES = ["readonly", "restricted", "v1-readonly", "v1-restricted", "admin, ReadOnly"]


def _all_routes(served: Served) -> list[tuple[str, str]]:
    app = create_app(served.service, manage_service=False)
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) == len(app.routes)
    found = {(method, route.path) for route in routes for method in route.methods or ()}
    return sorted((method, path) for method, path in found if method != "HEAD")


def _send(client: httpx.Client, method: str, path: str, **query: str) -> httpx.Response:
    path = path.replace("{id}", query.pop("id", "x"))
    return client.request(method, path, params=query, json=receiver_body())


def test_every_route_has_both_slash_forms(served: Served) -> None:
    routes = _all_routes(served)
    assert len(routes) == len(set(routes)) >= 28
    plain = {(method, path) for method, path in routes if not path.endswith("/")}
    assert {(method, f"{path}/") for method, path in plain} == set(routes) - plain


def test_no_route_answers_strangers_but_the_open_ones(
    served: Served, stranger: httpx.Client
) -> None:
    for method, path in _all_routes(served):
        for authorization in ("", f"Bearer {new_token()}", "Bearer x", "Basic eDp5"):
            stranger.headers["Authorization"] = authorization
            stranger.headers["X-API-Roles"] = "owner"
            answer = _send(stranger, method, path, projectId=PROJECT)
            if (method, path.rstrip("/")) in OPEN:
                assert answer.status_code in (200, 400, 404)
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert served.service.list_receivers(PROJECT).items == ()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1-webhooks/nope"),
        ("GET", "/v1-webhooks/endpoint"),
        ("PATCH", "/v1-webhooks/receivers/x"),
        ("DELETE", "/v1-webhooks/receivers"),
        ("GET", "/v1-webhooks/receivers/x/rotate"),
        ("GET", "//v1-webhooks/receivers"),
        ("GET", "/v1-webhooks/receivers/a/b"),
        ("POST", "/healthz"),
    ],
)
def test_unknown_routes_and_methods_answer_like_v1_6(
    shared_stranger: httpx.Client, method: str, path: str
) -> None:
    answer = shared_stranger.request(method, str(shared_stranger.base_url).rstrip("/") + path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_head_answers_like_get_without_a_body(owner: httpx.Client) -> None:
    answer = owner.head("/v1-webhooks/receivers")
    assert (answer.status_code, answer.content) == (200, b"")


# Roles: what each one is answered on each route.
MATRIX = [
    ("GET", "/v1-webhooks/receivers", 200, 200, 200),
    ("GET", "/v1-webhooks/receivers/{id}", 200, 200, 200),
    ("GET", "/v1-webhooks/deliveries", 200, 200, 200),
    ("GET", "/v1-webhooks/executions", 200, 200, 200),
    ("GET", "/v1-webhooks/schemas", 200, 200, 200),
    ("PUT", "/v1-webhooks/receivers/{id}", 200, 200, 405),
    ("POST", "/v1-webhooks/receivers/{id}/rotate", 200, 405, 405),
    ("POST", "/v1-webhooks/receivers", 400, 400, 405),  # the name is taken
    ("DELETE", "/v1-webhooks/receivers/{id}", 204, 204, 405),
]


@pytest.mark.parametrize(("method", "path", "owner", "member", "readonly"), MATRIX)
def test_roles(
    served: Served, method: str, path: str, owner: int, member: int, readonly: int
) -> None:
    for role, status in (
        (Role.READONLY, readonly),
        (Role.MEMBER, member),
        (Role.OWNER, owner),
    ):
        id_, _ = add_receiver(served.service, name="shop" if role == Role.READONLY else role)
        with served.client(role) as client:
            body = {} if path.endswith("rotate") else receiver_body()
            answer = client.request(method, path.replace("{id}", id_), json=body)
            if method == "PUT":
                answer = client.put(path.replace("{id}", id_), json={"state": "suspended"})
        assert answer.status_code == status, (role, answer.text)


@pytest.mark.parametrize(
    ("method", "suffix", "word"),
    [("POST", "", "create"), ("PUT", "/x", "update"), ("DELETE", "/x", "delete")]
    + [("POST", "/x/rotate", "rotate")],
)
def test_readonly_is_refused_in_v1_6s_words(
    readonly: httpx.Client, method: str, suffix: str, word: str
) -> None:
    answer = readonly.request(method, f"/v1-webhooks/receivers{suffix}", json={})
    assert answer.status_code == 405
    assert answer.json()["message"] == f"user doesn't have the access to {word} webhook"


def test_only_those_who_may_change_see_urls(
    served: Served, owner: httpx.Client, member: httpx.Client, readonly: httpx.Client
) -> None:
    id_, key = add_receiver(served.service)
    for client in (owner, member):
        assert key in client.get("/v1-webhooks/receivers").text
        assert key in client.get(f"/v1-webhooks/receivers/{id_}").text
    for path in ("", f"/{id_}"):
        assert "url" not in readonly.get(f"/v1-webhooks/receivers{path}").json()
        assert "whk_" not in readonly.get(f"/v1-webhooks/receivers{path}").text


def test_the_token_s_project_need_not_be_named(owner: httpx.Client) -> None:
    named = owner.get("/v1-webhooks/receivers", params={"projectId": PROJECT})
    assert named.content == owner.get("/v1-webhooks/receivers").content
    version = owner.get("/v1-webhooks").json()
    assert version["links"]["receivers"].endswith(f"/v1-webhooks/receivers?projectId={PROJECT}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1-webhooks/receivers/{id}"),
        ("PUT", "/v1-webhooks/receivers/{id}"),
        ("DELETE", "/v1-webhooks/receivers/{id}"),
        ("POST", "/v1-webhooks/receivers/{id}/rotate"),
        ("GET", "/v1-webhooks/deliveries/{id}"),
        ("GET", "/v1-webhooks/executions/{id}"),
    ],
)
def test_foreign_ids_answer_like_unknown_ones(
    served: Served, owner: httpx.Client, method: str, path: str
) -> None:
    foreign, key = add_receiver(served.service, project="other")
    told = push(served.service, key, project="other")
    ids = {"receivers": foreign, "deliveries": told.id, "executions": told.executions[0]}
    id_ = ids[path.split("/")[2]]
    body: Any = {} if path.endswith("rotate") else {"state": "suspended"}

    def answer(id_: str, **query: str) -> tuple[int, bytes]:
        sent = owner.request(method, path.replace("{id}", id_), params=query, json=body)
        return sent.status_code, sent.content.replace(id_.encode(), b"ID")

    answers = {
        answer(new_id(RECEIVER)),
        answer(id_),
        answer(id_, projectId="other"),
        answer(id_, projectId="no such project"),
        answer("x" * 4000),
    }
    assert len(answers) == 1 and answers.pop()[0] == 404
    assert served.service.get_receiver("other", foreign).version == 1
    assert served.service.receiver_key("other", foreign) == key


def test_collections_of_a_foreign_project_are_not_there(
    served: Served, owner: httpx.Client
) -> None:
    add_receiver(served.service, project="other")
    for kind in ("receivers", "deliveries", "executions"):
        answers = {
            owner.get(f"/v1-webhooks/{kind}", params={"projectId": project}).content
            for project in ("other", "no such project")
        }
        assert len(answers) == 1 and b"Project not found" in answers.pop()


def test_a_revoked_token_ends_at_once(served: Served, owner: httpx.Client) -> None:
    (token,) = served.service.store.tokens.list(PROJECT)
    assert owner.get("/v1-webhooks/receivers").status_code == 200
    served.service.store.tokens.revoke(token.id)
    assert owner.get("/v1-webhooks/receivers").status_code == 401


# Roles from a proxy


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Served]:
    service = make_service(sqlite_url(tmp_path))
    both = FirstOf(TokenAuthenticator(service), ProxyAuthenticator(LOCALHOST))
    with serving(service, authenticator=both, trusted_proxies=LOCALHOST) as running:
        yield running


@pytest.mark.parametrize("roles", READONLY_ROLES)
def test_the_proxy_s_restricted_roles_only_look(proxied: Served, roles: str) -> None:
    with proxied.client(None) as client:
        client.headers["X-API-Roles"] = roles
        query = {"projectId": PROJECT}
        assert client.get("/v1-webhooks/receivers", params=query).status_code == 200
        answer = client.post("/v1-webhooks/receivers", params=query, json=receiver_body())
        assert answer.status_code == 405


def test_other_roles_of_the_proxy_may_do_everything_in_any_project(proxied: Served) -> None:
    with proxied.client(None) as client:
        client.headers["X-API-Roles"] = "project-owner"
        made = client.post(
            "/v1-webhooks/receivers", params={"projectId": "any"}, json=receiver_body()
        )
        assert made.status_code == 200
        assert client.get("/v1-webhooks/receivers").status_code == 400
        assert client.post(f"{_path(made)}/rotate?projectId=any").status_code == 200


@pytest.mark.parametrize("form", ["x:{}", "{}:", "{}:x", ":{}"])
def test_a_token_may_be_the_user_or_the_password_of_basic(served: Served, form: str) -> None:
    _, secret = served.service.create_token(PROJECT, Role.OWNER)
    sent = b64encode(form.format(secret).encode()).decode()
    with served.client(None) as client:
        client.headers["Authorization"] = f"Basic {sent}"
        assert client.get("/v1-webhooks/receivers").status_code == 200


@pytest.mark.parametrize("sent", ["x", "w6Q", "/w==", "d2h0X3g6d2h0X3k=", "eDp5 eDp5"])
def test_basic_without_a_token_is_nobody(served: Served, sent: str) -> None:
    with served.client(None) as client:
        client.headers["Authorization"] = f"Basic {sent}"
        assert client.get("/v1-webhooks/receivers").status_code == 401


@pytest.mark.parametrize(
    "roles", ["nobody", "deny", "owner, nobody", "readonly,x", "v2-owner", "0"]
)
def test_a_role_of_the_proxy_that_is_not_known_is_refused(proxied: Served, roles: str) -> None:
    with proxied.client(None) as client:
        client.headers["X-API-Roles"] = roles
        for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/x"), ("POST", "/x/rotate")):
            answer = client.request(method, f"/v1-webhooks/receivers{path}?projectId=any")
            assert (answer.status_code, answer.json()["code"]) == (405, "role_not_allowed")
            assert "must send owner, member or readonly" in answer.text
    assert proxied.service.list_receivers("any").items == ()


@pytest.mark.parametrize(
    ("roles", "made", "rotated"),
    [("owner", 200, 404), ("V1-Admin", 200, 404), ("member", 200, 405), ("owner,user", 200, 405)],
)
def test_the_least_of_the_proxy_s_roles_counts(
    proxied: Served, roles: str, made: int, rotated: int
) -> None:
    with proxied.client(None) as client:
        client.headers["X-API-Roles"] = roles
        query = {"projectId": PROJECT}
        answer = client.post("/v1-webhooks/receivers", params=query, json=receiver_body())
        assert answer.status_code == made
        assert client.post("/v1-webhooks/receivers/x/rotate", params=query).status_code == rotated


def _votes(client: httpx.Client, execution: str, users: list[str | None]) -> list[str]:
    """Let users of a proxy approve an execution; who has voted then."""
    path = f"/v1-webhooks/executions/{execution}"
    for user in users:
        headers = {} if user is None else {"X-API-User": user}
        answer = client.post(f"{path}/approve", headers=headers)
        assert answer.status_code == 200, answer.text
    return [vote["voter"] for vote in answer.json()["approval"]["votes"]]


@contextmanager
def _with_users(folder: Path, networks: Any = LOCALHOST) -> Iterator[tuple[Served, str]]:
    """A host whose proxy names users, and an execution that two people must approve."""
    settings = load_settings(
        proxy_roles=True, proxy_user_header="X-API-User", trusted_proxies=tuple(networks)
    )
    service = make_service(sqlite_url(folder))
    authenticator = _authenticator(settings, service)
    with serving(service, authenticator=authenticator, trusted_proxies=LOCALHOST) as served:
        _, key = add_receiver(service, approval={"count": 4}, verify={"scheme": "none"})
        yield served, push(service, key).executions[0]


def test_a_user_of_the_proxy_has_one_vote_whatever_the_token_the_address_or_the_case(
    tmp_path: Path,
) -> None:
    with _with_users(tmp_path) as (served, execution):
        for address in ("198.51.100.1", "198.51.100.2"):
            with served.client() as client:
                client.headers["X-Forwarded-For"] = address
                voters = _votes(client, execution, ["alice", "ALICE"])
        assert voters == ["user:alice"]
        with served.client(None) as client:
            client.headers["X-API-Roles"] = "member"
            client.params = {"projectId": PROJECT}
            assert _votes(client, execution, ["Alice", None, None, ""]) == ["user:alice", "proxy"]
            # As a link in a mail, and a login at an identity provider, name this person.
            last = _votes(client, execution, ["Bo@Example.com"])
            assert last == ["user:alice", "proxy", "bo@example.com"]
        assert served.service.get_execution(PROJECT, execution).state == "held"


def test_a_request_with_two_users_is_nobody_s(tmp_path: Path) -> None:
    with _with_users(tmp_path) as (served, execution), served.client() as client:
        for headers in (
            [("X-API-User", "alice"), ("X-API-User", "bob")],
            [("X-API-User", "a" * 201)],
        ):
            path = f"/v1-webhooks/executions/{execution}/approve"
            assert client.post(path, headers=headers).status_code == 401


def test_the_user_header_means_nothing_from_elsewhere(tmp_path: Path) -> None:
    elsewhere = [ip_network("10.0.0.0/8")]
    with _with_users(tmp_path, elsewhere) as (served, execution), served.client() as client:
        (voter,) = _votes(client, execution, ["alice", "bob"])
        assert voter.startswith("tok_")


def _path(made: httpx.Response) -> str:
    return f"/v1-webhooks/receivers/{made.json()['id']}"


@pytest.mark.parametrize("roles", [None, "", ","])
def test_without_roles_the_proxy_s_callers_are_unknown(proxied: Served, roles: str | None) -> None:
    with proxied.client(None) as client:
        headers = {} if roles is None else {"X-API-Roles": roles}
        answer = client.get("/v1-webhooks/receivers?projectId=1a5", headers=headers)
        assert answer.status_code == 401


def test_a_wrong_token_is_not_made_good_by_the_proxy(proxied: Served) -> None:
    with proxied.client(None) as client:
        headers = {"Authorization": f"Bearer {new_token()}", "X-API-Roles": "owner"}
        answer = client.get("/v1-webhooks/receivers?projectId=1a5", headers=headers)
        assert answer.status_code == 401


def test_the_role_header_means_nothing_from_elsewhere(tmp_path: Path) -> None:
    elsewhere = ProxyAuthenticator([ip_network("10.0.0.0/8")])
    with (
        serving(make_service(sqlite_url(tmp_path)), authenticator=elsewhere) as served,
        served.client(None) as client,
    ):
        client.headers["X-API-Roles"] = "owner"
        assert client.get("/v1-webhooks/receivers?projectId=1a5").status_code == 401


def test_an_embedding_application_brings_its_own_callers(tmp_path: Path) -> None:
    def session(request: HTTPConnection, /) -> Identity | None:
        user = request.cookies.get("user")
        return Identity("theirs", Role.MEMBER, user) if user else None

    with (
        serving(make_service(sqlite_url(tmp_path)), authenticator=session) as served,
        served.client(None) as client,
    ):
        assert client.get("/v1-webhooks/receivers").status_code == 401
        client.cookies.set("user", "ada")
        assert client.get("/v1-webhooks/receivers").status_code == 200
