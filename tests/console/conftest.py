"""One console and one browser for all tests here; a test that changes much makes its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.console.site import ConsoleSite, console_site
from tests.servers.browser import Watched, chromium
from webhook_service.model.people.tokens import Role


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One for all tests of the console, which one worker runs in a row.

    As long as it is there, Playwright keeps an event loop running in this thread: tests of other
    packages could not run one of their own.
    """
    with chromium() as running:
        yield running


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleSite]:
    folder: Path = tmp_path_factory.mktemp("console")
    with console_site(folder) as running:
        yield running


@pytest.fixture
def owner(site: ConsoleSite) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


@pytest.fixture
def readonly(site: ConsoleSite) -> Iterator[httpx.Client]:
    with site.client(Role.READONLY) as client:
        yield client


@pytest.fixture
def page(browser: Any, site: ConsoleSite) -> Iterator[Any]:
    """A page of somebody who is logged in as owner; nothing on it may complain."""
    context = browser.new_context()
    watched = Watched(site.base.removesuffix("/console"))
    page = watched.watch(context.new_page())
    page.set_default_timeout(60_000)
    site.log_in(page)
    yield page
    context.close()
    watched.assert_quiet()
