"""Pure faults of an API server, served by kmock: what the driver makes of them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import kmock
import pytest

from tests.drivers.faulty import kubeconfig
from tests.drivers.steps import SHA, config, context, push
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_service import DriverError, Retry

PATH = "/apis/apps/v1/namespaces/default/deployments/shop"


@contextmanager
def served(prepare: Callable[[kmock.RawHandler], None]) -> Iterator[str]:
    """The URL of a kmock server that runs in a thread of its own."""
    ready, url, loop = threading.Event(), [""], asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with kmock.RawHandler() as handler, kmock.Server(handler) as server:
            prepare(handler)
            url[0] = str(server.url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield url[0].rstrip("/")
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def outcome(folder: Path, answer: Any) -> BaseException:
    """What a first step raises when the API answers like this."""
    with served(lambda handler: handler[f"get {PATH}"] << answer) as url:
        clusters = Clusters({"kubeconfig": str(kubeconfig(folder, main=url))}, 0.5, 0.5)
        with closing(DeploymentUpdate(clusters=clusters)) as driver:
            with pytest.raises(DriverError) as caught:
                driver.execute(config(), push("2", SHA), context(1))
            return caught.value


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_or_broken_server_is_tried_again(tmp_path: Path, status: int) -> None:
    assert isinstance(outcome(tmp_path, status), Retry)


def test_a_server_that_hangs_is_tried_again(tmp_path: Path) -> None:
    found = outcome(tmp_path, lambda: asyncio.sleep(3))
    assert isinstance(found, Retry) and found.reason == "unreachable"


def test_a_cut_answer_is_tried_again(tmp_path: Path) -> None:
    assert isinstance(outcome(tmp_path, b'{"kind": "Deployment", "metadata": {'), Retry)


def test_a_refusal_is_final(tmp_path: Path) -> None:
    found = outcome(tmp_path, 403)
    assert not isinstance(found, Retry) and found.reason == "forbidden"  # type: ignore[attr-defined]
