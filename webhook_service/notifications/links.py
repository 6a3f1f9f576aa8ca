"""Links in messages: where people see what a notice is about, and where they vote on it."""

from __future__ import annotations

from urllib.parse import urlencode

from webhook_service.model.notice import Notice


def link_to(base_url: str | None, notice: Notice) -> str:
    """The page of what a notice is about; empty where there is none.

    Args:
        base_url: the address that people reach.
    """
    if base_url is None or not notice.delivery:
        return ""
    place = f"#{notice.execution}" if notice.execution else ""
    query = urlencode({"projectId": notice.project})
    return f"{base_url}/console/deliveries/{notice.delivery}?{query}{place}"


def vote_url(base_url: str, link: str) -> str:
    """The address of the page that takes the vote of a link.

    The link is in the query: paths are written to logs more often.
    """
    return f"{base_url}/vote?{urlencode({'link': link})}"
