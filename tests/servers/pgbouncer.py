"""A pgbouncer of the tests' own, in front of a PostgreSQL server."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg

from tests.servers.postgres import unprivileged_user
from tests.servers.process import Process, free_port
from tests.servers.requirements import require_program


class PgBouncer:
    """Use as a context manager.

    Args:
        url: of the database behind it.
        mode: pgbouncer's ``pool_mode``.
        size: how many connections to the server it keeps at most.
    """

    def __init__(self, url: str, mode: str, size: int = 40) -> None:
        os.environ["PATH"] += os.pathsep + "/usr/sbin"
        program = require_program("pgbouncer", "apt-get install pgbouncer")
        self.folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        target = urlsplit(url)
        self._port, self._database = free_port(), target.path.strip("/")
        (self.folder / "users").write_text('"postgres" ""\n')
        (self.folder / "ini").write_text(
            "[databases]\n"
            f"* = host=127.0.0.1 port={target.port}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self._port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {self.folder}/users\nadmin_users = postgres\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\n"
        )
        user = unprivileged_user()
        if user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, user)
        self._server = Process([program, "ini"], self.folder, user=user)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{self._database}"

    def __enter__(self) -> Self:
        try:
            self._server.start(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        shutil.rmtree(self.folder)

    def control(self, command: str) -> None:
        """Run a command of its console, such as ``PAUSE``."""
        console = f"postgresql://postgres@127.0.0.1:{self._port}/pgbouncer"
        with psycopg.connect(console, autocommit=True, connect_timeout=5) as connection:
            connection.execute(command.encode())

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
