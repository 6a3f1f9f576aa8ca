"""A gate: how the calls on one URL are verified and read, be it a receiver's own or an inbox's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from webhook_service.errors import (
    InvalidConfig,
    InvalidRequest,
    IssuerUnavailable,
    PluginUnavailable,
    Unauthenticated,
)
from webhook_service.formats.format import Format, FormatOptions, Parsed
from webhook_service.formats.reading.expressions import is_cel
from webhook_service.model.delivery import Call
from webhook_service.model.receiver import Source, Verify
from webhook_service.model.secret_types import holds_secret
from webhook_service.plugins.boundary import ask, guarded, storable_parsed
from webhook_service.plugins.bounded import is_ours
from webhook_service.plugins.instances import Formats, Schemes
from webhook_service.receiving.bodies.receiver import describe
from webhook_service.schemes.scheme import Scheme, SchemeOptions

# What the worst body of this size costs does not hold up other calls.
QUICK_BODY = 16 * 1024
# What the contracts let plug-ins raise.
PROOF_ERRORS = (Unauthenticated, IssuerUnavailable)
BODY_ERRORS = (InvalidRequest, PluginUnavailable)
CONFIG_ERRORS = (InvalidConfig, PluginUnavailable)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Gate:
    """A format and a scheme with their options.

    Attributes:
        owner: whose URL it is, for messages: ``receiver rcv_…``.
        format_name: under which name the format is installed; ``scheme_name`` likewise.
        format: bound to ``format_options``; ``scheme`` likewise.
        home: the registry of all pushes, if the body cannot choose it.
        is_cheap: whether what its owner wrote costs next to nothing for any call, and no code of
            others reads it.
    """

    owner: str
    format_name: str
    scheme_name: str
    format: Format[Any]
    format_options: FormatOptions
    home: str | None
    scheme: Scheme[Any]
    scheme_options: SchemeOptions
    is_cheap: bool

    def verify(self, call: Call) -> str | None:
        """Let a genuine call pass; gives the sender's id of it, if the proof covers one.

        Raises:
            Unauthenticated: the call is not proven genuine.
            IssuerUnavailable: that cannot be told now; the sender should try again.
            PluginUnavailable: the scheme failed.
        """
        own = self.scheme_options
        with guarded(
            f"The scheme {self.scheme_name} of the {self.owner}", PluginUnavailable, PROOF_ERRORS
        ):
            ask(NoneType, self.scheme.check, call, own)
            ask(NoneType, self.scheme.greet, call, own)
            message: str | None = ask(str | None, self.scheme.message_id, call, own)
        return message or None  # an empty one would make copies of all calls

    def parse(self, call: Call) -> Parsed:
        """The pushes that a call brings.

        Raises:
            InvalidPayload: the body is not of the format.
            PluginUnavailable: the format failed.
        """
        with guarded(
            f"The format {self.format_name} of the {self.owner}", PluginUnavailable, BODY_ERRORS
        ):
            return storable_parsed(self.format.parse(call.body, call.headers, self.format_options))

    def is_quick(self, call: Call) -> bool:
        """Whether the call can be verified and read without waiting, in a few milliseconds."""
        return self.is_cheap and self.scheme.computes_only and len(call.body) <= QUICK_BODY


def compile_gate(
    owner: str, source: Source, verify: Verify, formats: Formats, schemes: Schemes
) -> Gate:
    """Compile what a receiver or an inbox says of its sender.

    Raises:
        InvalidConfig: a part of it cannot be used; the message says which.
        PluginUnavailable: the format or scheme is not installed, or failed.
    """
    format_ = formats.get(source.format)
    if holds_secret(format_.Options):
        raise PluginUnavailable(
            f"The format {source.format} cannot be used: its options have a field for a "
            "secret, and `source` is stored and shown as it is. Secrets belong to a scheme."
        )
    with guarded(f"The format {source.format}", PluginUnavailable, CONFIG_ERRORS):
        format_options = read_options(format_.Options, source.options, "source")
        format_ = ask(Format, format_.bind, format_options, formats.plugins.targets)
        home = ask(str | None, format_.home, format_options)
    scheme = schemes.get(verify.scheme)
    with guarded(f"The scheme {verify.scheme}", PluginUnavailable, CONFIG_ERRORS):
        scheme_options = read_options(scheme.Options, verify.options, "verify")
        scheme = ask(Scheme, scheme.bind, scheme_options, schemes.get)
    return Gate(
        owner=owner,
        format_name=source.format,
        scheme_name=verify.scheme,
        format=format_,
        format_options=format_options,
        home=home,
        scheme=scheme,
        scheme_options=scheme_options,
        is_cheap=not any(map(is_cel, source.options.values()))
        and all(map(is_ours, (scheme, format_, *format_.hands_on_to()))),
    )


def read_options(model: type[M], values: Mapping[str, Any], part: str) -> M:
    """The options of a plug-in.

    Args:
        part: the field that they stand in, for messages.

    Raises:
        InvalidConfig: one of them cannot be used.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as exc:
        raise InvalidConfig(describe(exc, part)) from exc
