"""Pins of drivers, over folders that look like installed distributions."""

import hashlib
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from tests.plugins.test_discovery import GOOD, GROUP, Site, find
from webhook_service.errors import PluginUnavailable, SettingsError
from webhook_service.plugins.pins import Pin, read_pins, require_installed
from webhook_service.plugins.provenance import provenance

HASH = "sha256:" + "0123456789abcdef" * 4


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


def add(site: Site, module: str, *more: str) -> str:
    """Install a driver as pip does, with its RECORD; gives the hash that is shown of it."""
    site.add("good-driver", module, GOOD, good="Good")
    names = [f"{module}.py", "good-driver-1.0.dist-info/entry_points.txt"]
    lines = [f"{name},sha256={digest(site.folder / name)},1" for name in names]
    (site.folder / "good-driver-1.0.dist-info/RECORD").write_text("\n".join([*lines, *more]))
    (found,) = provenance(GROUP, "good")
    return found.hash


def digest(file: Path) -> str:
    return urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()


def refused(pin: str, module: str) -> str:
    """Why a pin takes not what is installed; and that was not imported."""
    with pytest.raises(PluginUnavailable) as error:
        find(pin).get("good")
    assert module not in sys.modules
    return error.value.message


@pytest.mark.parametrize(
    ("text", "pin"),
    [
        ("greet", Pin("greet")),
        ("my greeter/2", Pin("my greeter/2")),
        ("greet==1.2.0+local", Pin("greet", "1.2.0+local")),
        (f"a@b@{HASH}", Pin("a@b", "", HASH)),
    ],
)
def test_a_pin_is_read(text: str, pin: Pin) -> None:
    assert read_pins([text]) == {pin.name: pin}


@pytest.mark.parametrize(
    "text", ["greet==", "greet==1 2", "greet@sha256:abc", f"greet==1@{HASH}", f"{HASH}==", "=="]
)
def test_what_is_no_pin_is_refused_and_says_how_to_write_one(text: str) -> None:
    with pytest.raises(SettingsError, match="Write NAME, NAME==VERSION or NAME@sha256:HASH"):
        read_pins([text])


def test_two_pins_of_one_driver_are_refused() -> None:
    with pytest.raises(SettingsError, match="'greet' twice"):
        read_pins(["greet", "greet==1"])


def test_what_is_pinned_to_its_version_or_its_hash_is_taken(site: Site) -> None:
    shown = add(site, "pinned_one")
    assert find("good==1.0").names == ("good",)
    assert find(f"good@{shown}").names == ("good",)


def test_another_version_is_not_imported_and_both_are_named(site: Site) -> None:
    add(site, "pinned_two")
    said = refused("good==1.2.0", "pinned_two")
    assert "allows version 1.2.0, and 1.0 is installed" in said


def test_other_files_are_not_imported_and_both_hashes_are_named(site: Site) -> None:
    shown = add(site, "pinned_three")
    said = refused(f"good@{HASH}", "pinned_three")
    assert f"allows {HASH}, and {shown} is installed" in said


@pytest.mark.parametrize("text", [f"{GOOD}evil = 1", None])
def test_a_file_that_was_changed_after_it_was_installed_is_noticed(
    site: Site, text: str | None
) -> None:
    shown, file = add(site, "pinned_four"), site.folder / "pinned_four.py"
    file.write_text(text) if text else file.unlink()
    said = refused(f"good@{shown}", "pinned_four")
    assert said.endswith(
        "pinned_four.py was changed after it was installed: install its distribution again."
    )


def test_an_editable_installation_cannot_be_pinned_to_a_hash(site: Site) -> None:
    site.add("good-driver", "pinned_five", GOOD, good="Good")
    (site.folder / "good-driver-1.0.dist-info/RECORD").write_text("__editable__.pth,sha256=a,1")
    assert "does not list its module" in refused(f"good@{HASH}", "pinned_five")


def test_what_differs_between_machines_is_no_part_of_the_hash(site: Site) -> None:
    shown = add(site, "pinned_six")
    more = (
        "../../../bin/good,sha256=abc,1",
        "__pycache__/pinned_six.cpython-311.pyc,sha256=abc,1",
        "good-driver-1.0.dist-info/INSTALLER,sha256=abc,1",
        "good-driver-1.0.dist-info/direct_url.json,sha256=abc,1",
        "good-driver-1.0.dist-info/RECORD,,",
    )
    record = site.folder / "good-driver-1.0.dist-info/RECORD"
    record.write_text("\n".join([record.read_text(), *more]))
    (again,) = provenance(GROUP, "good")
    assert again.hash == shown != ""


@pytest.mark.parametrize(
    ("named", "said"), [("godo", "the nearest is good"), ("other", "there are: good")]
)
def test_a_driver_that_is_not_installed_is_refused_with_the_nearest_name(
    site: Site, named: str, said: str
) -> None:
    site.add("good-driver", "pinned_seven", GOOD, good="Good")
    require_installed(GROUP, read_pins(["good"]))
    with pytest.raises(SettingsError, match=said):
        require_installed(GROUP, read_pins(["good", named]))
