from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.host import Host
from tests.reliability.farm import NAMESPACE, REPOSITORY, Farm
from tests.servers.postgres import Postgres

StartHosts = Callable[..., list[Host]]


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with Farm(tmp_path, size=10) as farm:
        yield farm


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The URL of a new PostgreSQL database with our tables."""
    return postgres.new_migrated_database()


@pytest.fixture
def start_hosts(tmp_path: Path, farm: Farm) -> Iterator[StartHosts]:
    """Called with how many and their settings, it gives running hosts on one database."""
    with ExitStack() as stack:

        def start(count: int = 1, kubeconfig: Path | None = None, **settings: str) -> list[Host]:
            hosts = []
            for number in range(count):
                folder = tmp_path / f"host-{number}"
                folder.mkdir()
                host = Host(folder, kubeconfig or farm.kubeconfig, SETTINGS | settings)
                hosts.append(stack.enter_context(host))
            return hosts

        yield start


# One address sends everything here, faster than one registry would.
SETTINGS = {"LEASE_SECONDS": "2", "SECRET_KEY": "a secret key of the tests"}


def endpoints(farm: Farm, hosts: Sequence[Host]) -> dict[str, Sequence[str]]:
    """A receiver per target, made on the first host; its URL at each host."""
    urls = {}
    for name in farm.names:
        config = {"namespace": NAMESPACE, "name": name}
        made = hosts[0].create_receiver(
            name=name,
            driver="deploymentUpdate",
            deploymentUpdateConfig=config,
            match={"repositories": [REPOSITORY]},
            verify={"scheme": "none"},
        )
        path = made["url"].removeprefix(hosts[0].url)
        urls[name] = [f"{host.url}{path}" for host in hosts]
    return urls
