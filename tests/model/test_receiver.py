"""Receivers as people describe them."""

import pytest
from pydantic import BaseModel

from webhook_service.model.receiver import After, Freeze, Listen, Match, Source, TagRule, Verify
from webhook_service.model.rules.approval import ApprovalRule
from webhook_service.model.rules.registry import KeylessSigner, RegistryRule

PARTS = (After, ApprovalRule, Freeze, KeylessSigner, Listen, Match, RegistryRule, Source, TagRule)


@pytest.mark.parametrize("part", [*PARTS, Verify], ids=lambda part: part.__name__)
def test_each_field_of_a_part_says_what_it_means(part: type[BaseModel]) -> None:
    """People read it in the API's document, with ``kubectl explain`` and in the chart."""
    for name, field in part.model_json_schema()["properties"].items():
        said = field.get("description", "")
        assert said.endswith("."), f"{name} is not described"
        assert said[0].isupper(), said
