"""docs/writing-a-driver.md: its examples run, and the kit finds the fault that the page shows."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from webhook_service.driver import CONTRACT
from webhook_service.testing.kit import DriverConformance, Fault

GUIDE = (Path(__file__).parents[2] / "docs" / "writing-a-driver.md").read_text()
CLIENT, LATER, NEWEST, KIT = (
    next(
        dedent(block)
        for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
        if word in block
    )
    for word in ("class Client", "class Later", "class Newest", "class TestNote")
)
TESTS = [name for name in dir(DriverConformance) if name.startswith("test_")]


def ran(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    exec(source, names)
    return names


def test_the_example_of_a_client_runs(listener: Any) -> None:
    client = ran(CLIENT)["Client"]({"allow_private": ["127.0.0.0/8"]})
    client.start(listener.url, "acme/shop:1")
    client.close()
    assert listener.calls[0].body == b'{"image": "acme/shop:1"}'


def case_of_the_guide() -> Any:
    return ran(KIT)["TestNote"].case.__wrapped__(None)


@pytest.mark.parametrize("name", TESTS)
def test_the_example_of_the_kit_has_the_one_fault_that_the_page_names(name: str) -> None:
    test = getattr(DriverConformance(), name)
    if name != "test_an_older_push_never_wins":
        return test(case_of_the_guide())
    with pytest.raises(Fault, match="an older push that came after a newer one"):
        test(case_of_the_guide())


def test_the_asynchronous_example_keeps_its_contract() -> None:
    later = ran(LATER)["Later"]
    assert issubclass(later, ran(LATER)["WebhookDriver"])
    assert later().slot(None, None) == ""


def test_the_example_of_a_newer_contract_asks_for_one_that_is_not_there_yet() -> None:
    assert ran(NEWEST)["Newest"].contract == CONTRACT + 1
