"""Guides: where to click at a sender, read from the sender's page of the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

# What is signed and what is good to know follow; the wizard shows how calls are proven itself.
END = "## What is signed"
_INLINE = re.compile(r"\*\*(?P<strong>[^*]+)\*\*|`(?P<code>[^`]+)`|\*(?P<em>[^*]+)\*")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_STEP = re.compile(r"\d+\. ")
# The wizard makes the receiver itself.
_MADE = re.compile(r"\s*Create the receiver below[^.]*\.(\s+The answer has its URL\.)?")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words; ``kind`` is the HTML element that they stand in, empty for none."""

    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph, a list of steps, or code to copy."""

    kind: Literal["heading", "text", "steps", "code"]
    lines: tuple[tuple[Piece, ...], ...]


def guide(page: str) -> tuple[Block, ...]:
    """How to set a sender up; nothing if its page is not one of this distribution.

    Args:
        page: as ``Sender.page`` names it.
    """
    folder, _, name = page.rpartition("/")
    file = files("webhook_service.console.senders") / name
    if folder != "senders" or not name.endswith(".md") or not file.is_file():
        return ()
    text = file.read_text()
    return tuple(_blocks(text[text.index("\n## ") : text.find(END)]))


def _blocks(text: str) -> list[Block]:
    found: list[Block] = []
    for number, part in enumerate(re.split(r"^```", text, flags=re.MULTILINE)):
        if number % 2 == 0:
            found += [_block(each) for each in re.split(r"\n\s*\n", part) if each.strip()]
            continue
        language, _, code = part.partition("\n")
        if language != "json":  # the receiver itself, which the wizard makes
            found.append(Block("code", ((Piece(code.rstrip()),),)))
    return found


def _block(text: str) -> Block:
    text = text.strip()
    if text.startswith("## "):
        return Block("heading", (_spans(text[3:]),))
    if not _STEP.match(text):
        return Block("text", (_spans(text),))
    steps = re.split(r"^\d+\. ", _MADE.sub("", text), flags=re.MULTILINE)[1:]
    return Block("steps", tuple(_spans(step) for step in steps if step.strip()))


def _spans(text: str) -> tuple[Piece, ...]:
    text, found, end = _LINK.sub(r"\1", " ".join(text.split())), list[Piece](), 0
    for match in _INLINE.finditer(text):
        found.append(Piece(text[end : match.start()]))
        found.append(Piece(match[match.lastgroup or 0], match.lastgroup or ""))
        end = match.end()
    return (*found, Piece(text[end:]))
