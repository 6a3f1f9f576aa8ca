"""Small doubles of the forges' APIs, by their documentation, over one bare Git repository each.

They keep what the documentation promises about writes: a file is only replaced if it is the one
that was read, a branch is only made once, and a request is merged by a commit of its own.
"""

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.git import NAME, Bare, git

TOKEN = "a-token-of-the-forge"


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Request:
    """A pull request, as the double keeps it."""

    number: int
    head: str
    base: str
    title: str
    body: str
    labels: list[str]
    state: str = "open"
    merged_as: str | None = None
    auto: bool = False


class Forge:
    """Use as a context manager."""

    def __init__(self, root: Path) -> None:
        self.bare = Bare(root / "forge.git")
        self.requests: list[Request] = []
        self.lock, self.down = RLock(), False
        # How many wishes to merge are refused from now on.
        self.unready = 0
        self.calls: list[str] = []
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"forge": self})
        )
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What all forges do below their APIs.

    def head(self, branch: str) -> str:
        found = self.bare.head(branch)
        if not found:
            raise Refused(404, "Branch Not Found")
        return found

    def blob(self, path: str, commit: str) -> tuple[bytes, str]:
        try:
            sha = git(self.bare.folder, "rev-parse", f"{commit}:{path}").strip()
        except subprocess.CalledProcessError:
            raise Refused(404, "Not Found") from None
        return self.bare.read(path, commit), sha

    def log(self, path: str, commit: str, count: int) -> list[dict[str, Any]]:
        text = git(
            self.bare.folder,
            "log",
            "-z",
            f"-n{count}",
            "--format=%H%x1f%P%x1f%B",
            commit,
            *(["--", path] if path else []),
        )
        found = [item.split("\x1f") for item in text.split("\0") if item]
        return [{"sha": a, "parents": b.split(), "message": c} for a, b, c in found]

    def make_branch(self, name: str, commit: str, status: int) -> None:
        if self.bare.head(name):
            raise Refused(status, "Reference already exists")
        git(self.bare.folder, "update-ref", f"refs/heads/{name}", commit)

    def write(self, branch: str, path: str, data: bytes, message: str) -> str:
        self.head(branch)
        return self.bare.write(path, data, branch, message)

    def open(self, head: str, base: str, title: str, body: str, labels: list[str]) -> Request:
        if self.head(head) == self.head(base):
            raise Refused(422, "No commits between the branches")
        if any(r.head == head and r.base == base and r.state == "open" for r in self.requests):
            raise Refused(409, "A pull request already exists")
        self.requests.append(Request(len(self.requests) + 1, head, base, title, body, labels))
        return self.requests[-1]

    def request(self, number: str) -> Request:
        return self.requests[int(number) - 1]

    def newest(self, head: str, base: str) -> list[Request]:
        found = [r for r in self.requests if (r.head, r.base) == (head, base)]
        return found[::-1][:1]

    def require_ready(self) -> None:
        if self.unready:
            self.unready -= 1
            raise Refused(405, "Please try again later")

    def merge(self, number: int) -> str:
        """As people do it with the button."""
        request = self.requests[number - 1]
        head, base = self.head(request.head), self.head(request.base)
        folder = self.bare.folder
        tree = git(folder, "merge-tree", "--write-tree", base, head).split()[0]
        commit = git(
            folder, "commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge #{number}"
        ).strip()
        git(folder, "update-ref", f"refs/heads/{request.base}", commit)
        request.state, request.merged_as = "merged", commit
        return commit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    forge: Forge

    def run(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        query = {key: value[0] for key, value in parse_qs(parts.query).items()}
        sent = " ".join(self.headers.get(n, "") for n in ("authorization", "private-token"))
        self.forge.calls.append(f"{self.command} {parts.path}")
        try:
            with self.forge.lock:
                if self.forge.down:
                    raise Refused(503, "down")
                if TOKEN not in sent:
                    raise Refused(401, "Bad credentials")
                status, answer, headers = self.answer(self.command, parts.path, query, body)
        except Refused as refused:
            status, answer, headers = refused.status, {"message": str(refused)}, {}
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = run

    def answer(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        form = self.headers.get("content-type", "").startswith("application/x-www")
        asked = parse_qs(body.decode()) if form else json.loads(body or b"{}")
        for api in (_github, _gitea, _gitlab, _bitbucket):
            found = api(self.forge, method, path, query, asked)
            if found is not None:
                return found if len(found) == 3 else (*found, {})
        raise Refused(404, f"no such call: {method} {path}")

    def log_message(self, *args: Any) -> None:
        """Nothing: tests read ``calls``."""


def _contents(forge: Forge, path: str, ref: str) -> tuple[int, Any]:
    data, sha = forge.blob(unquote(path), ref)
    # GitHub breaks base64 into lines.
    return 200, {"type": "file", "content": base64.encodebytes(data).decode(), "sha": sha}


def _put_contents(forge: Forge, path: str, asked: Any, status: int) -> tuple[int, Any]:
    _, sha = forge.blob(unquote(path), forge.head(asked["branch"]))
    if sha != asked["sha"]:
        raise Refused(status, f"{path} does not match {asked['sha']}")
    data = base64.b64decode(asked["content"])
    made = forge.write(asked["branch"], unquote(path), data, asked["message"])
    return 200, {"commit": {"sha": made}}


def _commits(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "sha": item["sha"],
            "commit": {"message": item["message"]},
            "parents": [{"sha": parent} for parent in item["parents"]],
        }
        for item in found
    ]


def _request(item: Request) -> dict[str, Any]:
    return {
        "number": item.number,
        "state": "open" if item.state == "open" else "closed",
        "merged": item.state == "merged",
        "merge_commit_sha": item.merged_as,
        "html_url": f"https://forge.example.com/pulls/{item.number}",
        "node_id": f"PR_{item.number}",
        "auto_merge": {} if item.auto else None,
    }


def _change(item: Request, asked: Any) -> dict[str, Any]:
    item.title, item.body = asked.get("title", item.title), asked.get("body", item.body)
    item.state = asked.get("state", item.state)
    return _request(item)


def _github(forge: Forge, method: str, path: str, query: Any, asked: Any) -> Any:
    """https://docs.github.com/en/rest"""
    if path == "/api/graphql":
        number = asked["variables"]["id"].removeprefix("PR_")
        if forge.unready:
            return 200, {"errors": [{"message": "Auto merge is not allowed"}]}
        forge.request(number).auto = True
        return 200, {"data": {}}
    if not path.startswith("/api/v3/"):
        return None
    rest = path.removeprefix(f"/api/v3/repos/{NAME}")
    if found := re.fullmatch(r"/git/ref/heads/(.+)", rest):
        return 200, {"object": {"sha": forge.head(unquote(found[1]))}}
    if rest == "/git/refs":
        forge.make_branch(asked["ref"].removeprefix("refs/heads/"), asked["sha"], 422)
        return 201, {}
    if found := re.fullmatch(r"/contents/(.+)", rest):
        if method == "GET":
            return _contents(forge, found[1], query["ref"])
        return _put_contents(forge, found[1], asked, 409)
    if rest == "/commits":
        return 200, _commits(forge.log(query["path"], query["sha"], int(query["per_page"])))
    if rest == "/pulls" and method == "GET":
        found_ = forge.newest(query["head"].partition(":")[2], query["base"])
        return 200, [_request(item) for item in found_]
    if rest == "/pulls":
        made = forge.open(asked["head"], asked["base"], asked["title"], asked["body"], [])
        return 201, _request(made)
    if found := re.fullmatch(r"/issues/(\d+)/labels", rest):
        forge.request(found[1]).labels += asked["labels"]
        return 200, []
    if found := re.fullmatch(r"/pulls/(\d+)/merge", rest):
        forge.require_ready()
        return 200, {"sha": forge.merge(int(found[1])), "merged": True}
    if found := re.fullmatch(r"/pulls/(\d+)", rest):
        item = forge.request(found[1])
        return 200, (_request(item) if method == "GET" else _change(item, asked))
    return None


def _gitea(forge: Forge, method: str, path: str, query: Any, asked: Any) -> Any:
    """https://docs.gitea.com/api"""
    if not path.startswith("/api/v1/"):
        return None
    rest = path.removeprefix(f"/api/v1/repos/{NAME}")
    if found := re.fullmatch(r"/branches/(.+)", rest):
        return 200, {"commit": {"id": forge.head(unquote(found[1]))}}
    if rest == "/branches":
        forge.make_branch(asked["new_branch_name"], asked["old_ref_name"], 409)
        return 201, {}
    if found := re.fullmatch(r"/contents/(.+)", rest):
        if method == "GET":
            return _contents(forge, found[1], query["ref"])
        return _put_contents(forge, found[1], asked, 422)
    if rest == "/commits":
        return 200, _commits(forge.log(query["path"], query["sha"], int(query["limit"])))
    if rest == "/labels":
        return 200, [{"id": 7, "name": "deploy"}]
    if rest == "/pulls":
        labels = ["deploy" for number in asked["labels"] if number == 7]
        made = forge.open(asked["head"], asked["base"], asked["title"], asked["body"], labels)
        return 201, _request(made)
    if found := re.fullmatch(r"/pulls/(\d+)/merge", rest):
        forge.require_ready()
        forge.request(found[1]).auto = True
        return 200, {}
    if found := re.fullmatch(r"/pulls/(\d+)", rest):
        item = forge.request(found[1])
        return 200, (_request(item) if method == "GET" else _change(item, asked))
    if found := re.fullmatch(r"/pulls/([^/]+)/([^/]+)", rest):
        newest = forge.newest(unquote(found[2]), unquote(found[1]))
        if not newest:
            raise Refused(404, "no pull request")
        return 200, _request(newest[0])
    return None


def _merge_request(item: Request) -> dict[str, Any]:
    return {
        "iid": item.number,
        "state": {"open": "opened"}.get(item.state, item.state),
        "web_url": f"https://forge.example.com/pulls/{item.number}",
        "merge_commit_sha": item.merged_as,
    }


def _gitlab(forge: Forge, method: str, path: str, query: Any, asked: Any) -> Any:
    """https://docs.gitlab.com/api/"""
    if not path.startswith("/api/v4/"):
        return None
    rest = path.removeprefix("/api/v4/projects/" + NAME.replace("/", "%2F"))
    if found := re.fullmatch(r"/repository/branches/(.+)", rest):
        return 200, {"commit": {"id": forge.head(unquote(found[1]))}}
    if rest == "/repository/branches":
        forge.make_branch(query["branch"], query["ref"], 400)
        return 201, {}
    if found := re.fullmatch(r"/repository/files/([^/]+)", rest):
        data, _ = forge.blob(unquote(found[1]), query["ref"])
        last = forge.log(unquote(found[1]), query["ref"], 1)[0]["sha"]
        return 200, {"content": base64.b64encode(data).decode(), "last_commit_id": last}
    if rest == "/repository/commits" and method == "GET":
        logged = forge.log(query["path"], query["ref_name"], int(query["per_page"]))
        return 200, [
            {"id": i["sha"], "message": i["message"], "parent_ids": i["parents"]} for i in logged
        ]
    if rest == "/repository/commits":
        (action,) = asked["actions"]
        branch, file = asked["branch"], action["file_path"]
        if forge.log(file, forge.head(branch), 1)[0]["sha"] != action["last_commit_id"]:
            raise Refused(400, "You are attempting to update a file that has changed since")
        data = base64.b64decode(action["content"])
        return 201, {"id": forge.write(branch, file, data, asked["commit_message"])}
    if rest == "/merge_requests" and method == "GET":
        newest = forge.newest(query["source_branch"], query["target_branch"])
        return 200, [_merge_request(item) for item in newest]
    if rest == "/merge_requests":
        made = forge.open(
            asked["source_branch"],
            asked["target_branch"],
            asked["title"],
            asked["description"],
            [label for label in asked["labels"].split(",") if label],
        )
        return 201, _merge_request(made)
    if found := re.fullmatch(r"/merge_requests/(\d+)/merge", rest):
        forge.require_ready()
        forge.request(found[1]).auto = True
        return 200, {}
    if found := re.fullmatch(r"/merge_requests/(\d+)", rest):
        item = forge.request(found[1])
        if method == "PUT":
            item.title = asked.get("title", item.title)
            item.body = asked.get("description", item.body)
            item.state = "closed" if asked.get("state_event") == "close" else item.state
        return 200, _merge_request(item)
    return None


def _bitbucket_request(item: Request) -> dict[str, Any]:
    return {
        "id": item.number,
        "state": {"open": "OPEN", "merged": "MERGED"}.get(item.state, "DECLINED"),
        "links": {"html": {"href": f"https://forge.example.com/pulls/{item.number}"}},
        "merge_commit": {"hash": item.merged_as} if item.merged_as else None,
    }


def _bitbucket(forge: Forge, method: str, path: str, query: Any, asked: Any) -> Any:
    """https://developer.atlassian.com/cloud/bitbucket/rest/"""
    rest = path.removeprefix(f"/2.0/repositories/{NAME}")
    if found := re.fullmatch(r"/refs/branches/(.+)", rest):
        return 200, {"target": {"hash": forge.head(unquote(found[1]))}}
    if rest == "/refs/branches":
        forge.make_branch(asked["name"], asked["target"]["hash"], 400)
        return 201, {}
    if found := re.fullmatch(r"/src/([0-9a-f]+)/(.+)", rest):
        return 200, forge.blob(unquote(found[2]), found[1])[0]
    if rest == "/src":
        ((file, data),) = [(k, v[0]) for k, v in asked.items() if k.startswith("/")]
        branch = asked["branch"][0]
        if forge.head(branch) != asked["parents"][0]:
            raise Refused(409, "The branch has moved")
        made = forge.write(branch, file[1:], data.encode(), asked["message"][0])
        return 201, b"", {"Location": f"https://forge.example.com/commit/{made}"}
    if found := re.fullmatch(r"/commits/([0-9a-f]+)", rest):
        logged = forge.log(query["path"], found[1], int(query["pagelen"]))
        return 200, {
            "values": [
                {
                    "hash": i["sha"],
                    "message": i["message"],
                    "parents": [{"hash": p} for p in i["parents"]],
                }
                for i in logged
            ]
        }
    if rest == "/pullrequests" and method == "GET":
        names = re.findall(r'"([^"]+)"', query["q"])
        return 200, {"values": [_bitbucket_request(i) for i in forge.newest(*names)]}
    if rest == "/pullrequests":
        made_ = forge.open(
            asked["source"]["branch"]["name"],
            asked["destination"]["branch"]["name"],
            asked["title"],
            asked["description"],
            [],
        )
        return 201, _bitbucket_request(made_)
    if found := re.fullmatch(r"/pullrequests/(\d+)/(merge|decline)", rest):
        item = forge.request(found[1])
        if found[2] == "merge":
            forge.require_ready()
        item.auto, item.state = found[2] == "merge", "closed" if found[2] == "decline" else "open"
        return 200, _bitbucket_request(item)
    if found := re.fullmatch(r"/pullrequests/(\d+)", rest):
        item = forge.request(found[1])
        if method == "PUT":
            item.title, item.body = asked["title"], asked["description"]
        return 200, _bitbucket_request(item)
    return None
