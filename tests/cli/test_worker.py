import pytest

from tests.cli.conftest import Run
from webhook_service.telemetry import logs


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command would configure the log of its process, which here is that of the tests."""
    monkeypatch.setattr(logs, "configure", lambda form, level: None)


def test_a_worker_of_hosts_that_need_none_is_refused(run: Run) -> None:
    result = run("worker")
    assert result.exit_code == 1
    assert "WEBHOOK_SERVICE_ENGINE is not celery" in result.stderr


def test_a_worker_without_a_broker_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_ENGINE", "celery")
    monkeypatch.delenv("WEBHOOK_SERVICE_BROKER_URL", raising=False)
    result = run("worker")
    assert result.exit_code == 1
    assert "WEBHOOK_SERVICE_BROKER_URL must be set" in result.stderr


def test_a_worker_of_a_database_that_is_not_there_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_SERVICE_ENGINE", "celery")
    monkeypatch.setenv("WEBHOOK_SERVICE_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("WEBHOOK_SERVICE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("WEBHOOK_SERVICE_SECRET_KEY", "a secret key of the tests")
    result = run("worker")
    assert result.exit_code == 1
    assert "does not answer" in result.stderr
