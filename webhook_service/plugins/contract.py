"""The contract: what of a plug-in's class can be seen to be wrong before anything runs it.

Its author learns it from a list of plug-ins, and not from the first push.
"""

from __future__ import annotations

from inspect import (
    getattr_static,
    isasyncgenfunction,
    iscoroutinefunction,
    isfunction,
    isgeneratorfunction,
    signature,
)

from webhook_service.driver import CONTRACT, PushEvent, Request

# What the service awaits. It calls the others where nothing waits for a coroutine.
MAY_BE_ASYNC = ("execute", "interrupt", "close")


def fault(target: object, base: type) -> str | None:
    """Why this cannot be a plug-in, as a sentence; None if nothing is seen.

    Args:
        base: ``WebhookDriver``, ``Format``, ``Scheme`` or ``NotificationKind``.
    """
    if not isinstance(target, type):
        kind = type(target)
        if issubclass(kind, base):
            return f"it is an object of {kind.__name__}, and must be the class itself."
        return f"it is a {kind.__name__}, and must be a class that extends {base.__name__}."
    if not issubclass(target, base):
        return f"its class {target.__name__} does not extend {base.__name__}."
    if names := sorted(getattr(target, "__abstractmethods__", ())):
        return f"its class {target.__name__} does not define {', '.join(names)}."
    try:
        return breach(target, base)
    except Exception as exc:  # what its descriptors raise harms no other plug-in
        return f"its class {target.__name__} cannot be read: {type(exc).__name__}."


def breach(target: type, base: type) -> str | None:
    """How a class that extends a base breaks its contract; None if it does not."""
    return (
        _of_version(getattr(target, "contract", 1))
        or _of_models(target, base)
        or _of_consumes(target, base)
        or _of_signatures(target, base)
    )


def _of_version(asked: object) -> str | None:
    if not isinstance(asked, int):
        return f"its contract is {str(asked)[:100]!r}, and must be a number such as {CONTRACT}."
    if asked > CONTRACT:
        return (
            f"it asks for version {asked} of the plug-in contract, and this webhook-service has "
            f"{CONTRACT}: install a newer webhook-service, or an older version of the plug-in."
        )
    return None


def _of_models(target: type, base: type) -> str | None:
    """Of its model for what receivers say: all are read together, so one would harm the others."""
    for name in ("Config", "Options"):
        wanted, given = getattr(base, name, None), getattr(target, name, None)
        if isinstance(wanted, type) and not (isinstance(given, type) and issubclass(given, wanted)):
            return f"its {name} must be a class that extends {wanted.__name__}."
        if computed := getattr(given, "model_computed_fields", None):
            # What is stored has them, and no model takes them back.
            return f"its {name} has computed fields ({', '.join(computed)}): use plain properties."
    return None


def _of_consumes(target: type, base: type) -> str | None:
    if hasattr(base, "consumes") and getattr(target, "consumes", None) not in (PushEvent, Request):
        return "its consumes must be the class PushEvent or the class Request."
    return None


def _of_signatures(target: type, base: type) -> str | None:
    """Of a method that cannot be called as the base's own is, or returns before it has run."""
    for name, own in vars(base).items():
        given = getattr_static(target, name)
        if given is own or not isfunction(own) or name == "__init__":
            continue
        method = given.__get__(object(), target) if hasattr(given, "__get__") else given
        taken = list(signature(own).parameters)[1:]
        try:
            signature(method).bind(*taken)
        except TypeError:
            return f"its {name} must be a method that takes ({', '.join(['self', *taken])})."
        except ValueError:
            continue  # it is not written in Python
        if said := _of_kind(name, method):
            return said
    return None


def _of_kind(name: str, method: object) -> str | None:
    if isgeneratorfunction(method) or isasyncgenfunction(method):
        return f"its {name} must return, and not yield."
    if iscoroutinefunction(method) and name not in MAY_BE_ASYNC:
        return f"its {name} must be a plain method, and not async: nothing waits for it."
    return None
