"""Pins: which drivers ``WEBHOOK_SERVICE_DRIVERS`` allows, and of which version or content."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from webhook_service.errors import SettingsError
from webhook_service.plugins.installed_files import InstalledFiles
from webhook_service.plugins.points import points_by_name

_PIN = re.compile(r"(?P<name>.+?)(==(?P<version>[^=@\s]+)|@(?P<hash>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True)
class Pin:
    """One driver that is allowed.

    Attributes:
        version: of its distribution, exactly; empty allows any.
        hash: of what its distribution has installed, see ``InstalledFiles``; empty allows any.
    """

    name: str
    version: str = ""
    hash: str = ""

    def refusal(self, point: importlib.metadata.EntryPoint) -> str | None:
        """Why what is installed is not what this pin allows; None if it is. Nothing is imported."""
        found = point.dist
        version = found.version if found else ""
        if self.version and self.version != version:
            return (
                f"WEBHOOK_SERVICE_DRIVERS allows version {self.version}, and {version or 'none'} "
                "is installed: install the other one, or change the setting."
            )
        if not self.hash:
            return None
        files = InstalledFiles.of(point)
        if not files.hash:
            return (
                "WEBHOOK_SERVICE_DRIVERS pins it by a hash, and the RECORD of its distribution "
                "does not list its module, as after 'pip install -e': install a wheel."
            )
        if files.hash != self.hash:
            return (
                f"WEBHOOK_SERVICE_DRIVERS allows {self.hash}, and {files.hash} is installed: "
                "install the other one, or change the setting."
            )
        if (changed := files.changed()) is not None:
            return f"{changed} was changed after it was installed: install its distribution again."
        return None


def read_pins(texts: Iterable[str]) -> dict[str, Pin]:
    """Pins by name, from ``NAME``, ``NAME==VERSION`` or ``NAME@sha256:HASH``.

    Raises:
        SettingsError: one of them is none, or two of them are of one driver.
    """
    pins: dict[str, Pin] = {}
    for text in texts:
        found = _PIN.fullmatch(text)
        if found is None or re.search("==|@sha256:", found["name"]):
            raise SettingsError(
                f"WEBHOOK_SERVICE_DRIVERS: {text[:100]!r} is no driver. Write NAME, NAME==VERSION "
                "or NAME@sha256:HASH with 64 hexadecimal digits, as 'driver show' prints them."
            )
        if found["name"] in pins:
            raise SettingsError(f"WEBHOOK_SERVICE_DRIVERS names {found['name']!r} twice.")
        pins[found["name"]] = Pin(found["name"], found["version"] or "", found["hash"] or "")
    return pins


def require_installed(group: str, pins: Mapping[str, Pin]) -> None:
    """Insist that each driver that is named is there, broken or not; nothing is imported.

    Raises:
        SettingsError: one is not; the message has the nearest name.
    """
    if not pins:
        return
    known = sorted(points_by_name(group))
    for name in pins:
        if name not in known:
            close = get_close_matches(name, known, 1)
            said = (
                f"the nearest is {close[0]}"
                if close
                else f"there are: {', '.join(known) or 'none'}"
            )
            raise SettingsError(
                f"WEBHOOK_SERVICE_DRIVERS names {name[:100]!r}, and no such driver is installed; "
                f"{said}."
            )
