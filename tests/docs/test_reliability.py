"""Each row of what people can do names a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()
TABLES = ("## What an operator can do", "## What people can do to a rollout")


def _rows(title: str) -> list[str]:
    section = PAGE.partition(title)[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("title", TABLES)
def test_the_table_is_there(title: str) -> None:
    assert len(_rows(title)) > 20


@pytest.mark.parametrize(
    "row", [row for title in TABLES for row in _rows(title)], ids=lambda row: row[2:42].strip()
)
def test_each_row_names_its_test(row: str) -> None:
    found = re.search(r"\| `([\w/]+\.py)`, `(test_\w+)` \|$", row)
    assert found is not None, row
    assert f"def {found[2]}(" in (TESTS / found[1]).read_text()
