"""What all strategies keep to."""

from dataclasses import FrozenInstanceError, fields
from typing import Any, get_type_hints

import pytest

from webhook_drivers.kubernetes.strategies import STRATEGIES
from webhook_drivers.kubernetes.strategies.strategy import Look, Strategy


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_what_a_strategy_has_seen_is_a_look_that_nobody_changes(
    strategy: type[Strategy[Any]],
) -> None:
    kind = get_type_hints(strategy.look)["return"]
    assert issubclass(kind, Look)
    look = kind(**{field.name: {} for field in fields(kind)})
    with pytest.raises(FrozenInstanceError):
        look.obj = {}
