"""Answers hold keys and tokens, and are not to be kept, whatever the call and its end."""

import httpx
import pytest
from starlette.routing import Route

from tests.host.served import Served
from tests.support import PROJECT, add_receiver, receiver_body
from webhook_service.host.app import create_app
from webhook_service.testing.samples import dockerhub_push

CAREFUL = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _is_careful(answer: httpx.Response) -> bool:
    return all(answer.headers.get_list(name) == [value] for name, value in CAREFUL.items())


def test_no_answer_of_any_route_is_kept(served: Served) -> None:
    id_, _ = add_receiver(served.service)
    app = create_app(served.service, manage_service=False)
    routes = [route for route in app.routes if isinstance(route, Route)]
    with served.client() as owner, served.client(None) as stranger:
        for client in (stranger, owner):
            for route in routes:
                for method in route.methods or ():
                    path = route.path.replace("{id}", id_)
                    answer = client.request(
                        method, path, params={"projectId": PROJECT}, json=receiver_body()
                    )
                    assert _is_careful(answer), (method, path, answer.status_code)


def test_no_answer_to_a_sender_is_kept(
    served: Served, stranger: httpx.Client, receiver: tuple[str, str]
) -> None:
    query = {"key": receiver[1], "projectId": PROJECT}
    for content in (dockerhub_push("acme/shop", "1"), b"{", b"x" * 2_000_000):
        assert _is_careful(stranger.post("/v1-webhooks/endpoint", params=query, content=content))


def test_no_answer_to_what_is_unknown_or_failed_is_kept(
    served: Served, owner: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _is_careful(owner.get("/nothing"))

    def fails(*args: object, **more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(served.service, "list_receivers", fails)
    answer = owner.get("/v1-webhooks/receivers")
    assert answer.status_code == 500 and _is_careful(answer)
