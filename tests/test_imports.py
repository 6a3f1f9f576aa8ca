"""No module imports one that needs it in turn: each can be read without the ones above it."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


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
