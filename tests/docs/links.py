"""The links of the pages: to files and headings here, and to the web.

``python -m tests.docs.links`` asks the web for each of the latter, and names those that are gone.
The tests do not: they run without a network.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/**/*.md")])
SECONDS = 15.0
"""For one link, with all that it redirects to; so the whole has an end too."""
AT_ONCE = 8
# The server is there, and does not want to be asked by a program, or not so often.
UNTOLD = frozenset({401, 403, 405, 429})

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_SCHEME = re.compile(r"[a-z]+:")


def links_of(page: Path) -> tuple[list[str], list[str]]:
    """What a page links to outside of its code: here, and on the web."""
    found = _LINK.findall(_CODE.sub("", page.read_text()))
    web = [link for link in found if _SCHEME.match(link)]
    return [link for link in found if link not in web], web


def pages_of_links() -> Mapping[str, list[str]]:
    """The links to the web, each with the pages that have it."""
    found: dict[str, list[str]] = {}
    for page in PAGES:
        for link in dict.fromkeys(links_of(page)[1]):
            found.setdefault(link, []).append(str(page.relative_to(ROOT)))
    return found


async def gone(links: Iterable[str], seconds: float = SECONDS) -> Mapping[str, str]:
    """Which of the links lead nowhere, and what came instead."""
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(follow_redirects=True, max_redirects=5) as client:

        async def ask(link: str) -> tuple[str, str]:
            async with turns:
                try:
                    async with asyncio.timeout(seconds), client.stream("GET", link) as answer:
                        status = answer.status_code
                except (httpx.HTTPError, TimeoutError) as error:
                    return link, str(error) or f"no answer within {seconds:.0f} s"
            return link, "" if status < 400 or status in UNTOLD else f"status {status}"

        answers = await asyncio.gather(*map(ask, links))
    return {link: said for link, said in answers if said}


def main() -> int:
    """Print what is gone, and where it stands; 1 if anything is."""
    pages = pages_of_links()
    lost = asyncio.run(gone(pages))
    for link, said in lost.items():
        print(f"{link}: {said} ({', '.join(pages[link])})")
    print(f"{len(pages) - len(lost)} of {len(pages)} links to the web lead somewhere.")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
