"""Pages of the API's lists as JSON, with what tables show beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from webhook_service.cli.connection.connect import Connection
    from webhook_service.client import Client
    from webhook_service.resources import ApiModel

NEWEST = 200


def get_page(
    client: Client,
    model: type[ApiModel],
    path: str,
    limit: int,
    marker: str | None = None,
    **query: str | None,
) -> dict[str, Any]:
    """One page of a list."""
    from webhook_service.resources import CollectionResource

    page = client.get(
        CollectionResource[model],  # type: ignore[valid-type]
        path,
        limit=str(limit),
        marker=marker,
        **query,
    )
    return page.as_json()


def add_names(opened: Connection, page: Mapping[str, Any]) -> None:
    """Say in each item how its receiver is called; one that was deleted goes by its id."""
    if page["data"]:
        names = opened.receiver_names()
        for item in page["data"]:
            item["receiverName"] = names.get(item["receiver"], item["receiver"])


def add_called(opened: Connection, page: Mapping[str, Any]) -> None:
    """Say in each delivery what its receiver or its inbox is called, likewise."""
    data, names = page["data"], dict[str, str]()
    if any(item["receiver"] for item in data):
        names.update(opened.receiver_names())
    if any(item.get("inbox") for item in data):
        names.update(opened.inbox_names())
    for item in data:
        called = item.get("inbox") or item["receiver"]
        item["called"] = names.get(called, called)


def add_last_results(opened: Connection, page: Mapping[str, Any]) -> None:
    """Say in each receiver what came of its last push.

    One request finds it for most; a receiver that was not called lately takes one of its own.
    """
    from itertools import islice

    if not page["data"]:
        return
    requests = opened.client.executions
    newest = list(islice(requests.list(limit=NEWEST), NEWEST))
    last = {each.receiver: each for each in reversed(newest)}
    for item in page["data"]:
        found = last.get(item["id"])
        if found is None and len(newest) == NEWEST:
            found = next(iter(requests.list(receiver=item["id"], limit=1)), None)
        item["last"] = None if found is None else found.as_json()
