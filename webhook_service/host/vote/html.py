"""The HTML of a ballot. It needs no script, and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape

from webhook_service.driver import PushEvent
from webhook_service.match.summary import rules_of
from webhook_service.model.people.ballot import Ballot

MAX_TARGETS = 20
STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1b1f24;--faint:#57606a;
--line:#d0d7de;--good:#1a7f37;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#161b22;--text:#e6edf3;--faint:#9aa4af;
--line:#30363d;--good:#238636;--bad:#c93c37}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:40rem;margin:0 auto;padding:1.5rem 1rem}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem;
margin:1rem 0}
h1{font-size:1.35rem;margin:0 0 .5rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.4rem 1rem;margin:0}
dt{color:var(--faint)}dd{margin:0;overflow-wrap:anywhere}
code{font:.92em ui-monospace,monospace;overflow-wrap:anywhere}
form{display:flex;gap:1rem;flex-wrap:wrap}
button{font:inherit;font-weight:600;min-height:44px;padding:.5rem 1.25rem;border:0;
border-radius:6px;color:#fff;background:var(--good);cursor:pointer}
button[value=refuse]{background:var(--bad)}
button:focus-visible{outline:3px solid var(--text);outline-offset:2px}
"""
POLICY = "; ".join(
    [
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)


def ballot_html(ballot: Ballot) -> str:
    """The page of a ballot: with two buttons if it can be cast, else with what stands instead."""
    image = _image(ballot)
    if ballot.open:
        title = f"Approve {image}?"
        below = f"<section>{_buttons(ballot)}</section>"
    else:
        title = f"Vote on {image}"
        below = ""
    parts = "".join(
        f"<dt>{escape(name)}</dt><dd>{_lines(values)}</dd>" for name, values in _facts(ballot)
    )
    said = "".join(f"<p>{escape(line)}</p>" for line in _standing(ballot))
    return _page(title, f"<section>{said}</section>{below}<section><dl>{parts}</dl></section>")


def problem_html(message: str) -> str:
    """The page of a link that does not count."""
    return _page("No vote", f"<section><p>{escape(message)}</p></section>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


def _buttons(ballot: Ballot) -> str:
    return (
        f"<p>You vote as <b>{escape(ballot.voter)}</b>, once"
        f"{'' if ballot.link.voter else ', for all who can read that message'}. "
        "One refusal ends the push.</p>"
        '<form method="post"><button name="vote" value="approve">Approve</button>'
        '<button name="vote" value="refuse">Refuse</button></form>'
    )


def _standing(ballot: Ballot) -> Iterator[str]:
    """Where it stands, and what to do if the link cannot be used."""
    execution, cast = ballot.execution, ballot.cast
    if cast is not None:
        said = "approved" if cast.approved else "refused"
        yield f"{ballot.voter} has {said} this at {_moment(cast.at)}. The link is used up."
    if not ballot.waits:
        if ballot.too_late:
            yield (
                "The time for approval is over. To ask again, replay the push: "
                f"webhook-service execution replay {execution.id}."
            )
        else:
            yield f"It waits for no vote any more: it is {execution.state}."
        if execution.message:
            yield execution.message
        return
    if ballot.expired:
        yield (
            f"This link ended at {_moment(ballot.link.expires)}, and the push still waits. Vote in "
            f"the console, or with: webhook-service execution approve {execution.id}."
        )
    approval = execution.approval
    assert approval is not None
    approved = sum(vote.approved for vote in approval.votes)
    yield f"{approved} of {approval.needed} have approved it so far."


def _facts(ballot: Ballot) -> Iterator[tuple[str, Iterable[str]]]:
    """What there is to know, as names and values."""
    execution, receiver = ballot.execution, ballot.receiver
    event = execution.event
    if isinstance(event, PushEvent):
        yield "Image", [event.image.partition("@")[0]]
        yield "Digest", [event.digest or "not known yet"]
        if event.actor:
            yield "Pushed by", [event.actor]
        facts = event.facts
        for name in ("version", "revision", "source"):
            if facts is not None and (value := getattr(facts, name)):
                yield name.capitalize(), [str(value)]
    yield "Receiver", [execution.receiver if receiver is None else receiver.name]
    yield "Project", [execution.project]
    if ballot.targets:
        more = len(ballot.targets) - MAX_TARGETS
        rest = [f"and {more} more"] if more > 0 else []
        yield "Target", [*ballot.targets[:MAX_TARGETS], *rest]
    if receiver is not None:
        yield "Rules", [f"{rule}: {value}" for rule, value in rules_of(receiver.spec.match)]
    approval = execution.approval
    if approval is not None and approval.votes:
        yield (
            "Votes",
            [
                f"{vote.voter} {'approved' if vote.approved else 'refused'} {_moment(vote.at)}"
                for vote in approval.votes
            ],
        )
    if ballot.waits:
        yield "Until", [_moment(ballot.until)]
    yield "Execution", [execution.id]


def _image(ballot: Ballot) -> str:
    event = ballot.execution.event
    if not isinstance(event, PushEvent):
        return f"a call of {ballot.execution.driver}"
    return event.image.partition("@")[0]


def _lines(values: Iterable[str]) -> str:
    return "<br>".join(escape(value) for value in values)


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
