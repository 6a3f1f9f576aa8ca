import time

from webhook_service.ids import fingerprint, is_key, is_token, new_id, new_key, new_token


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


def test_a_fingerprint_does_not_hold_the_secret() -> None:
    key = new_key()
    assert key not in fingerprint(key)
    assert fingerprint(key) == fingerprint(key) != fingerprint(new_key())
