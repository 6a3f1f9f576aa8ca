"""What a query asks for, by our own rules and by v1.6's."""

import pytest
from starlette.requests import Request

from webhook_service.errors import InvalidRequest
from webhook_service.host.http.query import QueryField, read_query, receivers_request
from webhook_service.model.pages import MAX_LIMIT


def query(text: str) -> dict[str, str]:
    return read_query(Request({"type": "http", "query_string": text.encode(), "path": "/"}))


def test_the_first_value_of_a_field_counts() -> None:
    assert query("tag=a&tag=b&projectId=1a5&projectId=1a5") == {"tag": "a", "projectId": "1a5"}


@pytest.mark.parametrize("name", ["projectId", "key", "token"])
def test_two_projects_or_keys_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"two values of {name}"):
        query(f"{name}=a&{name}=b")


@pytest.mark.parametrize("limit", ["", "-1", "0", "x", "٣", "1.5", "00"])
def test_a_limit_that_v1_6_ignored_means_all(limit: str) -> None:
    assert receivers_request({"limit": limit}, ()).is_whole


@pytest.mark.parametrize("limit", ["1001", "9" * 30])
def test_a_limit_above_the_largest_is_the_largest(limit: str) -> None:
    assert receivers_request({"limit": limit}, ()).limit == MAX_LIMIT


def test_fields_that_are_no_filters_are_ignored() -> None:
    asked = receivers_request(
        {"name": "shop", "name_ne": "x", "sort": "id", "limit": "7"}, [QueryField("name", "")]
    )
    assert (asked.limit, asked.filters) == (7, {"name": "shop"})
