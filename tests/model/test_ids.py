import time

import pytest

from webhook_service.model.ids import (
    fingerprint,
    is_key,
    is_token,
    is_v16_key,
    new_id,
    new_key,
    new_token,
)


def test_ids_sort_by_time() -> None:
    first = new_id("dlv")
    time.sleep(0.002)
    assert first < new_id("dlv")


def test_ids_are_version_7_uuids() -> None:
    digits = new_id("exe").removeprefix("exe_")
    assert len(digits) == 32
    assert digits[12] == "7"
    assert digits[16] in "89ab"


def test_keys_and_tokens_have_their_forms_and_are_not_each_other() -> None:
    assert is_key(new_key()) and not is_token(new_key())
    assert is_token(new_token()) and not is_key(new_token())
    assert not is_key(new_key() + "\n")
    assert not is_key("whk_" + "ä" * 43)


@pytest.mark.parametrize(
    "key",
    ["TA5hAHRjNMOmJh8WxHo9S85YjTLW32tr9EUmrVME", "a5b1f0de-4c1f-4b2a-9d3e-0123456789ab"],
)
def test_the_keys_of_v1_6_have_forms_of_their_own(key: str) -> None:
    assert is_key(key) and is_v16_key(key) and not is_token(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 39,
        "a" * 41,
        "a" * 39 + "-",
        "a" * 39 + "é",
        "a" * 40 + "\n",
        "a5b1f0de-4c1f-1b2a-9d3e-0123456789ab",
        "a5b1f0de-4c1f-4b2a-1d3e-0123456789ab",
        "A5B1F0DE-4C1F-4B2A-9D3E-0123456789AB",
        "a5b1f0de4c1f4b2a9d3e0123456789ab",
        "{a5b1f0de-4c1f-4b2a-9d3e-0123456789ab}",
    ],
)
def test_what_only_resembles_a_key_of_v1_6_is_none(text: str) -> None:
    assert not is_key(text) and not is_v16_key(text)


def test_a_new_key_is_never_one_of_v1_6() -> None:
    assert not is_v16_key(new_key())


def test_a_fingerprint_does_not_hold_the_secret() -> None:
    key = new_key()
    assert key not in fingerprint(key)
    assert fingerprint(key) == fingerprint(key) != fingerprint(new_key())
