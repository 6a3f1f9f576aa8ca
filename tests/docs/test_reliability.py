"""Each row of what operators can do names a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()
SECTION = PAGE.partition("## What an operator can do")[2].partition("\n## ")[0]
ROWS = [line for line in SECTION.splitlines() if line.startswith("| ")][1:]


def test_the_table_is_there() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_each_row_names_its_test(row: str) -> None:
    found = re.search(r"\| `([\w/]+\.py)`, `(test_\w+)` \|$", row)
    assert found is not None, row
    assert f"def {found[2]}(" in (TESTS / found[1]).read_text()
