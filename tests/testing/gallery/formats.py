"""Bad formats, and a good one: calls with one image each, of the sender Plain."""

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict

from tests.testing.gallery.bad import Bad
from webhook_service import InvalidPayload, PushEvent
from webhook_service.formats import (
    Dropped,
    Fields,
    Format,
    FormatOptions,
    Parsed,
    Pushed,
    event_of,
    read_json,
)
from webhook_service.testing.kit import FormatCase, Sample

PUSH = b'{"event": "push", "path": "acme/shop", "tag": "1.2.3", "by": "ada"}'
OTHER = b'{"event": "push", "path": "acme/blog", "tag": "7", "by": "bob"}'
DELETE = b'{"event": "delete", "path": "acme/shop", "tag": "1.2.3"}'


class GoodFormat(Format):
    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        call = Fields.of(read_json(body))
        if call.text("event") != "push":
            return Parsed(dropped=(Dropped(call.note("path") or "?", "not_a_push"),))
        return Parsed.of([self.event(call)])

    def event(self, call: Fields) -> PushEvent:
        path, tag = call.text("path", 255), call.text("tag", 128)
        pushed = Pushed(
            host="plain.example", path=path, field="path", tag=tag, actor=call.note("by")
        )
        event = event_of(pushed)
        assert isinstance(event, PushEvent)
        return event

    def home(self, options: FormatOptions) -> str | None:
        return "plain.example"


class CrashesOnLists(GoodFormat):
    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        value = read_json(body)
        if value["event"] != "push":  # type: ignore[index, call-overload]
            return Parsed(dropped=(Dropped("?", "not_a_push"),))
        return super().parse(body, headers, options)


class DeploysDeletes(GoodFormat):
    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        return super().parse(body.replace(b"delete", b"push"), headers, options)


class RefusesDeletes(GoodFormat):
    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        if b"delete" in body:
            raise InvalidPayload("This is a delete.")
        return super().parse(body, headers, options)


class IgnoresInSilence(GoodFormat):
    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        return Parsed(super().parse(body, headers, options).events)


class Backtracks(GoodFormat):
    def parse(self, body: bytes, headers: Mapping[str, str], options: FormatOptions) -> Parsed:
        if re.search(rb"a{1,300}b", body):
            raise InvalidPayload("The path ends with b.")
        return super().parse(body, headers, options)


class Remembers(GoodFormat):
    seen = 0

    def event(self, call: Fields) -> PushEvent:
        self.seen += 1
        return replace(super().event(call), source_id=str(self.seen))


class LetsTheBodyChooseItsHome(GoodFormat):
    def event(self, call: Fields) -> PushEvent:
        event = super().event(call)
        return replace(event, registry=event.repository.partition("/")[0] + ".example")


class ReadsAFile(GoodFormat):
    def event(self, call: Fields) -> PushEvent:
        with open("/dev/null", "rb"):
            return super().event(call)


class ClaimsByFalling(GoodFormat):
    def claims(self, body: Any, headers: Mapping[str, str]) -> bool:
        return bool(body["event"])


class KeepsNul(GoodFormat):
    def event(self, call: Fields) -> PushEvent:
        return replace(super().event(call), actor=str(call.values.get("by")))


class OpenOptions(FormatOptions):
    model_config = ConfigDict(extra="ignore")


class TakesAnyOption(Format[OpenOptions]):
    Options = OpenOptions

    def parse(self, body: bytes, headers: Mapping[str, str], options: OpenOptions) -> Parsed:
        return GoodFormat().parse(body, headers, options)


class Sleeps(GoodFormat):
    def event(self, call: Fields) -> PushEvent:
        time.sleep(0.01)
        return super().event(call)


ANY_BYTES = "test_any_bytes_are_parsed_or_invalid"
IGNORED = "test_what_is_no_push_is_ignored"
BAD = [
    Bad(CrashesOnLists, ANY_BYTES, "which its contract does not name: return Parsed, or raise"),
    Bad(DeploysDeletes, IGNORED, "it would be deployed"),
    Bad(RefusesDeletes, IGNORED, "is refused: return it as Dropped"),
    Bad(IgnoresInSilence, IGNORED, "left no trace"),
    Bad(Backtracks, "test_a_mebibyte_is_read_in_time", "look for a loop in a loop"),
    Bad(Remembers, "test_parse_only_computes", "in another way the second time"),
    Bad(ReadsAFile, "test_parse_only_computes", "parse uses a file"),
    Bad(Sleeps, "test_parse_only_computes", "parse uses a pause"),
    Bad(LetsTheBodyChooseItsHome, ANY_BYTES, "home() says that all pushes are of plain.example"),
    Bad(KeepsNul, ANY_BYTES, "gave what cannot be stored: the actor"),
    Bad(ClaimsByFalling, "test_claims_is_a_plain_yes_or_no", "it must say no"),
    Bad(
        TakesAnyOption,
        "test_the_options_are_closed_and_come_back_from_storage",
        "OpenOptions takes any field",
    ),
]


def case_of(format_: type[Format[Any]]) -> FormatCase:
    return FormatCase(
        format=format_,
        pushes=(
            Sample(body=PUSH, images=("plain.example/acme/shop:1.2.3",)),
            Sample(body=OTHER, images=("plain.example/acme/blog:7",)),
        ),
        ignored=(Sample(body=DELETE),),
    )
