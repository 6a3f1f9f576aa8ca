"""JSON or a form of any sender, read at the places that the receiver names.

For build servers and scripts that send a body of their own. Every call counts as a push. A call
with an empty tag is ignored as untagged. So an expression can mark calls that are no pushes: it
leaves their tag empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from webhook_service.expressions.cel import new_meter
from webhook_service.formats.format import Format, Parsed, Sender
from webhook_service.formats.reading import forms
from webhook_service.formats.reading.expressions import PickOptions, read_pushed
from webhook_service.formats.reading.pushes import event_of
from webhook_service.formats.reading.strict_json import read_json


class GenericOptions(PickOptions):
    """A receiver must give ``image``, or ``repository`` and ``tag``."""

    @model_validator(mode="after")
    def _names_an_image(self) -> Self:
        self.require_image()
        return self


class Generic(Format[GenericOptions]):
    """Reads one push."""

    Options = GenericOptions
    sender = Sender(
        name="any JSON or form",
        fields=("the places that the options name",),
        verification=("standardWebhooks", "hmac", "header", "basic"),
        identity="the option `id`, else image and the option `time`, else image and the minute",
        time="the option `time`",
        digest="the option `digest`, or in `image`",
        gaps="Every call with a tag is a push.",
        page="senders/generic.md",
    )

    def parse(self, body: bytes, headers: Mapping[str, str], options: GenericOptions) -> Parsed:
        form = forms.media_type(headers) == forms.FORM
        value: Any = forms.loads(body) if form else read_json(body)
        return Parsed.of([event_of(read_pushed(options, value, new_meter()))])

    def home(self, options: GenericOptions) -> str | None:
        return options.fixed_registry
