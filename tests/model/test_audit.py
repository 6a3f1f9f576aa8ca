from collections.abc import Callable
from typing import Any

import pytest

from webhook_service.model.ids import new_key, new_token
from webhook_service.model.people.audit import CHANGED, MAX_FIELDS, MAX_VALUE, FieldChange, compare
from webhook_service.model.receiver import HIDDEN, ReceiverSpec, Verify

SPEC = ReceiverSpec(name="shop", driver="stub", config={"target": "t"})
FIRST, SECOND = "the first secret", "the second secret"


def changed(before: ReceiverSpec | None, after: ReceiverSpec | None) -> dict[str, Any]:
    return {each.field: (each.before, each.after) for each in compare(before, after)}


def verified(**secrets: Any) -> ReceiverSpec:
    return SPEC.model_copy(update={"verify": Verify(scheme="github", secrets=secrets)})


def test_only_fields_that_differ_are_named_each_by_its_path() -> None:
    other = ReceiverSpec.model_validate(
        {
            "name": "shop",
            "driver": "stub",
            "config": {"target": "u", "deep": {"list": [1, 2]}},
            "match": {"tags": {"policy": "exact", "value": "1"}},
        }
    )
    assert changed(SPEC, other) == {
        "stubConfig.target": ("t", "u"),
        "stubConfig.deep.list": (None, [1, 2]),
        "match.tags.policy": ("any", "exact"),
        "match.tags.value": (None, "1"),
    }
    assert compare(SPEC, SPEC) == ()


def test_a_new_receiver_has_nothing_before_and_a_deleted_one_nothing_after() -> None:
    created, deleted = changed(None, SPEC), changed(SPEC, None)
    assert created["name"] == (None, "shop") and deleted["name"] == ("shop", None)
    assert created.keys() == deleted.keys()


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (verified(secret=FIRST), verified(secret=SECOND), (HIDDEN, CHANGED)),
        (verified(), verified(secret=SECOND), (None, CHANGED)),
        (verified(secret=FIRST), verified(), (HIDDEN, None)),
        (None, verified(secret=SECOND), (None, CHANGED)),
        (verified(secret=[FIRST]), verified(secret=[FIRST, SECOND]), (HIDDEN, CHANGED)),
    ],
)
def test_of_a_secret_only_its_change_is_shown(
    before: ReceiverSpec | None, after: ReceiverSpec | None, shown: Any
) -> None:
    found = changed(before, after)
    assert found["verify.secret"] == shown
    assert FIRST not in str(found) and SECOND not in str(found)


def test_a_secret_that_stays_is_no_change() -> None:
    assert compare(verified(secret=FIRST), verified(secret=FIRST)) == ()


@pytest.mark.parametrize("make", [new_key, new_token])
def test_keys_and_tokens_in_other_fields_are_hidden(make: Callable[[], str]) -> None:
    secret = make()
    url = f"https://other.example/v1-webhooks/endpoint?key={secret}&projectId=1"
    found = changed(SPEC, SPEC.model_copy(update={"config": {"urls": [url, secret]}}))
    assert secret not in str(found)
    assert "https://other.example" in str(found)


def test_an_entry_is_bounded_whatever_a_receiver_holds() -> None:
    long = SPEC.model_copy(update={"config": {"text": "x" * 10_000, "list": ["y"] * 10_000}})
    assert all(len(str(each.after)) <= MAX_VALUE + 1 for each in compare(SPEC, long))
    many = SPEC.model_copy(update={"config": {f"f{n}": n for n in range(MAX_FIELDS + 50)}})
    found = compare(SPEC, many)
    assert len(found) == MAX_FIELDS + 1
    assert found[-1] == FieldChange("…", None, "51 more fields")
