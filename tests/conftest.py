"""What all tests share: real servers as fixtures, and the rules for skipping."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.reliability.release import FIRST_RELEASE, history_has_it
from tests.servers.control_plane import NEWER, ControlPlane, assets
from tests.servers.listener import Listener
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.servers.registry import Registry
from tests.servers.requirements import VARIABLE, all_required
from webhook_service.telemetry.logs import STRANGERS

MARKERS = (
    "control_plane: needs the real Kubernetes control plane; tests with the fixture get the mark",
    "newer_control_plane: needs a newer Kubernetes; left out where " + NEWER + " names none",
    "history: builds the first release; left out of a clone without the history",
    "image_build: builds the image, for minutes; left out without --long",
    "browser: needs Chromium; tests with the fixture get the mark",
    "postgres: needs a real PostgreSQL; tests with the fixture get the mark",
    "rabbitmq: needs a real RabbitMQ; tests with the fixture get the mark",
    "redis: needs a real Redis; tests with the fixture get the mark",
    "e2e: several real parts together",
    "slow: takes more than a few seconds",
    "xdist_group(name): runs in one worker with the others of the group",
)
SEED = 20171206
# With `--dist loadgroup` a group stays in one worker. These servers take long to start: there is
# one of each. PostgreSQL starts in a second, and each worker that needs one has its own.
GROUPS = {
    "browser": "browser",
    "control_plane": "controlplane",
    "newer_control_plane": "newercontrolplane",
    "rabbitmq": "brokers",
    "redis": "brokers",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="what takes minutes, too")
    parser.addoption("--image", help="an OCI layout of what `make image` built, to be rolled out")
    parser.addoption("--seed", type=int, default=SEED, help="what random choices start from")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        names = {*getattr(item, "fixturenames", ()), *(mark.name for mark in item.iter_markers())}
        group = next((GROUPS[name] for name in GROUPS if name in names), None)
        if not group and "postgres" in names:
            group = f"postgres {item.location[0]}"
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
        for name in names & {*GROUPS, "postgres"}:
            item.add_marker(name)
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)
    if not os.environ.get(NEWER):
        leave_out(config, items, "newer_control_plane")
    if not config.getoption("--long"):
        leave_out(config, items, "image_build")
    if not history_has_it():
        leave_out(config, items, "history")


def _turn(item: pytest.Item) -> int:
    """What takes longest begins first, so that no worker is left alone with it at the end."""
    group = item.get_closest_marker("xdist_group")
    if group and group.args[0] in GROUPS.values():
        return 0
    return 1 if item.get_closest_marker("slow") or item.get_closest_marker("e2e") else 2


def pytest_report_header() -> str:
    there = "is" if history_has_it() else "is NOT (see git fetch --unshallow), so upgrades are not"
    return f"the first release, from which upgrades are tested: {FIRST_RELEASE} {there} tested"


def leave_out(config: pytest.Config, items: list[pytest.Item], marker: str) -> None:
    """Not a skip, which is a failure where everything must be there: nobody has to have this."""
    if left := [item for item in items if item.get_closest_marker(marker)]:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker(marker)]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values (bodies, keys made anew in each run) do not name tests: workers must agree."""
    return f"{argname}..." if isinstance(val, str | bytes) and len(val) > 64 else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Nobody reads skips in CI: where everything must be there, each one is a failure."""
    if report.skipped and all_required():
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} ({VARIABLE}=all)"


@pytest.fixture(autouse=True)
def all_lines() -> None:
    """No test is short of the lines that another one has used up."""
    STRANGERS.forget()


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long form of the reliability tests was asked for."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Given again with ``--seed``, the random choices of a failed run are the same."""
    seed = int(request.config.getoption("--seed"))
    print(f"--seed {seed}")
    return seed


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="session")
def newer_control_plane() -> Iterator[ControlPlane]:
    """Optional: for what the API of ``control_plane`` does not have."""
    with ControlPlane(assets(NEWER, "1.30 or newer")) as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A new namespace; it goes away on its own after the test."""
    name = control_plane.new_namespace()
    yield name
    control_plane.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # The tests crash the server, and not the machine: what it has written, it finds again.
    with Postgres(fsync=False) as running:
        yield running


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    with RabbitMQ() as running:
        yield running


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as running:
        yield running


StartRegistry = Callable[..., Registry]


@pytest.fixture
def start_registry() -> Iterator[StartRegistry]:
    """Called with the URL to notify (and headers), it gives a running registry."""
    with ExitStack() as stack:

        def start(notify: str | None, headers: Mapping[str, str] | None = None) -> Registry:
            return stack.enter_context(Registry(notify, headers))

        yield start
