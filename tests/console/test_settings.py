"""The page Settings: which plug-ins are ready, and why others are not."""

from typing import Any

import httpx
import pytest

from tests.console.site import ConsoleSite
from webhook_service.plugins.discovery import Plugin


def test_a_plug_in_without_its_extra_says_how_to_install_it(
    site: ConsoleSite, owner: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaders = site.service.drivers.plugins._loaders
    lacking: Plugin[Any] = Plugin("nomad", "webhook-nomad", "1.0", lack="it needs nomad: buy it.")
    torn: Plugin[Any] = Plugin("torn", "webhook-torn", "1.0", error="it does not load.")
    monkeypatch.setitem(loaders, "nomad", lambda: lacking)
    monkeypatch.setitem(loaders, "torn", lambda: torn)
    shown = owner.get("/settings").text
    assert "<b>nomad</b> of webhook-nomad 1.0 is incomplete: it needs nomad: buy it." in shown
    assert "<b>torn</b> of webhook-torn 1.0 is broken: it does not load." in shown
    ready = shown.partition("<dt>drivers</dt>")[2].partition("</dd>")[0]
    assert "jobRun" in ready and "nomad" not in ready and "torn" not in ready
