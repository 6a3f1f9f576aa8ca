import json
import logging
from collections.abc import Iterator

import pytest

from webhook_service.model.ids import new_key, new_token
from webhook_service.telemetry import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    yield
    root.handlers, root.level = before, level


def written(form: str, capsys: pytest.CaptureFixture[str], *record: object) -> str:
    logs.configure(form)  # type: ignore[arg-type]
    logging.getLogger("webhook_service.test").info(*record)  # type: ignore[arg-type]
    return capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json"])
def test_keys_and_tokens_never_reach_the_log(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    key, token = new_key(), new_token()
    line = written(form, capsys, "call of %s with %s", f"/endpoint?key={key}&x=1", token)
    assert key not in line and token not in line
    assert "key=whk_…" in line


def test_a_sender_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert written("text", capsys, "tag %s", "1\n2026 ERROR forged").count("\n") == 1


def test_json_lines_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    line = json.loads(written("json", capsys, "push of %s", "acme/shöp"))
    assert (line["level"], line["message"]) == ("info", "push of acme/shöp")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_is_written_without_secrets(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(form)  # type: ignore[arg-type]
    try:
        raise ValueError(new_key())
    except ValueError:
        logging.getLogger("webhook_service.test").exception("crashed")
    text = capsys.readouterr().err
    line = json.loads(text)["exception"] if form == "json" else text
    assert "Traceback" in line and "ValueError: whk_…" in line
