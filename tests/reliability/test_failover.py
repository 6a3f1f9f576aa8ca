"""A failover: the old server answers, takes no writes, and the address leads to the new one."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.servers.postgres import Postgres
from tests.servers.proxy import Proxy
from tests.support import PROJECT, SECRET, add_receiver, push, wait_for
from webhook_service.errors import StoreUnavailable
from webhook_service.service import WebhookService
from webhook_service.settings import Settings
from webhook_service.store import migrate
from webhook_service.store.database.database import Database
from webhook_service.testing.stub import StubDriver

PUSHES = 300


@pytest.fixture
def servers() -> Iterator[tuple[Postgres, Postgres]]:
    with Postgres() as old, Postgres() as new:
        yield old, new


def port(postgres: Postgres) -> int:
    return urlsplit(postgres.url).port or 0


def test_after_a_switchover_pushes_are_stored_again_without_a_restart(
    servers: tuple[Postgres, Postgres],
) -> None:
    old, new = servers
    for server in servers:
        database = Database(server.url)
        migrate.upgrade(database)
        database.close()
    with Proxy(port(old)) as address:
        url = f"postgresql://postgres@127.0.0.1:{address.port}/postgres"
        service = WebhookService.open(Settings(database_url=url, secret_key=SECRET))
        service.drivers.add("stub", StubDriver)
        with service:
            _, old_key = add_receiver(service, name="before")
            push(service, old_key, "0")
            wait_for(lambda: not service.backlog().open)
            # Demoted as a standby is: what is connected stays so, and may read.
            old.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            old.execute("SELECT pg_reload_conf()")
            wait_for(lambda: old.ask("SHOW default_transaction_read_only") == [("on",)])
            with pytest.raises(StoreUnavailable):
                push(service, old_key, "1")
            with pytest.raises(StoreUnavailable):
                service.ping()
            address.lead_to(port(new))
            wait_for(lambda: is_ready(service), 5)
            _, key = add_receiver(service, name="after")
            made = [push(service, key, str(n)).executions[0] for n in range(PUSHES)]
            wait_for(lambda: not service.backlog().open, 60)
            states = {service.get_execution(PROJECT, each).state for each in made}
    assert states <= {"succeeded", "superseded"}


def is_ready(service: WebhookService) -> bool:
    try:
        service.ping()
    except StoreUnavailable:
        return False
    return True
