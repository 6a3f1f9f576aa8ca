"""The pytest plug-in of the conformance kit: short reports, and only where somebody asks for them.

pytest loads it in every environment that has this package. So it imports nothing, and without
``--webhook-kit`` (or ``webhook_kit = true`` in pytest's settings) it does nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

OPTION, SETTING = "--webhook-kit", "webhook_kit"
HELP = "show a fault of the webhook-service conformance kit as one sentence, and count the checks"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option, and the setting of the same meaning."""
    parser.getgroup("webhook-service").addoption(OPTION, action="store_true", help=HELP)
    parser.addini(SETTING, HELP, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Begin, if it is asked for."""
    if config.getoption(OPTION) or config.getini(SETTING):
        config.pluginmanager.register(_reports()(), "webhook-kit-reports")


def _reports() -> type:
    """The hooks that shorten reports; pytest is there when this is called."""
    import pytest

    from webhook_service.testing.kit import (
        DriverConformance,
        Fault,
        FormatConformance,
        SchemeConformance,
    )

    kits = (DriverConformance, FormatConformance, SchemeConformance)

    class Reports:
        def __init__(self) -> None:
            self.kept: dict[str, int] = {}
            self.broken: dict[str, list[str]] = {}

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_makereport(
            self, item: pytest.Item, call: pytest.CallInfo[None]
        ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
            report = yield
            owner = getattr(item, "cls", None)
            if call.when == "call" and isinstance(owner, type) and issubclass(owner, kits):
                self._count(owner.__name__, report, call)
            return report

        def _count(self, name: str, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
            self.kept.setdefault(name, 0)
            if call.excinfo is None:
                self.kept[name] += 1
            elif isinstance(call.excinfo.value, Fault):
                report.longrepr = str(call.excinfo.value)
                self.broken.setdefault(name, []).append(str(call.excinfo.value))

        def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
            if not self.kept:
                return
            terminalreporter.section("webhook-service conformance")
            for name, kept in self.kept.items():
                faults = len(self.broken.get(name, ()))
                terminalreporter.line(f"{name}: {kept} checks hold, {faults} do not")

    return Reports
