"""Texts of other people in Markdown: as they are read, and never more than text."""

import pytest

from webhook_drivers.git.markdown import in_bytes, link, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("8a2eded", "8a2eded"),
        ("1.1.0_rc~1", r"1.1.0\_rc\~1"),
        ("a | b\nc", r"a \| b c"),
        ("[ann](http://evil) @all #1", r"\[ann\](http://evil) \@all \#1"),
        ("<img src=x> `a` &commat;all", r"\<img src=x\> \`a\` \&commat;all"),
        ("\\@all", r"\\\@all"),
        ("", None),
        (None, None),
    ],
)
def test_a_text_stays_a_text_in_one_line(text: str | None, shown: str | None) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://git.example/acme", "[https://git.example/acme](https://git.example/acme)"),
        (
            "https://git.example/b c|d)(e",
            r"[https://git.example/b c\|d)(e](https://git.example/b%20c%7Cd%29%28e)",
        ),
        (
            "http://git.example/](http://evil)",
            r"[http://git.example/\](http://evil)](http://git.example/%5D%28http://evil%29)",
        ),
        (
            "http://git.example/?a&lt;",
            r"[http://git.example/?a\&lt;](http://git.example/?a&amp;lt;)",
        ),
    ],
)
def test_a_web_page_becomes_one_link_to_itself(url: str, shown: str) -> None:
    assert link(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "git@git.example:acme/shop.git",
        "ssh://git.example/acme",
        "https://",
        "https://[::1",
        "https://git.example@evil.example/",
        "acme/shop",
        "",
        None,
    ],
)
def test_what_is_no_web_page_is_no_link(url: str | None) -> None:
    assert link(url) is None


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, None),
        (0, "0 B"),
        (999, "999 B"),
        (999_600, "1 MB"),
        (73_400_320, "73.4 MB"),
        (1_500_000_000, "1.5 GB"),
        (1 << 50, "1,125,899.9 GB"),
    ],
)
def test_a_size_is_read_by_people(size: int | None, shown: str | None) -> None:
    assert in_bytes(size) == shown
