"""Which types keep a secret: pydantic's own, alone or inside others."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from typing_extensions import TypeAliasType

SECRET_TYPES = (SecretStr, SecretBytes, Secret)


def holds_secret(annotation: Any, seen: tuple[Any, ...] = ()) -> bool:
    """Whether values of a type may hold a secret: in items, in unions, in fields of models."""
    if annotation in seen:
        return False
    seen = (*seen, annotation)
    if isinstance(annotation, TypeAliasType):
        return holds_secret(annotation.__value__, seen)
    inside: list[Any] = list(get_args(annotation))
    if isinstance(annotation, type):
        if issubclass(annotation, SECRET_TYPES):
            return True
        if issubclass(annotation, BaseModel):
            inside += [field.annotation for field in annotation.model_fields.values()]
        elif "__annotations__" in vars(annotation):  # a dataclass, a TypedDict, a NamedTuple
            inside += get_type_hints(annotation).values()
    return any(holds_secret(each, seen) for each in inside)
