"""Modules can be read one by one: none needs itself in turn, and no folder has too many."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
ONE_PER_THING = {
    "webhook_service/formats",
    "webhook_service/host/api",
    "webhook_service/schemes",
}
"""Folders with a module for each sender, resource or scheme: a list, not a story."""


def test_no_imports_go_in_a_circle_not_even_those_for_types() -> None:
    graph = grimp.build_graph(
        "webhook_service", "webhook_drivers", exclude_type_checking_imports=False, cache_dir=None
    )
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imported) > 300
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("tree", ["webhook_service", "drivers", "tests/drivers"])
def test_no_folder_has_more_modules_than_a_reader_takes_in(tree: str) -> None:
    folders = {path.parent for path in (ROOT / tree).rglob("*.py")}
    counts = {
        str(folder.relative_to(ROOT)): len(set(folder.glob("*.py")) - {folder / "__init__.py"})
        for folder in folders
    }
    assert len(counts) >= 6
    large = {name: count for name, count in counts.items() if count > 15}
    assert large.keys() <= ONE_PER_THING, large


def test_at_the_root_lies_what_somebody_opens_first() -> None:
    assert len(list((ROOT / "webhook_service").glob("*.py"))) <= 8


def test_the_tests_of_the_drivers_have_the_folders_of_the_code() -> None:
    code = ROOT / "drivers/webhook_drivers/kubernetes"
    tests = {
        path.name for path in (ROOT / "tests/drivers").glob("*/") if (path / "__init__.py").exists()
    }
    folders = {path.name for path in code.glob("*/") if (path / "__init__.py").exists()}
    assert tests == folders | {"git"}
