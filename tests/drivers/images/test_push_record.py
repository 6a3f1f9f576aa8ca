import json
from typing import Any

import pytest

from webhook_drivers.kubernetes.images.push_record import (
    CHANGE_CAUSE,
    MAX_REPOSITORIES,
    PUSHES,
    Record,
    is_newer,
    read,
    written,
)

RECORD = Record(
    order_key="0001",
    identity="push-1",
    delivery="dlv_1",
    execution="exe_1",
    previous={"app": "acme/shop:1"},
)


def obj(text: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {PUSHES: text}}}


def test_a_record_is_read_as_it_was_written() -> None:
    notes = written({}, "docker.io/acme/shop", RECORD, "because")
    assert notes[CHANGE_CAUSE] == "because"
    assert read({"metadata": {"annotations": notes}}) == {"docker.io/acme/shop": RECORD}


def test_the_annotation_is_plain_json_by_repository() -> None:
    notes = written({}, "docker.io/acme/shop", RECORD, "")
    assert json.loads(notes[PUSHES]) == {
        "docker.io/acme/shop": {
            "orderKey": "0001",
            "identity": "push-1",
            "delivery": "dlv_1",
            "execution": "exe_1",
            "previous": {"app": "acme/shop:1"},
        }
    }


def test_other_repositories_keep_their_records() -> None:
    first = written({}, "docker.io/acme/proxy", RECORD, "")
    both = written(obj(first[PUSHES]), "docker.io/acme/shop", RECORD, "")
    assert set(read(obj(both[PUSHES]))) == {"docker.io/acme/proxy", "docker.io/acme/shop"}


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"a": 1}',
        '{"a": {"orderKey": 1}}',
        '{"a": {"previous": []}}',
    ],
)
def test_what_people_broke_is_treated_as_absent(text: Any) -> None:
    assert read(obj(text)) == {}


def test_one_broken_record_does_not_hide_the_others() -> None:
    text = json.dumps({"a": 1, "b": {"orderKey": "0007", "unknown": True}})
    assert read(obj(text)) == {"b": Record(order_key="0007")}


def test_only_the_newest_repositories_are_kept() -> None:
    state: dict[str, Any] = {}
    for number in range(MAX_REPOSITORIES + 5):
        record = RECORD.model_copy(update={"order_key": f"{number:04}"})
        state = {"metadata": {"annotations": written(state, f"r{number}", record, "")}}
    assert set(read(state)) == {f"r{number}" for number in range(5, MAX_REPOSITORIES + 5)}
    oldest = RECORD.model_copy(update={"order_key": ""})
    assert "late" in read({"metadata": {"annotations": written(state, "late", oldest, "")}})


NOW = 1_700_000_000.0


def key(seconds: float) -> str:
    return f"{int((NOW + seconds) * 1e6):017d}-000000000001"


@pytest.mark.parametrize(
    ("found", "binds"),
    [
        (key(1), True),
        (key(299), True),
        (key(301), False),
        (key(86_400 * 365), False),
        (key(0), False),
        (key(-1), False),
        ("9" * 5_000, True),
        ("", False),
    ],
)
def test_an_order_key_far_ahead_of_the_clock_binds_nobody(found: str, binds: bool) -> None:
    assert is_newer(found, key(0), NOW) is binds
