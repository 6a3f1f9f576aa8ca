"""docs/api.md says what the models say."""

from tests.docs.api import HOW, PAGE, made


def test_the_page_is_that_of_the_models() -> None:
    assert PAGE.read_text() == made(), f"docs/api.md is old: {HOW}"
