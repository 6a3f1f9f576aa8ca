"""What tests need from the machine: its lack is a skip with the reason, or a failure in CI."""

import os
from pathlib import Path
from shutil import which

import pytest

VARIABLE = "WEBHOOK_SERVICE_TEST_REQUIRE"


def all_required() -> bool:
    return os.environ.get(VARIABLE) == "all"


def require(what: str, present: object, how: str) -> None:
    """Go on only if `present` is true; `how` tells the reader how to get `what`."""
    if present:
        return
    reason = f"{what} is missing: {how}"
    if all_required():
        pytest.fail(f"{reason} ({VARIABLE}=all)", pytrace=False)
    pytest.skip(reason)


def require_program(name: str, how: str) -> Path:
    # Servers lie where the path of a user other than root does not lead.
    found = which(name) or which(name, path="/usr/sbin")
    require(name, found, how)
    return Path(str(found))
