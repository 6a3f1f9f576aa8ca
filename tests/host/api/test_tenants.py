"""The tenant matrix: what each caller gets on each route, for its own ids and for others'.

A route that is not in ``CASES`` fails ``test_every_route_is_in_the_matrix``: say there what callers
of each role get. Whoever asks for another project's object gets what a missing one gives, byte for
byte, and nothing of that project changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from starlette.routing import Route

from tests.host.served import Served, serving
from tests.support import add_inbox, add_receiver, make_service, push, receiver_body, sqlite_url
from webhook_service.host.app import create_app
from webhook_service.model.ids import DELIVERY, EXECUTION, INBOX, RECEIVER, new_id, new_key
from webhook_service.model.notification import NOTIFICATION, notices_of
from webhook_service.model.people.hold import HOLD
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService
from webhook_service.store.tables import metadata

ALPHA, BETA = "alpha", "beta"
PREFIX = "/v1-webhooks"
CANARY = "canary-of-beta"
UNSIGNED = {"scheme": "none"}
CALLERS = ("owner", "member", "readonly", "none", "key")


@dataclass(frozen=True)
class Case:
    """One route, and what callers of its project are answered for their own ids.

    ``statuses`` are of owner, member and readonly, of a caller without credentials, and of one
    with an endpoint key in place of a token. ``open`` routes ask for no credentials.
    """

    method: str
    path: str
    statuses: tuple[int, int, int, int, int]
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    open: bool = False

    @property
    def kind(self) -> str:
        return self.path.split("/")[2] if "{id" in self.path else ""


def looks(path: str, status: int = 200) -> Case:
    return Case("GET", f"{PREFIX}{path}", (status, status, status, 401, 401))


def changes(method: str, path: str, status: int, body: Any = None) -> Case:
    return Case(method, f"{PREFIX}{path}", (status, status, 405, 401, 401), body)


def owners(method: str, path: str, status: int, body: Any = None) -> Case:
    return Case(method, f"{PREFIX}{path}", (status, 405, 405, 401, 401), body)


TOKEN_PATH, INBOX_PATH = "/tokens/{id}", "/inboxes/{id}"
NOTIFICATION_PATH = "/notifications/{id}"
NOTICE_PATH = f"{NOTIFICATION_PATH}/notices/{{notice}}"
RECEIVER_PATH, EXECUTION_PATH = "/receivers/{id}", "/executions/{id}"
CALL = {"body": {"push_data": {"tag": "1"}, "repository": {"repo_name": "acme/shop"}}}
CASES = [
    Case("GET", "/healthz", (200,) * 5, open=True),
    Case("GET", "/readyz", (200,) * 5, open=True),
    Case("GET", "/vote", (404,) * 5, open=True),
    Case("POST", "/vote", (404,) * 5, {}, open=True),
    Case("GET", PREFIX, (200, 200, 200, 200, 200), query={"projectId": ALPHA}, open=True),
    Case("POST", f"{PREFIX}/endpoint", (400,) * 5, open=True),
    Case("OPTIONS", f"{PREFIX}/endpoint", (404,) * 5, open=True),
    *[
        Case(method, f"{PREFIX}/endpoint", (404,) * 5, open=True)
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ],
    looks("/schemas"),
    looks("/schemas/{id:path}"),
    looks("/receivers"),
    looks(RECEIVER_PATH),
    looks(f"{RECEIVER_PATH}/history"),
    looks("/deliveries"),
    looks("/deliveries/{id}"),
    looks("/executions"),
    looks(EXECUTION_PATH),
    looks("/audit"),
    looks("/openapi.json"),
    looks("/projects"),
    *[
        looks(f"/{kind}{one}")
        for kind in ("drivers", "formats", "schemes")
        for one in ("", "/{id}")
    ],
    owners("GET", "/tokens", 200),
    owners("POST", "/tokens", 200, {"role": "readonly", "name": "of alpha"}),
    owners("GET", TOKEN_PATH, 200),
    owners("DELETE", TOKEN_PATH, 204),
    changes("POST", "/receivers", 400, receiver_body("shop")),  # the name is taken
    changes("POST", "/receivers/apply", 400, {"name": "of alpha"}),  # it names no driver
    changes("PUT", RECEIVER_PATH, 200, {"state": "active"}),
    changes("DELETE", RECEIVER_PATH, 204),
    changes("POST", f"{RECEIVER_PATH}/simulate", 200, CALL),
    changes("POST", f"{RECEIVER_PATH}/rollback", 400, {}),  # nothing was deployed yet
    owners("POST", f"{RECEIVER_PATH}/rotate", 200, {}),
    looks("/holds"),
    changes("POST", "/holds", 400, {"name": "of alpha"}),  # it does not say why
    changes("DELETE", "/holds/{id}", 204),
    looks("/inboxes"),
    looks(INBOX_PATH),
    changes("POST", "/inboxes", 400, {"name": "inbox of shop"}),  # it says nothing of its sender
    changes("PUT", INBOX_PATH, 200, {}),
    changes("DELETE", INBOX_PATH, 204),
    changes("POST", f"{INBOX_PATH}/simulate", 200, CALL),
    owners("POST", f"{INBOX_PATH}/rotate", 200, {}),
    looks("/notifications"),
    looks(NOTIFICATION_PATH),
    looks(f"{NOTIFICATION_PATH}/notices"),
    looks(NOTICE_PATH),
    changes("POST", "/notifications", 400, {"name": "of shop"}),  # it says no kind
    changes("PUT", NOTIFICATION_PATH, 200, {}),
    changes("DELETE", NOTIFICATION_PATH, 204),
    changes("POST", f"{NOTIFICATION_PATH}/test", 200, {}),
    changes("POST", f"{NOTICE_PATH}/replay", 400, {}),  # it has not ended
    changes("POST", "/executions/replay", 200, {"state": "cancelled"}),
    changes("POST", f"{EXECUTION_PATH}/replay", 400, {}),  # it has not ended
    changes("POST", f"{EXECUTION_PATH}/cancel", 200, {}),
    changes("POST", f"{EXECUTION_PATH}/abort", 200, {}),
    changes("POST", f"{EXECUTION_PATH}/approve", 200, {}),
    changes("POST", f"{EXECUTION_PATH}/refuse", 200, {}),
    changes("POST", f"{EXECUTION_PATH}/release", 400, {}),  # it waits for approval
]
# What is the same for all projects.
SHARED = {"schemas": "receiver", "drivers": "stub", "formats": "dockerhub", "schemes": "none"}
IDS = [f"{case.method} {case.path}" for case in CASES]


@dataclass(frozen=True)
class Tenant:
    """One project with an object of each kind."""

    ids: Mapping[str, str]
    key: str


@dataclass(frozen=True)
class Site:
    """A host with two projects."""

    served: Served
    alpha: Tenant
    beta: Tenant

    def client(self, caller: str, project: str = ALPHA) -> httpx.Client:
        if caller in ("none", "key"):
            client = self.served.client(None)
            if caller == "key":
                key = (self.alpha if project == ALPHA else self.beta).key
                client.headers["Authorization"] = f"Bearer {key}"
            return client
        return self.served.client(Role(caller), project)

    def rows(self, project: str) -> dict[str, Any]:
        """All that is stored of a project."""
        found = {}
        with self.served.service.store.database.read() as connection:
            for table in metadata.sorted_tables:
                if "project" in table.c:
                    told = [column for column in table.c if column.name != "used"]
                    mine = table.c.project.in_([project, notices_of(project)])
                    query = select(*told).where(mine)
                    found[table.name] = sorted(map(str, connection.execute(query)))
            keys = metadata.tables["keys"]
            of_project = select(metadata.tables["receivers"].c.id).where(
                metadata.tables["receivers"].c.project == project
            )
            query = select(keys).where(keys.c.receiver.in_(of_project))
            found["keys"] = sorted(map(str, connection.execute(query)))
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    service = make_service(sqlite_url(tmp_path), run=False)
    alpha, beta = tenant(service, ALPHA, "shop"), tenant(service, BETA, CANARY)
    with serving(service) as served:
        yield Site(served, alpha, beta)


def tenant(service: WebhookService, project: str, name: str) -> Tenant:
    """A receiver that a member may change, with an execution that waits for approval."""
    rule = {"approval": {"count": 2}, "stubConfig": {"target": name}}
    receiver, key = add_receiver(service, project, name=name, verify=UNSIGNED, **rule)
    told = push(service, key, project=project)
    service.update_receiver(project, receiver, {"approval": None})
    token, _ = service.create_token(project, Role.READONLY, name=name)
    told_by = service.notifications.create(
        project,
        {
            "name": f"notification of {name}",
            "kind": "slack",
            "on": ["failed"],
            "slackConfig": {"url": f"https://example.com/{name.replace(' ', '-')}"},
        },
    )
    ids = {
        "receivers": receiver,
        "notifications": told_by.id,
        "notice": service.notifications.test(project, told_by.id).id,
        "inboxes": add_inbox(service, project, f"inbox of {name}"),
        "holds": service.holds.place(project, name, name=f"hold of {name}").id,
        "deliveries": told.id,
        "executions": told.executions[0],
        "tokens": token.id,
    }
    return Tenant({**ids, **SHARED}, key)


def send(
    client: httpx.Client, case: Case, ids: Mapping[str, str] | str, **query: str
) -> httpx.Response:
    id_ = ids if isinstance(ids, str) else ids.get(case.kind, "")
    notice = ids if isinstance(ids, str) else ids["notice"]
    path = case.path.replace("{id:path}", id_).replace("{id}", id_).replace("{notice}", notice)
    return client.request(case.method, path, params={**case.query, **query}, json=case.body)


def test_every_route_is_in_the_matrix(site: Site) -> None:
    app = create_app(site.served.service, manage_service=False)
    routes = [route for route in app.routes if isinstance(route, Route)]
    assert len(routes) == len(app.routes)
    there = {
        (method, route.path)
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
        if not route.path.endswith("/")
    }
    assert there == {(case.method, case.path) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_each_role_is_answered_as_the_matrix_says(site: Site, case: Case) -> None:
    for caller, status in zip(CALLERS, case.statuses, strict=True):
        mine = tenant(site.served.service, ALPHA, f"of {caller}")
        with site.client(caller) as client:
            before = site.rows(ALPHA)  # a token's making is in the audit
            answer = send(client, case, mine.ids)
        assert answer.status_code == status, (caller, answer.text)
        if status in (401, 405) or case.method == "GET":
            assert site.rows(ALPHA) == before
        assert CANARY not in answer.text


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_another_project_is_not_there(site: Site, case: Case) -> None:
    before = site.rows(BETA)
    missing = {
        "receivers": new_id(RECEIVER),
        "inboxes": new_id(INBOX),
        "notifications": new_id(NOTIFICATION),
        "notice": new_id(EXECUTION),
        "holds": new_id(HOLD),
        "deliveries": new_id(DELIVERY),
        "executions": new_id(EXECUTION),
        "tokens": new_id("tok"),
        **dict.fromkeys(SHARED, "no-such"),
    }
    of_all = {"openapi.json", *SHARED} & {*case.path.split("/")}
    for caller in CALLERS:
        with site.client(caller) as client:
            # Its ids in one's own project, and its ids with its name.
            for query in ({}, {"projectId": BETA}, {"projectId": "no-such-project"}):
                if case.open or (case.kind in ("", *SHARED) and not query):
                    continue
                foreign = send(client, case, site.beta.ids, **query)
                unknown = send(client, case, missing, **query)
                none = send(client, case, missing, projectId="no-such-project")
                if not of_all:
                    assert foreign.status_code in (401, 404, 405), (caller, query, foreign.text)
                    assert shown(foreign) == shown(unknown), (caller, query)
                    if query:
                        assert shown(foreign) == shown(none), (caller, query)
                assert CANARY not in foreign.text
    assert site.rows(BETA) == before


def shown(answer: httpx.Response) -> tuple[int, Any, Any]:
    """An answer without the link to what was asked, which repeats the id."""
    body = answer.json()
    body.pop("links", None)
    headers = {name: text for name, text in answer.headers.items() if name != "content-length"}
    headers.pop("date", None)
    return answer.status_code, body, sorted(headers)


@pytest.mark.parametrize("kind", ["receivers", "deliveries", "executions"])
def test_filters_find_nothing_of_another_project(site: Site, kind: str) -> None:
    filters = [{"id": site.beta.ids[kind]}, {"name": CANARY}]
    if kind != "receivers":
        filters = [{"id": site.beta.ids[kind]}, {"receiver": site.beta.ids["receivers"]}]
    for caller in ("owner", "member", "readonly"):
        with site.client(caller) as client:
            for query in filters:
                found = client.get(f"{PREFIX}/{kind}", params=query).json()
                assert found["data"] == [], (caller, query)
            assert CANARY not in client.get(f"{PREFIX}/{kind}").text


def test_a_replay_of_many_takes_nothing_of_another_project(site: Site) -> None:
    site.served.service.interventions.cancel(BETA, site.beta.ids["executions"])
    before = site.rows(BETA)
    with site.client("owner") as client:
        for dry_run in (True, False):
            body = {
                "state": "cancelled",
                "receiver": site.beta.ids["receivers"],
                "dryRun": dry_run,
            }
            answer = client.post(f"{PREFIX}/executions/replay", json=body).json()
            assert (answer["replayed"], answer["remaining"]) == ([], 0)
    assert site.rows(BETA) == before


def test_a_rollback_to_another_project_s_execution_is_one_to_none(site: Site) -> None:
    with site.client("owner") as client:
        path = f"{PREFIX}/receivers/{site.alpha.ids['receivers']}/rollback"
        answers = {
            shown(client.post(path, json={"to": id_}))[0]
            for id_ in (site.beta.ids["executions"], new_id(EXECUTION))
        }
        assert answers == {400}


def test_a_key_opens_the_endpoint_of_its_own_project_alone(site: Site) -> None:
    before = site.rows(BETA)
    with site.client("none") as client:
        answers = [
            client.post(f"{PREFIX}/endpoint", params={"key": key, "projectId": project}, json={})
            for key, project in (
                (site.alpha.key, BETA),
                (site.beta.key, ALPHA),
                (new_key(), BETA),
                (site.alpha.key, "no-such-project"),
            )
        ]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].status_code == 403
    assert site.rows(BETA) == before
