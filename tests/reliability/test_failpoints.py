"""The process dies at each named place on the way of a push; started again, it ends right."""

import pytest

from tests.reliability.conftest import StartHosts, endpoints
from tests.reliability.farm import Farm
from tests.reliability.judge import judge
from tests.reliability.load import Load, pushes
from tests.servers.process import wait_until
from webhook_service.failpoints import VARIABLE

PLACES = (
    "host.read",
    "accept.matched",
    "accept.stored",
    "writer.before_commit",
    "writer.after_commit",
    "accept.committed",
    "host.answered",
    "claim.before_commit",
    "claim.committed",
    "step.claimed",
    "patch.before",
    "patch.sent",
    "step.done",
    "record.before",
    "record.before_commit",
    "record.committed",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("place", PLACES)
def test_a_crash_there_loses_nothing_and_doubles_nothing(
    farm: Farm, start_hosts: StartHosts, place: str, long: bool, seed: int
) -> None:
    [host] = hosts = start_hosts(1)
    urls = endpoints(farm, hosts)
    for number in range(10 if long else 1):
        host.kill()
        # Claims and commits happen before there are pushes, too: those are not meant.
        turn = number % 3 + (8 if place.startswith(("writer.", "claim.")) else 1)
        host.start({VARIABLE: f"{place}=kill@{turn}"})
        some = pushes(farm.names[:5], 10, seed + number, after=number * 10)
        with Load(urls, some, rate=100) as load:
            assert wait_until(lambda: not host.process.running, 20), f"{place} was never reached"
            host.start()
        judge(farm, load, host)
