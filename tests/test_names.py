"""A name means one thing: nobody has to ask which of two classes is meant."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("webhook_service", "webhook_drivers")
# One thing in two places: what a sender sends and how it proves itself, breakers of two kinds of
# calls, and the API's objects and requests, which the double of the cluster writes down by itself.
ONE_THING = {"Breaker", "Request", "Resource"}
SENDERS = {
    "Cloudsmith",
    "GitHub",
    "GitLab",
    "GitLabOptions",
    "Gitea",
    "JFrog",
    "JFrogOptions",
    "Nexus",
}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in (ROOT / "webhook_service", ROOT / "drivers"):
        for path in folder.rglob("*.py"):
            yield path, ast.parse(path.read_text())


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 300
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert twice.keys() == ONE_THING | SENDERS, twice


def test_what_is_ours_is_imported_under_its_own_name() -> None:
    hidden = [
        f"{path.relative_to(ROOT)}: {node.module}.{name.name} as {name.asname}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS)
        for name in node.names
        if name.asname
    ]
    assert hidden == []
