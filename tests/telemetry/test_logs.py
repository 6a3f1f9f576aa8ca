import json
import logging
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import DBAPIError

from webhook_service.errors import StoreUnavailable
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


@pytest.fixture
def faults(caplog: pytest.LogCaptureFixture) -> logs.FaultLog:
    caplog.set_level(logging.INFO)
    return logs.FaultLog(logging.getLogger("webhook_service.test"), "Claiming work")


def fail(faults: logs.FaultLog, said: str | None) -> None:
    with faults():
        try:
            raise DBAPIError("SELECT secret", {"n": "secret"}, ValueError(f"{said}\nmore"))
        except DBAPIError as exc:
            raise StoreUnavailable("The database does not answer.") from exc


def test_a_fault_is_logged_with_what_the_database_said_and_no_sql(
    faults: logs.FaultLog, caplog: pytest.LogCaptureFixture
) -> None:
    fail(faults, "disk full")
    line = "Claiming work failed, trying again: The database does not answer. (disk full)"
    assert caplog.messages == [line]


def test_the_same_fault_is_logged_once_a_minute(
    faults: logs.FaultLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    for said in ("disk full", "disk full", "read only", "read only"):
        fail(faults, said)
    now += logs.REPEAT_SECONDS
    fail(faults, "read only")
    assert [text[-11:-1] for text in caplog.messages] == ["(disk full", "(read only", "(read only"]


def test_the_end_of_a_fault_is_logged_once(
    faults: logs.FaultLog, caplog: pytest.LogCaptureFixture
) -> None:
    fail(faults, "disk full")
    for _ in range(3):
        with faults():
            pass
    assert caplog.messages[1:] == ["Claiming work works again."]


@pytest.mark.parametrize("fault", [ValueError("bug"), SystemExit(1)])
def test_a_fault_of_the_code_is_logged_with_its_traceback(
    faults: logs.FaultLog, caplog: pytest.LogCaptureFixture, fault: BaseException
) -> None:
    with faults():
        raise fault
    assert caplog.records[0].exc_info is not None


def test_lines_of_strangers_are_counted_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    moment = [0.0]
    log = logging.getLogger("webhook_service.test.sparing")
    log.filters = [logs.Sparing(2, 60.0, lambda: moment[0])]
    caplog.set_level(logging.INFO, log.name)
    for number in range(5):
        log.info("call %d refused", number)
        log.info("another kind of line")
    moment[0] = 61.0
    log.info("call %d refused", 5)
    log.info("call %d refused", 6)
    told = [line for line in caplog.messages if line.startswith("call")]
    assert told == [
        "call 0 refused",
        "call 1 refused",
        "call 5 refused (3 such lines were left out before)",
        "call 6 refused",
    ]
    assert caplog.messages.count("another kind of line") == 2


def test_json_lines_have_the_fields_of_their_record_and_of_what_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("json")
    log = logging.getLogger("webhook_service.test")
    with logs.common_fields({"execution": "exe_1", "cluster": None, "level": "forged"}):
        log.info("done", extra={"seconds": 1.23456789, "executions": ("exe_1",)})
    log.info("later")
    first, later = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["execution"], first["seconds"], first["executions"], first["level"]) == (
        *("exe_1", 1.234568, ["exe_1"]),
        "info",
    )
    assert "cluster" not in first
    assert set(later) == {"time", "level", "logger", "message"}


def test_fields_are_written_without_secrets_and_are_always_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    key, token = new_key(), new_token()
    extra = {"url": f"?key={key}", "many": [token], "seconds": float("nan"), "odd": object()}
    logs.configure("json")
    logging.getLogger("webhook_service.test").info("x", extra=extra)
    text = capsys.readouterr().err
    assert key not in text and token not in text
    assert json.loads(text)["seconds"] is None


@pytest.mark.parametrize(
    ("level", "shown"),
    [("debug", "debug info warning error"), ("warning", "warning error"), ("error", "error")],
)
def test_the_level_says_what_is_logged(
    level: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("text", level)
    log = logging.getLogger("webhook_service.test")
    for method in (log.debug, log.info, log.warning, log.error):
        method(method.__name__)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == shown.split()


def test_libraries_log_nothing_below_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "error")
    logging.getLogger("library").warning("no")
    logs.configure("text", "debug")
    logging.getLogger("library").info("no")
    assert capsys.readouterr().err == ""


def closed_by_a_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error as Python makes it: closing it leaves the file of the process open."""
    monkeypatch.setattr(sys, "stderr", open(2, "w", closefd=False))
    logs.configure("text")
    sys.stderr.close()


def test_lines_are_written_after_a_plugin_has_closed_standard_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    closed_by_a_plugin(monkeypatch)
    logging.getLogger("webhook_service.test").warning("the first")
    logging.getLogger("webhook_service.test").warning("the second")
    print("and others", file=sys.stderr)
    assert [line.rpartition(": ")[2] for line in capfd.readouterr().err.splitlines()] == [
        "the first",
        "the second",
        "and others",
    ]


def test_a_line_is_lost_and_nothing_raised_where_the_file_itself_is_closed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    closed_by_a_plugin(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(logs, "STDERR", 10**6)
        logging.getLogger("webhook_service.test").warning("nobody reads this")
    assert capfd.readouterr() == ("", "")
    logging.getLogger("webhook_service.test").warning("the file is back")
    assert capfd.readouterr().err.endswith(": the file is back\n")


class Mute:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (("%d pods", "no number"), "%d pods (its values cannot be put into it: TypeError)"),
        (("%s", Mute()), "%s (its values cannot be put into it: RuntimeError)"),
        ((Mute(),), "Mute (its values cannot be put into it: RuntimeError)"),
    ],
)
def test_a_line_that_cannot_be_made_raises_nothing_where_it_is_logged(
    record: tuple[object, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in written("text", capsys, *record)
