"""``auto``: one URL for several senders. The one format that claims a call reads the call.

``auto`` is never the default. If no format or more than one claims a call, the call is refused: a
wrong guess could read a delete as a push. Formats that need options of their own take no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError

from webhook_service.errors import InvalidConfig, InvalidPayload, PluginUnavailable
from webhook_service.formats.format import Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading import form_or_json, forms
from webhook_service.plugins.boundary import ask, guarded

Candidates = Mapping[str, tuple[Format[Any], FormatOptions]]


class AutoOptions(FormatOptions):
    """The formats to choose from. The format that reads a call also gets ``registry``."""

    formats: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description="Names of the formats to choose from; without it, all that can be detected.",
    )


class Auto(Format[AutoOptions]):
    """Finds the format of a call, and lets that format read the call.

    Args:
        candidates: the formats to choose from, each with its options.
    """

    Options = AutoOptions
    sender = Sender(
        name="the one of them that a call fits",
        fields=("as the format that claims the call",),
        identity="as the format that claims the call",
        time="as the format that claims the call",
        digest="as the format that claims the call",
        gaps="One `verify` for all senders. Formats that need options take no part.",
        page="receivers.md#bodies-of-your-own",
    )

    def __init__(self, candidates: Candidates | None = None) -> None:
        self._candidates = candidates or {}

    def bind(self, options: AutoOptions, others: Mapping[str, type[Format[Any]]]) -> Auto:
        if options.formats:
            return Auto({name: _named(name, options, others) for name in options.formats})
        found = {name: _candidate(kind, options, others) for name, kind in others.items()}
        return Auto({name: one for name, one in sorted(found.items()) if one is not None})

    def hands_on_to(self) -> list[Format[Any]]:
        return [format_ for format_, _ in self._candidates.values()]

    def parse(self, body: bytes, headers: Mapping[str, str], options: AutoOptions) -> Parsed:
        claimed = self.claimed(body, headers)
        if len(claimed) != 1:
            fits = " and ".join(f"`{name}`" for name in claimed)
            found = f"The call fits {fits}" if claimed else "The call fits none of the formats"
            raise InvalidPayload(f"{found}; name the sender's in the receiver's `source.format`.")
        return self.parse_as(claimed[0], body, headers)

    def claimed(self, body: bytes, headers: Mapping[str, str]) -> list[str]:
        """The names of the formats that a call fits.

        A format that fails claims nothing, and keeps no other from its calls.

        Raises:
            InvalidPayload: no format can read the body.
            PluginUnavailable: no other one claims the call, and one failed, whose it may be.
        """
        shape = _shape(body, headers)
        claimed: list[str] = []
        failures: list[PluginUnavailable] = []
        for name, (format_, _) in self._candidates.items():
            try:
                with guarded(
                    f"The format {name}, asked for a claim,", PluginUnavailable, (InvalidPayload,)
                ):
                    if ask(bool, format_.claims, shape, headers):
                        claimed.append(name)
            except PluginUnavailable as exc:
                failures.append(exc)
        if failures and not claimed:
            raise failures[0]
        return claimed

    def parse_as(self, name: str, body: bytes, headers: Mapping[str, str]) -> Parsed:
        """Let one of the formats read a call; raises InvalidPayload if that format does."""
        format_, options = self._candidates[name]
        return format_.parse(body, headers, options)


def _named(
    name: str, options: AutoOptions, others: Mapping[str, type[Format[Any]]]
) -> tuple[Format[Any], FormatOptions]:
    candidate = _candidate(others[name], options, others) if name in others else None
    if candidate is None:
        known = ", ".join(sorted(n for n, k in others.items() if _candidate(k, options, others)))
        raise InvalidConfig(
            f"source.formats: {name[:100]!r} cannot be detected; those that can: {known}."
        )
    return candidate


def _candidate(
    kind: type[Format[Any]], options: AutoOptions, others: Mapping[str, type[Format[Any]]]
) -> tuple[Format[Any], FormatOptions] | None:
    if kind.claims is Format.claims:
        return None
    given = {} if options.registry is None else {"registry": options.registry}
    try:
        with guarded(f"Making the format {kind.__name__}", PluginUnavailable):
            own = _own_options(kind, given)
            return None if own is None else (ask(Format, kind().bind, own, others), own)
    except PluginUnavailable:
        return None  # the log says why; the others go on


def _own_options(kind: type[Format[Any]], given: Mapping[str, Any]) -> FormatOptions | None:
    try:
        return kind.Options.model_validate(given)
    except ValidationError:
        return None


def _shape(body: bytes, headers: Mapping[str, str]) -> object:
    if forms.media_type(headers) == forms.FORM and not body.lstrip().startswith(b"{"):
        fields = forms.loads(body)
        if "payload" not in fields:
            return fields
    return form_or_json.loads(body, headers)
