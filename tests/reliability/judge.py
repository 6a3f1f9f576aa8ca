"""What must hold at the end, whatever died meanwhile."""

from collections import Counter

from tests.e2e.host import ENDED, Host
from tests.reliability.farm import Farm
from tests.reliability.load import Load
from tests.support import wait_for

# A retry after an outage may be two minutes away.
SETTLE = 180.0


def judge(farm: Farm, load: Load, host: Host) -> Counter[str]:
    """Wait until everything has ended, and check the promises; gives the states' counts."""
    assert not load.failed, f"never answered: {load.failed[:5]}"
    assert len(load.accepted) == len(load.pushes)
    states = wait_for_ends(host, load.executions)
    for name in {push.target for push in load.accepted}:
        check_target(farm, load, name)
    return Counter(states.values())


def check_target(farm: Farm, load: Load, name: str) -> None:
    numbers = [push.number for push in load.accepted if push.target == name]
    wait_for(lambda: _number(farm.image(name)) == max(numbers))
    # The watch may lag behind the reads.
    wait_for(lambda: _number(farm.history[name][-1]) == max(numbers))
    seen = [_number(image) for image in farm.history[name]]
    assert seen == sorted(seen), f"{name}: an older image came after a newer one: {seen}"
    assert len(seen) == len(set(seen)), f"{name}: a push was rolled twice: {seen}"


def wait_for_ends(host: Host, executions: set[str], seconds: float = SETTLE) -> dict[str, str]:
    """The states of the executions once all have ended."""
    known: dict[str, str] = {}

    def ended() -> bool:
        known.update(_states(host))
        return all(known.get(id_) in ENDED for id_ in executions)

    try:
        wait_for(ended, seconds)
    except AssertionError:
        left = Counter(known.get(id_, "lost") for id_ in executions)
        raise AssertionError(f"after {seconds} s: {dict(left)}") from None
    return known


def _states(host: Host) -> dict[str, str]:
    found: dict[str, str] = {}
    url = "/executions?limit=1000"
    while url:
        page = host.api.get(url).json()
        found.update({item["id"]: item["state"] for item in page["data"]})
        url = (page.get("pagination") or {}).get("next", "")
    return found


def _number(image: str) -> int:
    return int(image.partition("@")[0].rpartition(":")[2])
