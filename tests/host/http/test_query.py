"""What a query asks for, by our own rules and by v1.6's."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from webhook_service.errors import InvalidRequest
from webhook_service.host.http.query import MAX_FIELDS, QueryField, read_query, receivers_request
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


@given(st.text("ab09=&-._~+;", max_size=40))
def test_plain_queries_are_read_as_all_others_are(text: str) -> None:
    """Most URLs need no decoding, and are read without it."""
    known: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        known.setdefault(name, value)
    assert query(text) == known


def test_a_plain_query_has_so_many_fields_at_most() -> None:
    assert len(query("&".join(f"f{n}=1" for n in range(MAX_FIELDS)))) == MAX_FIELDS
    with pytest.raises(InvalidRequest, match="more than 100 fields"):
        query("&".join(f"f{n}=1" for n in range(MAX_FIELDS + 1)))
