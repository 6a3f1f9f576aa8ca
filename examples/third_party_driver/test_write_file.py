"""The driver's own tests; they need webhook-service and pytest."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from webhook_write_file import FOLDER, WriteFile, WriteFileConfig

from webhook_service import Done, InvalidConfig, PushEvent, Unchanged
from webhook_service.testing import sample_context

CONFIG = WriteFileConfig(file="images.txt", prefix="pushed ")
PUSH = PushEvent(registry="docker.io", repository="acme/shop", tag="1.2.3")
LINE = "pushed docker.io/acme/shop:1.2.3\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


def test_a_push_adds_a_line_once(folder: Path) -> None:
    driver = WriteFile()
    assert isinstance(driver.execute(CONFIG, PUSH, sample_context()), Done)
    assert isinstance(driver.execute(CONFIG, PUSH, sample_context()), Unchanged)
    assert (folder / "images.txt").read_text() == LINE


def test_a_plan_says_what_would_be_added_and_adds_nothing(folder: Path) -> None:
    (change,) = WriteFile().plan(CONFIG, PUSH, sample_context()).changes
    assert f"{change.after}\n" == LINE
    assert list(folder.iterdir()) == []


def test_a_receiver_needs_a_folder_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, "/no/such/folder")
    with pytest.raises(InvalidConfig, match=FOLDER):
        WriteFile().validate(CONFIG, sample_context())


@pytest.mark.parametrize("file", ["../images.txt", "/etc/passwd", ".bashrc", "a/b", ""])
def test_a_file_is_a_plain_name(file: str) -> None:
    with pytest.raises(ValidationError):
        WriteFileConfig(file=file)
