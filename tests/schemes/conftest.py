"""Schemes by name, whether or not this installation has their entry points."""

import pytest

from tests.schemes.cases import installed
from webhook_service.schemes import all as together


@pytest.fixture(autouse=True)
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = installed()
    monkeypatch.setattr(together, "installed", lambda: plugins)
