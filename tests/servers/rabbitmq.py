"""A RabbitMQ of the tests' own: its own node, cookie and port mapper, nothing left behind."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from amqp import Connection
from amqp.exceptions import AMQPError

from tests.servers.process import Process, accepts, free_port
from tests.servers.requirements import require, require_program

# Debian's wrapper on PATH goes to the system's own folders; the script behind it does not.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONTROL = SERVER.with_name("rabbitmqctl")
INSTALL = "apt-get install rabbitmq-server"


class RabbitMQ:
    """Use as a context manager; the broker keeps its port and durable queues over a stop."""

    def __init__(self) -> None:
        require("RabbitMQ", SERVER.exists(), INSTALL)
        self.folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self._port, mapper = free_port(), free_port()
        environment = os.environ | {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(mapper),
            "RABBITMQ_NODENAME": f"tests{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            # The script then becomes the server, so that a signal reaches it and nothing else.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +S 1:1 +sbwt none",
        }
        epmd = require_program("epmd", INSTALL)
        self._mapper = Process([epmd, "-port", str(mapper)], self.folder, env=environment)
        self._mapper_port = mapper
        self._environment = environment
        self._server = Process([SERVER], self.folder, env=environment)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def url_of(self, user: str, vhost: str = "%2F") -> str:
        """The URL for a user whose password is its name."""
        return f"amqp://{user}:{user}@127.0.0.1:{self._port}/{vhost}"

    def __enter__(self) -> Self:
        try:
            self._mapper.start(lambda: accepts(self._mapper_port))
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._mapper.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        self._server.start(self._answers, timeout=60)

    def kill(self) -> None:
        """What a power cut does to it."""
        self._server.kill()

    def control(self, *words: str) -> str:
        """Run ``rabbitmqctl`` on it; gives what it prints."""
        done = subprocess.run(
            [CONTROL, *words], env=self._environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def connect(self) -> Connection:
        """A connection of the test's own, which is yet to be opened."""
        return Connection(f"127.0.0.1:{self._port}", connect_timeout=5)

    def pause(self) -> None:
        """It takes connections and never answers, as behind a broken network."""
        os.kill(self._server.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._server.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with self.connect():
                return True
        except (OSError, AMQPError):
            return False
