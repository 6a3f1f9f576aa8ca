"""Receivers as documents: what is read, where secrets stand, and what an export says."""

import json
from typing import Any

import pytest

from webhook_service.errors import InvalidConfig
from webhook_service.model.receiver import HIDDEN
from webhook_service.model.receiver_document import (
    ReceiverDocument,
    hiding,
    refuse_plain_secrets,
    with_secrets,
)

REFERENCE = {"secretRef": {"name": "github", "key": "token"}}


def test_references_are_replaced_wherever_they_stand() -> None:
    said = {"verify": {"secret": REFERENCE}, "list": [REFERENCE, {"a": 1}]}
    found, texts = with_secrets(said, lambda ref: f"{ref['name']}/{ref['key']}")
    assert set(texts) == {"github/token"}
    assert found == {"verify": {"secret": "github/token"}, "list": ["github/token", {"a": 1}]}


@pytest.mark.parametrize("beside", [{"secretRef": "a"}, {**REFERENCE, "x": 1}])
def test_a_reference_that_is_none_is_refused(beside: dict[str, object]) -> None:
    with pytest.raises(InvalidConfig, match="say the name and the key of a Secret"):
        with_secrets({"secret": beside}, lambda _: "")


def test_a_secret_in_the_document_is_refused_with_its_place() -> None:
    said = {"verify": {"secret": "plain"}, "config": {"list": [{"token": REFERENCE}, {}]}}
    shown = {"verify": {"secret": HIDDEN}, "config": {"list": [{"token": HIDDEN}, {}]}}
    with pytest.raises(InvalidConfig, match=r"spec\.verify\.secret: a secret does not belong"):
        refuse_plain_secrets(said, shown)
    refuse_plain_secrets({**said, "verify": {"secret": REFERENCE}}, shown)
    said["config"]["list"] = [{"token": "plain"}]
    with pytest.raises(InvalidConfig, match=r"spec\.config\.list\.0\.token"):
        refuse_plain_secrets({**said, "verify": {"secret": REFERENCE}}, shown)


@pytest.mark.parametrize(
    ("said", "shown", "path"),
    [
        ({"driver": REFERENCE}, {"driver": "canary"}, "driver"),
        ({"match": {"when": REFERENCE}}, {"match": {"when": "canary"}}, "match.when"),
        ({"match": {"repositories": [REFERENCE]}}, {"match": {"repositories": ["canary"]}}, "0"),
        ({"labels": {"a": REFERENCE}}, {"labels": {"a": "canary"}}, "labels.a"),
        ({"aConfig": {"api_url": REFERENCE}}, {"aConfig": {"apiUrl": "canary"}}, "api_url"),
        ({"aConfig": {"tag": REFERENCE}}, {"aConfig": {}, "match": {"tags": "canary"}}, "tag"),
        ({"aConfig": {"list": [REFERENCE] * 2}}, {"aConfig": {"list": [HIDDEN]}}, "list.1"),
    ],
)
def test_a_reference_where_its_text_would_be_shown_is_refused(
    said: dict[str, object], shown: dict[str, object], path: str
) -> None:
    with pytest.raises(InvalidConfig, match=rf"{path}: this is shown to all"):
        refuse_plain_secrets(said, shown)


def test_what_stays_as_it_is_stored_is_no_text_to_hide() -> None:
    assert with_secrets(REFERENCE, lambda _: HIDDEN) == (HIDDEN, set())


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"aConfig": {"api_token": REFERENCE}}, {"aConfig": {"apiToken": HIDDEN}}),
        ({"verify": {"secret": [REFERENCE]}}, {"verify": {"secret": [HIDDEN]}}),
        ({"verify": {"secret": REFERENCE}}, {"verify": {"secret": [HIDDEN, HIDDEN]}}),
    ],
)
def test_a_reference_may_stand_where_a_secret_is_kept_by_whatever_name(
    said: dict[str, Any], shown: dict[str, Any]
) -> None:
    def refused(shown: dict[str, Any]) -> bool:
        try:
            refuse_plain_secrets(said, shown)
        except InvalidConfig:
            return True
        return False

    assert not refused(shown)
    assert refused(json.loads(json.dumps(shown).replace(HIDDEN, "canary")))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Invalid driver canary-in-a-mine.", f"Invalid driver {HIDDEN}."),
        ("verify.canary: 'canary-in-a' is short.", f"verify.canary: '{HIDDEN}' is short."),
        ("when: no 'canary', no 'in-a-mine'", f"when: no '{HIDDEN}', no '{HIDDEN}'"),
        ("secret: must be whsec_ and base64", "secret: must be whsec_ and base64"),
    ],
)
def test_an_error_does_not_quote_what_references_name(said: str, told: str) -> None:
    with pytest.raises(InvalidConfig) as refused, hiding(["whsec_canary-in-a-mine", ""]):
        raise InvalidConfig(said)
    assert refused.value.message == told


def test_a_config_that_has_a_namespace_gets_that_of_the_document() -> None:
    spec = {"driver": "a", "aConfig": {"name": "x"}}
    document = ReceiverDocument("shop", "here", {}, spec)
    assert document.body(lambda _: True)["aConfig"] == {"namespace": "here", "name": "x"}
    assert document.body(lambda _: False)["aConfig"] == {"name": "x"}
    own = ReceiverDocument("shop", "here", {}, {"driver": "a", "aConfig": {"namespace": "there"}})
    assert own.body(lambda _: True)["aConfig"] == {"namespace": "there"}
    assert spec == {"driver": "a", "aConfig": {"name": "x"}}
