"""docs/strategies.md against the code: its examples, its fields and its rights."""

import json
import re
from pathlib import Path

import pytest

from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdateConfig
from webhook_drivers.kubernetes.strategies import STRATEGIES
from webhook_drivers.kubernetes.strategies.blue_green.strategy import BlueGreen
from webhook_drivers.kubernetes.strategies.canary.strategy import Canary
from webhook_drivers.kubernetes.strategies.checks import HttpCheck
from webhook_drivers.kubernetes.strategies.delegate import Delegate
from webhook_service import DriverConfig

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "strategies.md").read_text()
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def section(title: str) -> str:
    return PAGE.partition(f"\n### {title}\n")[2].partition("\n### ")[0]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_valid_config(example: str) -> None:
    assert DeploymentUpdateConfig.model_validate(json.loads(example)).name == "shop"


def test_every_strategy_has_a_row_and_each_row_names_its_test() -> None:
    rows = re.findall(r"^\| `(\w+)`.*\| (?:`(test_\w+)`|the same) \|$", PAGE, re.MULTILINE)
    assert {name for name, _ in rows} == set(STRATEGIES)
    tests = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    assert [test for _, test in rows if test and f"def {test}(" not in tests] == []
    table = PAGE.partition("## The strategies\n")[2].partition("\n\nEach test")[0]
    assert len(rows) == table.count("\n| `")


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("blueGreen", BlueGreen),
        ("canary", Canary),
        ("delegate", Delegate),
        ("Checks", HttpCheck),
    ],
)
def test_every_field_is_told(title: str, model: type[DriverConfig]) -> None:
    fields = model.model_json_schema(by_alias=True)["properties"].keys() - {"type"}
    assert [name for name in fields if f"`{name}`" not in section(title)] == []


@pytest.mark.parametrize("strategy", [BlueGreen, Canary, Delegate])
def test_every_right_is_told(strategy: type[BlueGreen | Canary | Delegate]) -> None:
    (row,) = (
        line
        for line in section("Their rights").splitlines()
        if line.startswith(f"| `{strategy.model_fields['type'].default}`")
    )
    told = {
        (kind.strip(), verb)
        for group in row.split("|")[2].partition(", for a check")[0].split(" · ")
        for kind in group.partition(":")[0].split(",")
        for verb in group.partition(":")[2].replace(" ", "").split(",")
    }
    named = {
        (right.resource.qualified if "." in right.resource.group else right.plural, verb)
        for right in strategy.rights
        for verb in right.verbs
    }
    assert told == named
