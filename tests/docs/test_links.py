"""Links of the pages: what is here is there, and what is on the web has the form of an address."""

import asyncio
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from tests.docs.links import PAGES, ROOT, gone, links_of, pages_of_links
from tests.servers.process import free_port

# Addresses that stand for the reader's own are no links.
NOT_OF_THE_WEB = re.compile(r"(^|\.)(example(\.(com|org|net))?|test|invalid|localhost|local)$")


def heading_ids(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges and the site make them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
        found.add(re.sub(r"[^\w -]", "", words).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    lost = []
    for link in links_of(page)[0]:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT) and target.exists()
        if not inside or (anchor and target.suffix == ".md" and anchor not in heading_ids(target)):
            lost.append(link)
    assert lost == []


def test_pages_of_the_site_link_to_files_outside_of_it_too() -> None:
    """So the test above looks at such links."""
    outside = [link for page in PAGES for link in links_of(page)[0] if "../examples/" in link]
    assert len(outside) >= 5


def test_every_link_to_the_web_is_an_address_by_https() -> None:
    assert len(pages_of_links()) > 30
    odd = []
    for link in pages_of_links():
        parts = urlsplit(link)
        host = parts.hostname or ""
        own = not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) or NOT_OF_THE_WEB.search(host)
        if parts.scheme != "https" or own or parts.username or parts.port:
            odd.append(link)
    assert odd == []


class Web(BaseHTTPRequestHandler):
    """Answers what its path asks for."""

    ended = Event()

    def do_GET(self) -> None:
        if self.path == "/hangs":
            self.ended.wait(20)
        self.send_response(int(self.path[1:]) if self.path[1:].isdigit() else 200)
        self.send_header("location", "/404" if self.path == "/301" else "/302")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        Web.ended.set()
        server.shutdown()


def test_what_is_gone_is_told_and_the_question_has_an_end(web: str) -> None:
    found = asyncio.run(
        gone([f"{web}/{path}" for path in ("200", "403", "429", "404", "301", "302", "hangs")], 1)
    )
    told = {link.removeprefix(f"{web}/"): said for link, said in found.items()}
    assert told["404"] == told["301"] == "status 404"
    assert told["hangs"] == "no answer within 1 s"
    assert told.keys() == {"404", "301", "302", "hangs"}


def test_a_host_that_is_not_there_is_gone() -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    assert asyncio.run(gone([nobody])).keys() == {nobody}
