"""The contract of formats: how the body of one sender becomes pushed images.

A format is one module with a ``Format`` subclass. Register it as an entry point of the group
``webhook_service.formats``, or give it to ``service.formats.add``. Receivers write its name in
``source.format``. The author of a format needs only the names in this module.
"""

from webhook_service.formats.format import Dropped, Format, FormatOptions, Parsed, Sender
from webhook_service.formats.reading.fields import Fields
from webhook_service.formats.reading.pushes import Pushed, event_of, split_host, split_reference
from webhook_service.formats.reading.strict_json import read_json
from webhook_service.formats.reading.times import read_seconds, read_time

__all__ = [
    # The contract
    "Dropped",
    "Format",
    "FormatOptions",
    "Parsed",
    "Sender",
    # From what a sender wrote to a checked push
    "Pushed",
    "event_of",
    "split_host",
    "split_reference",
    # Reading what strangers send
    "Fields",
    "read_json",
    "read_seconds",
    "read_time",
]
