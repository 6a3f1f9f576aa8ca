"""The definition of Receivers in the chart is the one that the shipped drivers give."""

import json

from tests.docs.test_docs import ROOT
from webhook_service.operator.crd import receiver_definition
from webhook_service.plugins.instances import installed_drivers
from webhook_service.settings import load_settings

FILE = "examples/deploy/chart/receivers.json"


def test_the_chart_has_the_definition_that_the_shipped_drivers_give() -> None:
    made = receiver_definition(installed_drivers(load_settings()).plugins)
    again = f"run: webhook-service operator definition > {FILE}"
    assert json.loads((ROOT / FILE).read_text()) == made, again


def test_no_part_of_the_definition_has_a_default() -> None:
    assert '"default":' not in (ROOT / FILE).read_text()
