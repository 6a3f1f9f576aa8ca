"""The contract of formats: how the body of one sender becomes pushed images.

A format is one module: a ``Format`` subclass, registered as an entry point of the group
``webhook_service.formats``, or given to ``service.formats.add``; its name is what receivers
write in ``source.format``. The names here are all that its author needs.
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
