"""Any sender's JSON or form, read at the places that the receiver names.

For build servers and scripts that send a body of their own. Every call is taken for a push; one
that leaves the tag empty is ignored as untagged, so an expression can say which calls are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from webhook_service.formats.format import Format, Parsed, Sender
from webhook_service.formats.reading import forms
from webhook_service.formats.reading.expressions import PickOptions, read_pushed
from webhook_service.formats.reading.pushes import event_of
from webhook_service.formats.reading.strict_json import read_json


class GenericOptions(PickOptions):
    """``image``, or ``repository`` and ``tag``, must be given."""

    @model_validator(mode="after")
    def _names_an_image(self) -> Self:
        self.require_image()
        return self


class Generic(Format[GenericOptions]):
    """Read one push."""

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
        return Parsed.of([event_of(read_pushed(options, value, len(body)))])

    def home(self, options: GenericOptions) -> str | None:
        return options.fixed_registry
