"""Text of others in the log: secrets are taken out of it, and little else."""

import logging

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tests.support import sqlite_url
from webhook_service.settings import load_settings
from webhook_service.store.store import open_store
from webhook_service.telemetry import logs
from webhook_service.telemetry.redaction import redacted, remember_secrets

S = "hunter2-hunter2"


@pytest.mark.parametrize(
    "said",
    [
        f"Invalid header value b'Bearer {S}\\n'",
        f"Authorization: Bearer {S}",
        "Authorization: Basic dXNlcjpodW50ZXIyLWh1bnRlcjI=",
        "sent Basic dXNlcjpodW50ZXIyLWh1bnRlcjI= to it",
        f"{{'authorization': 'Token {S}'}}",
        f"{{'X-Gitlab-Token': '{S}', 'a': 'b'}}",
        f"connecting to postgresql://user:{S}@db/x failed",
        f"amqp://user:p@{S}@mq//",
        f"GET https://api.test/v1?access_token={S}&page=2",
        f"host=db password={S} user=x",
        f"DETAIL: Failing row contains (1, {S},\n null).",
    ],
)
def test_a_secret_is_taken_out(said: str) -> None:
    assert S not in redacted(said) and "dXNlcjpod" not in redacted(said)
    assert "…" in redacted(said)


@pytest.mark.parametrize(
    "said",
    [
        "basic authentication is needed, or a bearer of it",
        "push of docker.io/acme/shop:1.2.3@sha256:00 to https://reg.test/v2/",
        "The API token is not valid: ask for a new one.",
        "the key=value form, tokens: 3",
    ],
)
def test_other_text_stays(said: str) -> None:
    assert redacted(said) == said


def test_the_secrets_of_the_settings_are_known(tmp_path: object) -> None:
    key = "a key that seals by itself"
    url = sqlite_url(tmp_path)  # type: ignore[arg-type]
    settings = load_settings(database_url=url, secret_key=key, broker_url="amqp://u:pass%20word@h")
    open_store(settings).close()
    for secret in (key, "pass%20word", "pass word"):
        assert redacted(f"it said {secret}!") == "it said …!"


def test_a_short_value_is_not_taken_out_of_words() -> None:
    remember_secrets(["shop", None])
    assert redacted("acme/shop") == "acme/shop"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_causes_in_a_traceback_are_redacted(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    logs.configure(form)  # type: ignore[arg-type]
    try:
        try:
            raise ValueError(f"Invalid header value b'Bearer {S}'")
        except ValueError as exc:
            raise RuntimeError(f"https://user:{S}@host failed") from exc
    except RuntimeError as exc:
        logging.getLogger("webhook_service.test").exception("failed: %s", exc, stack_info=True)
    finally:
        root.handlers, root.level = before, level
    written = capsys.readouterr().err
    assert S not in written
    assert written.count("Bearer …") == 1 and "RuntimeError" in written


def test_a_formatter_of_an_application_writes_no_secret_either() -> None:
    try:
        raise ValueError(f"Bearer {S}")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, "f", 1, "m", (), __import__("sys").exc_info()
        )
    assert logs.Redact().filter(record)
    assert S not in logging.Formatter().format(record)


def test_errors_of_the_database_quote_no_values(tmp_path: object) -> None:
    store = open_store(load_settings(database_url=sqlite_url(tmp_path)))  # type: ignore[arg-type]
    statement = text("INSERT INTO keys (fingerprint) VALUES (:value)")
    with pytest.raises(SQLAlchemyError) as raised:
        store.database.write(lambda connection: connection.execute(statement, {"value": S}))
    store.close()
    assert S not in str(raised.value)
