"""``webhook-service secret-key``: an old key can go."""

from typing import Any

import pytest

from tests.cli.conftest import Run, RunJson

OLD, NEW = "the old secret key", "the new secret key"


def test_an_old_key_can_go_after_a_rotation(
    run: Run, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", OLD)
    made: Any = run_json("receiver", "create", "--name", "r", "--driver", "stub")
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", NEW)
    refused = run("receiver", "list")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "secret-key rotate" in refused.stderr
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", f"{NEW},{OLD}")
    assert run_json("secret-key", "rotate") == {"resealed": 1}
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", NEW)
    assert run_json("receiver", "show", made["id"])["url"] == made["url"]
    assert run("secret-key", "rotate").stdout.startswith("1 rows are sealed")
