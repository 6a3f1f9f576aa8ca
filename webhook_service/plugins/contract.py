"""The contract: what of a plug-in's class can be seen to be wrong before anything runs it.

Its author learns it from a list of plug-ins, and not from the first push.
"""

from __future__ import annotations

from inspect import getattr_static, isfunction, signature

from webhook_service.driver import CONTRACT, PushEvent, Request


def lacking(target: object, base: type) -> str:
    """The methods that its author has to write, or has misspelled, as the end of a sentence."""
    if not (isinstance(target, type) and issubclass(target, base)):
        return ""
    names = sorted(getattr(target, "__abstractmethods__", ()))
    return f": it does not define {', '.join(names)}" if names else ""


def breach(target: type, base: type) -> str | None:
    """How a class that extends a base breaks its contract; None if it does not.

    Args:
        base: ``WebhookDriver``, ``Format``, ``Scheme`` or ``NotificationKind``.
    """
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
    return None


def _of_consumes(target: type, base: type) -> str | None:
    if hasattr(base, "consumes") and getattr(target, "consumes", None) not in (PushEvent, Request):
        return "its consumes must be the class PushEvent or the class Request."
    return None


def _of_signatures(target: type, base: type) -> str | None:
    """Of a method that cannot be called with what the base's own takes."""
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
    return None
