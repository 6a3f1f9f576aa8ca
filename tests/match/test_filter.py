from dataclasses import replace

import pytest

from webhook_service.driver import ImageFacts, PushEvent
from webhook_service.errors import InvalidConfig
from webhook_service.expressions.cel import new_meter
from webhook_service.expressions.values import ExpressionFailed
from webhook_service.match.filter import FIELDS, compile_filter
from webhook_service.model.as_json import event_to_json

EVENT = PushEvent(registry="docker.io", repository="acme/shop", tag="1.2.3", actor="ada")


def test_an_expression_sees_every_field_of_an_event() -> None:
    assert set(FIELDS) == event_to_json(EVENT).keys()


@pytest.mark.parametrize(
    ("source", "passes"),
    [
        ("event.tag != 'latest'", True),
        ("event.tag == 'latest'", False),
        ("event.actor in ['ada', 'bob'] && event.tag.startsWith('1.')", True),
        ("event.digest == null || event.digest.size() > 3", True),
        ("[1, 2].all(x, [3].all(y, x < y))", True),
        ("event['tag'].split('.').size() == 3", True),
        ("has(event.tag)", True),
    ],
)
def test_an_expression_lets_an_event_through_or_not(source: str, passes: bool) -> None:
    assert compile_filter(source).passes(EVENT, new_meter()) is passes


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("event.digest.size() > 3", "it was given null_type|given null_type"),
        ("event.tag", "a string, not true or false"),
        ("1 / 0 == 1", "divided by zero"),
        ("int(event.tag) > 1", "no whole number"),
    ],
)
def test_an_expression_that_fails_says_why(source: str, problem: str) -> None:
    with pytest.raises(ExpressionFailed, match=problem):
        compile_filter(source).passes(EVENT, new_meter())


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "1 to 1024"),
        ("'x' == '" + "x" * 1100 + "'", "1 to 1024"),
        ("event.tag ==", "match.when: this is no CEL expression"),
        ("evnt.tag == '1.1.0'", "no variable 'evnt'; did you mean event"),
        ("event.tga == '1.1.0'", "no field of event 'tga'; did you mean tag"),
        ("event['tga'] == '1.1.0'", "no field of event 'tga'; did you mean tag"),
        ("has(event.tga)", "no field of event 'tga'"),
        ("event.tag.name == ''", "event.tag is a text"),
        ("event.tag.nosuch()", "no function 'nosuch'"),
        ("event.tag.startWith('1')", "no function 'startWith'; did you mean startsWith"),
        ("event.tag.startsWith()", r"written string.startsWith\(string\)"),
        ("event.tag.split('.', 1, 2) == []", r"written string.split\(string\[, int\]\)"),
        ("['a'].exists(x, y == 'a')", "no variable 'y'"),
        ("['a'].exists(x, x == 'a') && x == 'a'", "no variable 'x'"),
        ("event.tag.matches('((a{0,50}){0,50}){0,50}b')", "counts too much"),
        ("event.tag.matches('(?=a)')", "as RE2 reads it"),
    ],
)
def test_an_expression_that_cannot_be_used_is_refused_when_saved(source: str, problem: str) -> None:
    with pytest.raises(InvalidConfig, match=problem):
        compile_filter(source)


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ("image.revision == 'abc'", True),
        ("event.tag == '1' || has(image.source)", True),
        ("event.image != ''", False),
        ("['a'].exists(image, image == event.tag)", False),
    ],
)
def test_it_is_known_which_filters_ask_what_the_image_says(source: str, asks: bool) -> None:
    assert compile_filter(source).asks_image is asks


@pytest.mark.parametrize(
    ("source", "passes"),
    [
        ("image.revision.startsWith('4f2')", True),
        ("image.size < 1000", False),
        ("image.version == null", True),
    ],
)
def test_a_filter_sees_what_the_image_says(source: str, passes: bool) -> None:
    event = replace(EVENT, facts=ImageFacts(revision="4f2a", size=5000))
    assert compile_filter(source).passes(event, new_meter()) is passes


def test_a_typo_in_what_an_image_says_is_named() -> None:
    with pytest.raises(InvalidConfig, match="no field of image 'revison'; did you mean revision"):
        compile_filter("image.revison == 'abc'")
