"""The public names: what ``__all__`` lists is complete, documented, and enough."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import webhook_service

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
PUBLIC = [
    "webhook_service",
    "webhook_service.formats",
    "webhook_service.schemes",
    "webhook_service.notifications",
    "webhook_service.host",
    "webhook_service.client",
    "webhook_service.resources",
    "webhook_service.testing",
    "webhook_service.testing.kit",
]
NAMES = {module: set(importlib.import_module(module).__all__) for module in PUBLIC}
ALL_NAMES = set[str]().union(*NAMES.values())
# Applications do not build these by themselves: ``WebhookService.open`` does.
BUILT_BY_OPEN = ("Store.__init__", "Instances.__init__", "Interventions.__init__")


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_can_be_imported(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in found.__all__ if not hasattr(found, name)] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_all_listed(module: str) -> None:
    found = importlib.import_module(module)
    exported = {
        name
        for name, value in vars(found).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert exported - {"TYPE_CHECKING", "Any"} <= NAMES[module]


@pytest.mark.parametrize("module", PUBLIC)
def test_the_reference_has_each_name_once(module: str) -> None:
    section = REFERENCE.split(f"\n## `{module}`\n")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^- `(\w+)`", section, re.MULTILINE)) == sorted(NAMES[module])


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(webhook_service, "no_such_name")


def test_importing_the_contract_loads_no_server_no_database_and_no_cluster_client() -> None:
    code = (
        "import sys, webhook_service, webhook_service.formats, webhook_service.schemes; "
        "print([m for m in ('sqlalchemy', 'starlette', 'kubernetes', 'typer') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout.strip() == "[]"


def _defined() -> set[str]:
    """Every class that the core defines by itself, but for the private ones."""
    return {
        node.name
        for path in (ROOT / "webhook_service").rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def _public_callables() -> Iterator[tuple[str, object]]:
    for module in PUBLIC:
        for name in NAMES[module]:
            value = getattr(importlib.import_module(module), name)
            yield name, value
            for attribute, member in vars(value).items() if isinstance(value, type) else ():
                if attribute == "__init__" or not attribute.startswith("_"):
                    yield f"{name}.{attribute}", getattr(member, "__func__", member)


def _named_in(value: object) -> set[str]:
    """The names in a signature, in annotated fields, and after ``Raises:`` in a docstring."""
    value = value.fget if isinstance(value, property) else value
    annotations = " ".join(map(str, getattr(value, "__annotations__", {}).values()))
    raises = (inspect.getdoc(value) or "").partition("Raises:")[2]
    raised = re.findall(r"^\s*(\w+(?:, \w+)*):", raises, re.MULTILINE)
    return set(re.findall(r"\w+", f"{annotations} {' '.join(raised)}"))


def test_what_public_signatures_and_docstrings_name_is_public() -> None:
    defined = _defined()
    hidden = {
        f"{owner}: {name}"
        for owner, value in _public_callables()
        for name in _named_in(value) & defined - ALL_NAMES
        if not owner.endswith(BUILT_BY_OPEN)
    }
    assert sorted(hidden) == []


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names)


EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_import_public_names_only(path: Path) -> None:
    hidden = [
        f"{module}.{name}"
        for module, name in _imports(path)
        if module.partition(".")[0] == "webhook_service"
        and (module not in PUBLIC or (name and name not in NAMES[module]))
    ]
    assert hidden == []


SHIPPED = sorted((ROOT / "drivers").rglob("*.py"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_drivers_import_what_foreign_ones_can(path: Path) -> None:
    hidden = [
        f"{module}.{name}"
        for module, name in _imports(path)
        if module.partition(".")[0] == "webhook_service"
        and not (module == "webhook_service" and name in NAMES["webhook_service"])
        and module not in {"webhook_service.failpoints", "webhook_service.errors"}
    ]
    assert hidden == []
