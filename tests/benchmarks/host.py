"""The host as ``webhook-service serve`` starts it, with the stub driver: a process of its own."""

import argparse
import sys

from tests.support import make_service
from webhook_service.host.server import serve_on
from webhook_service.net.listener import bind
from webhook_service.processes.child import HostPlace
from webhook_service.processes.parent import serve_in_processes
from webhook_service.service import WebhookService
from webhook_service.settings import Settings, load_settings
from webhook_service.telemetry.logs import configure
from webhook_service.telemetry.metrics import Metrics

# What senders may store is not what is measured.
UNLIMITED = {"max_open_executions": 0, "receiver_bytes_per_day": 0, "project_bytes_per_day": 0}
CHILD = "--child"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.host", description=__doc__)
    parser.add_argument("database_url")
    parser.add_argument("port", type=int)
    parser.add_argument("--run", action="store_true", help="run the executions too")
    parser.add_argument("--metrics", action="store_true", help="count, and serve what it came to")
    parser.add_argument("--processes", type=int, default=1, help="behind one parent")
    options = parser.parse_args()
    settings = load_settings(
        database_url=options.database_url,
        listen=f"127.0.0.1:{options.port}",
        secret_key="of no importance here",
        address_rate=0,
        receiver_rate=0,
    )
    configure(settings.log_format)
    if options.processes > 1:
        child = (sys.executable, "-m", "tests.benchmarks.host", CHILD)
        sys.exit(serve_in_processes(settings, options.processes, child))
    service = make_service(options.database_url, run=options.run, settings=UNLIMITED)
    metrics = Metrics(service.backlog, service.written, service.store.now)
    if options.metrics:
        service.observers.add(metrics)
    with bind("127.0.0.1", options.port) as listener:
        serve_on(listener, settings, service, metrics=metrics.text if options.metrics else None)


def serve_as_child(listener: int, parent: int) -> None:
    place = HostPlace.taken(listener, parent)
    configure(place.settings.log_format)
    place.serve(open_service)


def open_service(settings: Settings) -> WebhookService:
    return make_service(settings.database_url, run=False, settings=UNLIMITED)


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        serve_as_child(*map(int, sys.argv[2:]))
    else:
        main()
