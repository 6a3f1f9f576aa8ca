"""``webhook-service backup`` and ``restore``."""

from pathlib import Path

from tests.cli.conftest import Run, RunJson


def test_what_was_backed_up_comes_back(run: Run, run_json: RunJson, tmp_path: Path) -> None:
    made = run_json("receiver", "create", "--name", "r", "--driver", "stub")
    (tmp_path / "phrase").write_text("a passphrase of the tests\n")
    phrase = ("--passphrase", f"@{tmp_path / 'phrase'}")
    copy = str(tmp_path / "copy.db")
    assert run_json("backup", copy, *phrase) == {"file": copy, "key": f"{copy}.key"}
    for lost in ("cli.db", "cli.key"):
        (tmp_path / lost).unlink()
    assert run_json("restore", copy, *phrase) == {
        "file": str(tmp_path / "cli.db"),
        "replaced": None,
        "open": 0,
    }
    assert run_json("receiver", "show", made["id"])["url"] == made["url"]


def test_refusals_are_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cli.db").unlink()
    (tmp_path / "cli.key").unlink()
    missing = run("backup", str(tmp_path / "copy.db"))
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
    run("receiver", "list")
    assert run("backup", str(tmp_path / "copy.db")).stdout.endswith("which is not in it.\n")
    refused = run("restore", str(tmp_path / "copy.db"))
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "--replace" in refused.stderr
    wrong = run("backup", str(tmp_path / "other.db"), "--passphrase", "@none")
    assert wrong.exit_code == 2 and "'--passphrase': none cannot be read" in wrong.stderr
    told = run("restore", str(tmp_path / "copy.db"), "--replace").stdout
    assert "cli.db.replaced-1" in told


def test_a_file_that_was_lost_is_not_replaced_by_an_empty_one(run: Run, tmp_path: Path) -> None:
    run("receiver", "list")
    (tmp_path / "cli.db").unlink()
    refused = run("receiver", "list")
    assert refused.exit_code == 1 and "webhook-service restore FILE" in refused.stderr
    assert run("migrate").exit_code == 0
    assert run("receiver", "list").exit_code == 0
