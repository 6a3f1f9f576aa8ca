"""``/metrics`` beside the API: for whom it is, and for whom not."""

from collections.abc import Mapping
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from webhook_service.errors import Unauthenticated
from webhook_service.host.api.metrics import MetricsPage

TOKEN = "a token of the monitoring"
HERE, ELSEWHERE = ("127.0.0.1", 1), ("192.0.2.1", 1)


def status(
    client: tuple[str, int], headers: Mapping[str, str] | None = None, token: str | None = TOKEN
) -> int:
    def refused(_: Any, exc: Exception) -> Any:
        return PlainTextResponse(str(exc), 401)

    page = MetricsPage(lambda: b"webhook_writes_total 1\n", token)
    app = Starlette(routes=page.routes(), exception_handlers={Unauthenticated: refused})

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as caller:
            return await caller.get("/metrics", headers=dict(headers or {}))

    answer = anyio.run(get)
    assert (answer.text == "webhook_writes_total 1\n") is (answer.status_code == 200)
    return answer.status_code


@pytest.mark.parametrize("client", [HERE, ("::1", 1), ("127.8.9.1", 1)])
def test_programs_of_this_machine_need_no_token(client: tuple[str, int]) -> None:
    assert status(client) == status(client, token=None) == 200


@pytest.mark.parametrize(
    "header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"]
)
def test_what_a_proxy_of_this_machine_hands_over_needs_the_token(header: str) -> None:
    assert status(HERE, {header: "127.0.0.1"}) == 401
    assert status(HERE, {header: "127.0.0.1", "Authorization": f"Bearer {TOKEN}"}) == 200


def test_other_machines_need_the_token() -> None:
    assert status(ELSEWHERE, {"Authorization": f"Bearer {TOKEN}"}) == 200
    assert status(ELSEWHERE, {"Authorization": f"bearer {TOKEN}"}) == 200


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_a_wrong_token_is_refused(sent: str) -> None:
    assert status(ELSEWHERE, {"Authorization": sent}) == 401


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer None"])
def test_without_a_setting_no_token_is_right(sent: str) -> None:
    assert status(ELSEWHERE, {"Authorization": sent}, token=None) == 401
