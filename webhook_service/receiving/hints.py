"""Hints: what would fit a call that was refused, for the people of its receiver."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from webhook_service.errors import InvalidPayload, Unauthenticated, WebhookServiceError
from webhook_service.formats.auto import Auto, AutoOptions
from webhook_service.model.delivery import Call
from webhook_service.model.people.audit import Spec
from webhook_service.plugins.boundary import guarded
from webhook_service.plugins.instances import Formats, Schemes
from webhook_service.schemes.scheme import Scheme

# Every format reads the body for a hint; pushes are far below this.
MAX_BODY = 64 * 1024
_HEADER = re.compile(r"[A-Za-z0-9-]+")


def hint(
    spec: Spec, call: Call, exc: WebhookServiceError, formats: Formats, schemes: Schemes
) -> str:
    """Which format, scheme or secret would fit a refused call; empty if that is not known."""
    with suppress(WebhookServiceError), guarded("Looking for a hint", InvalidPayload):
        if isinstance(exc, InvalidPayload):
            return _of_format(spec, call, formats)
        if isinstance(exc, Unauthenticated):
            return _of_scheme(spec, call, schemes)
    return ""


def _of_format(spec: Spec, call: Call, formats: Formats) -> str:
    if len(call.body) > MAX_BODY:
        return ""
    own = spec.source.format
    fitting = Auto().bind(AutoOptions(), formats.plugins.targets).claimed(call.body, call.headers)
    if not fitting or own in (*fitting, "auto"):
        return ""
    return (
        f"The body looks like {_either(fitting)}; this receiver's format is {own}. If that is the "
        "sender, change source.format."
    )


def _of_scheme(spec: Spec, call: Call, schemes: Schemes) -> str:
    own = spec.verify.scheme
    scheme = schemes.get(own)
    headers = _headers(scheme, spec.verify.options)
    if headers and not _has_one(call, headers):
        missing = f"The call has no header {_either(headers)}, which {own} reads"
        others = [name for name in schemes.names if _has_one(call, _headers(schemes.get(name)))]
        if others:
            return f"{missing}; it has what {_either(others)} reads. Change verify.scheme."
        return f"{missing}. Enter the secret at the sender, or change verify.scheme."
    for name, value in spec.verify.secrets.items():
        for other, advice in _variants(value, name):
            if _passes(scheme, {**spec.verify.options, name: other}, call, schemes):
                return advice
    if spec.verify.secrets:
        return f"The call does not fit the secret of {own}. Enter the same secret on both sides."
    return ""


def _headers(scheme: Scheme[Any], options: Any = None) -> Sequence[str]:
    """The headers that a scheme reads, as far as they have fixed names or are an option."""
    if options is not None:
        chosen = getattr(scheme.Options.model_validate(options), "header", None)
        if isinstance(chosen, str):
            return [chosen]
    return [name for name in scheme.proof.headers if _HEADER.fullmatch(name)]


def _variants(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """The secrets that people enter by mistake instead of this one, each with what to do."""
    for text in [value] if isinstance(value, str) else value:
        if text.strip() not in ("", text):
            yield (
                text.strip(),
                f"verify.{name} has white space at its ends, and the sender's secret has none. "
                "Set it again without.",
            )
        yield (
            f"{text}\n",
            f"The sender's secret ends with a line break, and verify.{name} does not. Enter it at "
            "the sender again without.",
        )


def _passes(scheme: Scheme[Any], options: Any, call: Call, schemes: Schemes) -> bool:
    model = scheme.Options.model_validate(options)
    try:
        scheme.bind(model, schemes.get).check(call, model)
    except WebhookServiceError:
        return False
    return True


def _has_one(call: Call, headers: Sequence[str]) -> bool:
    return any(name.lower() in call.headers for name in headers)


def _either(names: Sequence[str]) -> str:
    return " or ".join(names)
