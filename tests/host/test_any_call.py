"""Whatever a sender sends, of whatever format: an answer that is no server error."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.host.served import Served, serving
from tests.support import add_receiver, make_service, sqlite_url
from webhook_service.errors import InvalidRequest
from webhook_service.formats.format import Format
from webhook_service.plugins.discovery import FORMATS, discover
from webhook_service.testing.samples import sample_push

OPTIONS: dict[str, dict[str, Any]] = {
    "generic": {"image": "$.image"},
    "nexus": {"registry": "registry.example"},
    "zot": {"registry": "registry.example"},
}
FORMAT_NAMES = discover(FORMATS, "format", Format).names
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def all_formats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    service = make_service(sqlite_url(tmp_path_factory.mktemp("formats")), run=False)
    for name, target in discover(FORMATS, "format", Format).targets.items():
        service.formats.add(name, target)
    with serving(service) as served:
        yield served


@pytest.fixture(scope="module")
def urls(all_formats: Served) -> dict[str, str]:
    """An endpoint per format."""
    found = {}
    for name in FORMAT_NAMES:
        source = {"format": name, **OPTIONS.get(name, {})}
        verify = {"scheme": "none"}
        _, key = add_receiver(all_formats.service, name=name, source=source, verify=verify)
        found[name] = f"{all_formats.base}/v1-webhooks/endpoint?key={key}&projectId=1a5"
    return found


def sample_of(name: str) -> tuple[bytes, dict[str, str]]:
    try:
        return sample_push(name, "registry.example/acme/shop:1.2.3")
    except InvalidRequest:
        return b'{"image": "registry.example/acme/shop:1.2.3"}', {
            "content-type": "application/json"
        }


@pytest.mark.parametrize("name", FORMAT_NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_no_body_is_a_server_error(urls: dict[str, str], name: str, data: st.DataObject) -> None:
    body, headers = sample_of(name)
    kind = data.draw(st.sampled_from(["as it is", "cut", "changed", "json", "bytes"]))
    place = data.draw(st.integers(0, len(body) - 1))
    if kind == "cut":
        body = body[:place]
    elif kind == "changed":
        body = body[:place] + data.draw(st.binary(min_size=1, max_size=4)) + body[place + 1 :]
    elif kind == "bytes":
        body = data.draw(st.binary(max_size=200))
    sent: Any = {"json": data.draw(JSON)} if kind == "json" else {"content": body}
    try:
        answer = httpx.post(urls[name], headers=headers if kind != "json" else None, **sent)
    except ValueError:
        return
    assert answer.status_code in (200, 400), (kind, answer.text)
