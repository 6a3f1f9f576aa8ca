"""``webhook-service send``: a sample push over real HTTP."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.conftest import Run, RunJson
from tests.servers.process import free_port


class Endpoint(HTTPServer):
    """Answers every call with ``status`` and keeps the last body."""

    status = 200
    body = b""
    prefer: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1-webhooks/endpoint?key=whk_secret"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.body = self.rfile.read(int(self.headers["content-length"]))
        self.server.prefer = self.headers["prefer"]
        answer = b'{"type": "delivery", "state": "accepted"}'
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing: tests print enough."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_push_is_sent_and_the_answer_printed(run_json: RunJson, endpoint: Endpoint) -> None:
    answer = run_json("send", "--image", "acme/shop:1.2.3", endpoint.url)
    assert answer == {"status": 200, "body": {"type": "delivery", "state": "accepted"}}
    sent = json.loads(endpoint.body)
    assert sent["push_data"]["tag"] == "1.2.3"
    assert sent["repository"]["repo_name"] == "acme/shop"


def test_the_url_may_come_from_stdin_or_a_file(
    run: Run, endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(endpoint.url + "\n")
    for given in ("-", f"@{tmp_path / 'url'}"):
        result = run("send", "--image", "acme/shop:1.2.3", given, stdin=endpoint.url)
        assert result.exit_code == 0, result.stderr


def test_other_formats_and_a_digest(run: Run, endpoint: Endpoint) -> None:
    digest = "sha256:" + "ab" * 32
    image = "registry.example.com/acme/shop:1.2.3"
    result = run(
        *("send", "--format", "distribution", "--image", image, "--digest", digest, endpoint.url)
    )
    assert (result.exit_code, "accepted" in result.stdout) == (0, True)
    assert json.loads(endpoint.body)["events"][0]["target"]["digest"] == digest


def test_a_refusal_fails(run: Run, endpoint: Endpoint) -> None:
    endpoint.status = 403
    result = run("send", "--image", "acme/shop:1.2.3", endpoint.url)
    assert (result.exit_code, "403 Forbidden" in result.stdout) == (1, True)


def test_a_wait_for_the_outcome_fails_unless_it_is_a_success(run: Run, endpoint: Endpoint) -> None:
    words = ("send", "--wait", "20", "--image", "acme/shop:1.2.3", endpoint.url)
    for status, exit_code in ((200, 0), (202, 1), (409, 1), (424, 1)):
        endpoint.status = status
        assert run(*words).exit_code == exit_code
        assert endpoint.prefer == "wait=20"


def test_an_address_that_does_not_answer_is_one_line_without_the_key(run: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1-webhooks/endpoint?key=whk_secret"
    result = run("send", "--image", "acme/shop:1.2.3", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: http://127.0.0.1:")
    assert "whk_secret" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--image", "acme/shop:1", "ftp://example.com"), 2),
        (("--image", "Acme//Shop", "http://127.0.0.1:1"), 1),
        (("--image", "acme/shop:1", "--format", "nope", "http://127.0.0.1:1"), 1),
    ],
)
def test_what_cannot_be_sent_is_said(run: Run, arguments: tuple[str, ...], code: int) -> None:
    result = run("send", *arguments)
    assert result.exit_code == code
    assert result.stderr.splitlines()[-1].lower().startswith("error: ")
