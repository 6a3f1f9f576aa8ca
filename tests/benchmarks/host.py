"""The host as ``webhook-service serve`` starts it, with the stub driver: a process of its own."""

import argparse

from tests.support import make_service
from webhook_service.host.server import serve_on
from webhook_service.net.listener import bind
from webhook_service.settings import load_settings
from webhook_service.telemetry.logs import configure

# What senders may store is not what is measured.
UNLIMITED = {"max_open_executions": 0, "receiver_bytes_per_day": 0, "project_bytes_per_day": 0}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.host", description=__doc__)
    parser.add_argument("database_url")
    parser.add_argument("port", type=int)
    parser.add_argument("--run", action="store_true", help="run the executions too")
    options = parser.parse_args()
    settings = load_settings(
        database_url=options.database_url,
        secret_key="of no importance here",
        address_rate=0,
        receiver_rate=0,
    )
    configure(settings.log_format)
    service = make_service(options.database_url, run=options.run, settings=UNLIMITED)
    with bind("127.0.0.1", options.port) as listener:
        serve_on(listener, settings, service)


if __name__ == "__main__":
    main()
