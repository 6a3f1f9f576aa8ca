"""The strategies of the drivers that change images: one module each, listed here once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import BeforeValidator, Field

from webhook_drivers.kubernetes.strategies.blue_green.strategy import BlueGreen
from webhook_drivers.kubernetes.strategies.canary.strategy import Canary
from webhook_drivers.kubernetes.strategies.delegate import Delegate
from webhook_drivers.kubernetes.strategies.recreate import Recreate
from webhook_drivers.kubernetes.strategies.rolling import Rolling
from webhook_drivers.kubernetes.strategies.strategy import Strategy

OneOf: TypeAlias = Rolling | Recreate | BlueGreen | Canary | Delegate


def _with_type(value: Any) -> Any:
    """``rolling`` is what a strategy is that does not say its type."""
    return {"type": "rolling", **value} if isinstance(value, dict) else value


AnyStrategy = Annotated[
    OneOf,
    Field(discriminator="type"),
    BeforeValidator(_with_type),
]
"""Any strategy, as configs say it."""

STRATEGIES: Mapping[str, type[Strategy[Any]]] = {
    each.model_fields["type"].default: each for each in get_args(OneOf)
}
"""The strategies by their type."""
