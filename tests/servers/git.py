"""A Git server over HTTP: git's own ``http-backend``, run as CGI for each call."""

import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self
from urllib.parse import urlsplit

NAME = "acme/deploy"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "HOME": "/nonexistent",
    **{
        f"GIT_{who}_{what}": text
        for who in ("AUTHOR", "COMMITTER")
        for what, text in (("NAME", "people"), ("EMAIL", "people@example.com"))
    },
}


def git(folder: Path, *args: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *args],
        input=data,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        timeout=30,
    )
    return done.stdout.decode()


class Bare:
    """One bare repository, with what tests ask of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "--bare", "-b", "main")
        for key in ("http.receivepack", "uploadpack.allowAnySHA1InWant"):
            git(folder, "config", key, "true")

    def write(self, path: str, data: bytes, branch: str = "main", message: str = "by hand") -> str:
        """One commit by people, on top of a branch."""
        blob = git(self.folder, "hash-object", "-w", "--stdin", data=data).strip()
        head = self.head(branch)
        index = self.folder / "scratch-index"
        index.unlink(missing_ok=True)
        env = ENVIRONMENT | {"GIT_INDEX_FILE": str(index)}

        def run(*args: str) -> str:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *args], env=env, check=True, capture_output=True
            )
            return done.stdout.decode().strip()

        if head:
            run("read-tree", head)
        run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        tree = run("write-tree")
        commit = run("commit-tree", tree, "-m", message, *(["-p", head] if head else []))
        git(self.folder, "update-ref", f"refs/heads/{branch}", commit)
        return commit

    def head(self, branch: str = "main") -> str:
        found = git(self.folder, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return found.strip()

    def read(self, path: str, branch: str = "main") -> bytes:
        return subprocess.run(
            ["git", "-C", str(self.folder), "cat-file", "blob", f"{branch}:{path}"],
            env=ENVIRONMENT,
            check=True,
            capture_output=True,
        ).stdout

    def messages(self, branch: str = "main") -> list[str]:
        found = git(self.folder, "log", "-z", "--format=%B", branch)
        return [text for text in found.split("\0") if text]

    def check(self) -> None:
        git(self.folder, "fsck", "--strict")


class GitServer:
    """Use as a context manager; ``token`` is asked for, if it is said."""

    def __init__(self, root: Path, token: str = "") -> None:
        self.root, self.token, self.down = root, token, False
        fields = {"server_of": self}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Cgi,), fields))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def repository(self, name: str = NAME) -> Bare:
        return Bare(self.root / f"{name}.git")

    def url(self, name: str = NAME) -> str:
        return f"{self.origin}/{name}.git"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Cgi(BaseHTTPRequestHandler):
    """https://git-scm.com/docs/git-http-backend"""

    protocol_version = "HTTP/1.1"
    server_of: GitServer

    def run(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server_of.down:
            return self._answer(503, {}, b"")
        if self.server_of.token and "Basic " not in self.headers.get("Authorization", ""):
            return self._answer(401, {}, b"")
        parts = urlsplit(self.path)
        env = ENVIRONMENT | {
            "GIT_PROJECT_ROOT": str(self.server_of.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=env, capture_output=True, timeout=60
        )
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._answer(int(lines.pop("Status", "200").split()[0]), lines, data)

    do_GET = do_POST = run

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Nothing: tests read the repository."""
