"""The public API is what ``__all__`` lists, and nothing else."""

import subprocess
import sys

import webhook_service


def test_every_public_name_can_be_imported() -> None:
    missing = [name for name in webhook_service.__all__ if not hasattr(webhook_service, name)]
    assert missing == []


def test_public_names_are_all_listed() -> None:
    import types

    exported = {
        name
        for name, value in vars(webhook_service).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert exported - {"TYPE_CHECKING", "Any"} <= set(webhook_service.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(webhook_service, "no_such_name")


def test_importing_the_contract_loads_no_server_no_database_and_no_cluster_client() -> None:
    code = (
        "import sys, webhook_service; "
        "print([m for m in ('sqlalchemy', 'starlette', 'kubernetes', 'typer') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "[]"
