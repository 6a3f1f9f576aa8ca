"""A Redis of the tests' own; it keeps nothing over a kill."""

import shutil
import tempfile
from pathlib import Path
from typing import Self

from redis import Redis as Client
from redis.exceptions import RedisError

from tests.servers.process import Process, free_port
from tests.servers.requirements import require_program


class Redis:
    """Use as a context manager; the broker keeps its port over a stop, and forgets the rest."""

    def __init__(self) -> None:
        program = require_program("redis-server", "apt-get install redis-server")
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        settings = {"bind": "127.0.0.1", "port": self.port, "save": "", "appendonly": "no"}
        options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self._server = Process([program, *options], self.folder)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def client(self) -> Client:
        return Client(port=self.port, socket_timeout=2)

    def start(self) -> None:
        self._server.start(self._answers)

    def kill(self) -> None:
        self._server.kill()

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False
