"""docs/architecture.md names files that exist, and the figures of the way."""

import re
from pathlib import Path

from tests.way import trace

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
# Which of two threads comes first decides on a call or two.
TOLERANCE = 6


def test_every_file_and_folder_that_is_named_exists() -> None:
    named = set(re.findall(r"[`\s]((?:\w+/)+(?:\w+\.py)?)(?=[`,\s])", PAGE))
    there = [
        f"/{path.relative_to(ROOT)}"
        for folder in ("webhook_service", "drivers", "tests")
        for path in (ROOT / folder, *(ROOT / folder).rglob("*"))
    ]
    assert len(named) > 30
    missing = {name for name in named if not any(_ends(path, name) for path in there)}
    assert sorted(missing) == []


def _ends(path: str, name: str) -> bool:
    return path.endswith(f"/{name.rstrip('/')}")


def test_the_figures_of_the_way_are_what_a_push_passes() -> None:
    found = re.search(r"that is (\d+) functions in (\d+) files", PAGE)
    assert found is not None
    way = trace()
    assert abs(int(found[1]) - len(way.functions)) <= TOLERANCE
    assert abs(int(found[2]) - len(way.files)) <= TOLERANCE // 3
