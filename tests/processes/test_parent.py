"""What the parent does about children that fail, with children that are a few lines each."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from webhook_service.errors import SettingsError
from webhook_service.processes import parent, process
from webhook_service.processes.parent import serve_in_processes
from webhook_service.settings import Settings, load_settings

BEGIN = """
import os, signal, socket, sys, time
channel = socket.socket(fileno=int(sys.argv[2]))
channel.recv(1 << 20)
def note(text):
    with open({notes!r}, "a") as file:
        file.write(text + "\\n")
"""
READY = "channel.sendall(b'ready http://here\\n')\n"
WAIT = "time.sleep(60)\n"


@pytest.fixture
def settings() -> Settings:
    """Nobody asks the database."""
    return load_settings(database_url="postgresql://nobody@127.0.0.1:1/none", listen="127.0.0.1:0")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "notes").touch()
    return tmp_path / "notes"


def child(notes: Path, program: str) -> Sequence[str]:
    return (sys.executable, "-S", "-c", BEGIN.format(notes=str(notes)) + program)


def end(_: str = "") -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_ctrl_c_does_not_reach_children_beside_their_parent(
    settings: Settings, notes: Path
) -> None:
    program = child(notes, "note(str(os.getpgid(0) == os.getpid()))\n" + READY + WAIT)
    assert serve_in_processes(settings, 1, program, end) == 0
    assert notes.read_text().split() == ["True"]


def test_after_a_signal_all_end_and_the_exit_code_is_0(settings: Settings, notes: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGCHLD)
    ready = []
    program = child(notes, "note('begun')\n" + READY + WAIT)
    code = serve_in_processes(settings, 3, program, lambda url: (ready.append(url), end()))  # type: ignore[func-returns-value]
    assert (code, ready) == (0, ["http://here"])
    assert notes.read_text().split() == ["begun"] * 3
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGCHLD)) == before


def test_what_keeps_the_first_from_starting_ends_the_service_before_the_others_start(
    settings: Settings, notes: Path
) -> None:
    assert serve_in_processes(settings, 3, child(notes, "note('begun'); sys.exit(7)")) == 7
    assert notes.read_text().split() == ["begun"]


def test_a_child_that_is_never_ready_is_killed(
    settings: Settings,
    notes: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0.3)
    assert serve_in_processes(settings, 2, child(notes, WAIT)) == 1
    assert "did not get ready in time: killed" in caplog.text


def test_children_that_go_on_dying_end_the_service_with_a_sentence(
    settings: Settings, notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    second = "note(str(json.loads(told)['number']))\n"
    program = BEGIN.format(notes=str(notes)).replace("channel.recv", "told = channel.recv")
    program = f"import json\n{program}{second}{READY}"
    program += "if json.loads(told)['number'] == 0: time.sleep(60)\n"
    assert serve_in_processes(settings, 2, (sys.executable, "-S", "-c", program)) == 1
    assert notes.read_text().split() == ["0", *["1"] * process.DEATHS]
    assert "Host process 1 has died 5 times within 60 seconds, so the service ends." in caplog.text
    assert [f"starts in {pause} s" in caplog.text for pause in (0.01, 0.02, 0.04, 0.08)] == [
        True
    ] * 4


def test_a_child_that_is_stuck_is_replaced(settings: Settings, notes: Path) -> None:
    stuck = f"if len(open({str(notes)!r}).readlines()) == 1: channel.sendall(b'stuck\\n')\n"
    enough = f"else: os.kill({os.getpid()}, signal.SIGTERM)\n"
    program = child(notes, "note('begun')\n" + READY + stuck + enough + WAIT)
    assert serve_in_processes(settings, 1, program) == 0
    assert notes.read_text().split() == ["begun"] * 2


def test_a_child_whose_threads_end_with_the_service_is_not_taken_for_stuck(
    settings: Settings, notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    says = "lambda *_: (channel.sendall(b'stuck\\n'), time.sleep(0.2), sys.exit(0))"
    program = child(notes, f"signal.signal(signal.SIGTERM, {says})\n" + READY + WAIT)
    assert serve_in_processes(settings, 1, program, end) == 0
    assert "stuck" not in caplog.text


def test_a_child_that_does_not_end_in_time_is_killed_and_that_is_a_failure(
    settings: Settings,
    notes: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(process, "END_SECONDS", 0.3)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + WAIT
    assert serve_in_processes(settings, 2, child(notes, deaf), end) == 1
    assert caplog.text.count("did not end in time: killed") == 2


def test_sqlite_is_refused_with_what_to_do(tmp_path: Path) -> None:
    settings = load_settings(database_url=f"sqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(SettingsError, match="set WEBHOOK_SERVICE_DATABASE_URL to a PostgreSQL"):
        serve_in_processes(settings, 2, ("false",))
    assert not list(tmp_path.iterdir())


def test_a_machine_without_a_folder_for_temporary_files_is_told_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: str) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(SettingsError, match="name one in TMPDIR"):
        serve_in_processes(settings, 2, ("false",))
