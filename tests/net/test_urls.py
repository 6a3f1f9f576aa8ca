import pytest

from webhook_service.net.urls import is_http_url


@pytest.mark.parametrize("url", ["http://h", "https://h.example:8443/a?b=c", "http://[::1]:80/"])
def test_what_can_be_called_is_a_url(url: str) -> None:
    assert is_http_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "h.example", "ftp://h", "http://", "http://h:port", "http://h:70000", "http://h:0", "//h"],
)
def test_what_nobody_can_call_is_none(url: str) -> None:
    assert not is_http_url(url)
