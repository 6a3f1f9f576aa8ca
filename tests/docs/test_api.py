"""docs/api.md says what the models say, and its client does what it shows."""

from pathlib import Path

from tests.docs.api import HOW, PAGE, made
from tests.docs.test_docs import blocks
from tests.host.served import serving
from tests.support import PROJECT, add_receiver, make_service, push, sqlite_url, stub_of
from webhook_service.errors import DriverError
from webhook_service.model.people.tokens import Role


def test_the_page_is_that_of_the_models() -> None:
    assert PAGE.read_text() == made(), f"docs/api.md is old: {HOW}"


def test_the_client_of_the_page_finds_a_receiver_and_what_failed(tmp_path: Path) -> None:
    (script,) = blocks(PAGE.read_text(), "python")
    printed: list[tuple[str, str]] = []
    with serving(make_service(sqlite_url(tmp_path))) as served:
        stub_of(served.service).steps = [DriverError("It is full.")]
        _, key = add_receiver(served.service)
        (execution,) = push(served.service, key).executions
        _, token = served.service.create_token(PROJECT, Role.READONLY)
        theirs = {"https://hooks.example.com": served.base, "wht_…": token, "exe_…": execution}
        for old, new in theirs.items():
            assert old in script
            script = script.replace(old, new)
        *head, wait = script.splitlines()
        # The page waits last; a test must wait before it looks what has failed.
        head.insert(3, wait)
        names = {"print": lambda *said: printed.append(said)}
        exec("\n".join(head), names)
        assert names["ended"].state == "failed"  # type: ignore[attr-defined]
    assert printed == [(execution, "It is full.")]
