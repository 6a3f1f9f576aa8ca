"""A PostgreSQL server of the tests' own, durable like a real one."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, Self

import psycopg

from tests.servers.process import Process, free_port
from tests.servers.requirements import require
from webhook_service.store import migrate
from webhook_service.store.database.database import Database

DEBIAN = Path("/usr/lib/postgresql")


class Postgres:
    """Use as a context manager; the server keeps its port and data over `stop` and `start`.

    Args:
        tls: the files of a key and its certificate.
        primary: the server whose standby this one is.
    """

    def __init__(
        self,
        fsync: bool = True,
        tls: tuple[Path, Path] | None = None,
        primary: "Postgres | None" = None,
    ) -> None:
        self._primary = primary
        self._migrated = ""
        self._programs = programs()
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._user = unprivileged_user()
        if self._user:
            shutil.chown(self.folder, self._user)
        settings: dict[str, str | int] = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if fsync else "off",
            "max_connections": 200,
        }
        if tls is not None:
            settings |= self._tls_settings(*tls)
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [self._programs / "postgres", "-D", "data", *options]
        self._server = Process(
            command, self.folder, user=self._user, env=_environment(), death_signal="QUIT"
        )

    @property
    def url(self) -> str:
        return self._url("postgres")

    def _tls_settings(self, key: Path, certificate: Path) -> dict[str, str | int]:
        """The server reads no key that others than its own user could read."""
        copies = [self.folder / name for name in ("server.key", "server.pem")]
        for path, copy in zip((key, certificate), copies, strict=True):
            shutil.copy(path, copy)
            copy.chmod(0o600)
            if self._user:
                shutil.chown(copy, self._user)
        return {"ssl": "on", "ssl_key_file": str(copies[0]), "ssl_cert_file": str(copies[1])}

    def renew(self, key: Path, certificate: Path) -> None:
        """Use another certificate for the connections that come from now on."""
        self._tls_settings(key, certificate)
        self.execute("SELECT pg_reload_conf()")

    def __enter__(self) -> Self:
        try:
            self._initdb()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def new_database(self, more: str = "") -> str:
        """The URL of an empty database; ``more`` ends the statement that makes it."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name} {more}")
        return self._url(name)

    def new_migrated_database(self) -> str:
        """The URL of a new database with the schema: migrated once, then copied."""
        if not self._migrated:
            url = self.new_database()
            with closing(Database(url)) as database:
                migrate.upgrade(database)
            self._migrated = url.rpartition("/")[2]
        return self.new_database(f"TEMPLATE {self._migrated}")

    def execute(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement.encode())

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self._connect() as connection:
            return connection.execute(query.encode()).fetchall()

    def start(self) -> None:
        self._server.start(self._answers)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`immediate` is a crash: the next start recovers from the log."""
        self._server.stop(signal.SIGINT if mode == "fast" else signal.SIGQUIT)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def _connect(self) -> psycopg.Connection:
        url = self.url.replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def follow(self, primary: "Postgres") -> None:
        """Become the standby of another server, from the next start on."""
        data = self.folder / "data"
        with (data / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres'\n"
            )
        (data / "standby.signal").touch()

    def _initdb(self) -> None:
        if self._primary is None:
            command = [
                *(str(self._programs / "initdb"), "-D", "data", "-U", "postgres", "--auth=trust"),
                *("--encoding=UTF8", "--locale=C", "--no-sync"),
            ]
        else:
            command = [
                *(str(self._programs / "pg_basebackup"), "-D", "data", "-R", "-U", "postgres"),
                *("-h", "127.0.0.1", "-p", str(self._primary.port), "-c", "fast", "--no-sync"),
            ]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=_environment(),
            user=self._user,
            group=self._user and pwd.getpwnam(self._user).pw_gid,
            extra_groups=[] if self._user else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def programs() -> Path:
    """The folder of PostgreSQL's programs; Debian keeps them outside of PATH."""
    debian = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = [Path(path).resolve() for path in (shutil.which("initdb"),) if path] or debian
    require("PostgreSQL", found, "apt-get install postgresql, or put its programs on PATH")
    return found[-1].parent


def unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}
