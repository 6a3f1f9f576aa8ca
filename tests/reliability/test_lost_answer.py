"""A fault of the host around the answer: nothing, or all of it, is stored, and said again."""

import httpx
import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import REPOSITORY, Farm
from webhook_service.testing.samples import dockerhub_push

PUSH = dockerhub_push(REPOSITORY, "1.2.3")

pytestmark = [pytest.mark.slow]


def test_a_push_whose_answer_was_lost_is_a_duplicate_when_it_comes_again(
    farm: Farm, start_hosts: StartHosts
) -> None:
    (host,) = start_hosts(1, FAILPOINTS="host.read=error,host.answered=error")
    url = endpoints(farm, [host])[farm.names[0]][0]
    assert httpx.post(url, content=PUSH).status_code == 500
    assert host.executions() == []
    assert httpx.post(url, content=PUSH).status_code == 500
    (execution,) = host.executions()
    answer = httpx.post(url, content=PUSH)
    assert (answer.status_code, answer.json()["state"]) == (200, "duplicate")
    assert answer.json()["executions"] == [execution["id"]]
