from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from tests.schemes.cases import BODY, PRIVATE, SHARED, refusal
from webhook_service.model.delivery import Call
from webhook_service.receiving.bodies.receiver import describe
from webhook_service.schemes.proving.signature import MAX_SIGNATURES
from webhook_service.schemes.standard_webhooks import (
    WINDOW,
    StandardWebhooks,
    StandardWebhooksOptions,
    is_signed,
)
from webhook_service.testing.signing import public_key, sign

# The vectors of the reference libraries (v1), and of the Svix server and the specification's
# example header (v1a).
ID, SENT, PAYLOAD = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KEY_PAIR = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
PUBLIC = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
WRONG = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def _passes(signature: str, *keys: str, now: float = SENT, **headers: str) -> bool:
    sent = {"webhook-id": ID, "webhook-timestamp": str(SENT), "webhook-signature": signature}
    sent |= {f"webhook-{name}": value for name, value in headers.items()}
    return is_signed(Call(PAYLOAD, sent), [SecretStr(key) for key in keys or [SECRET]], now)


@pytest.mark.parametrize(("private", "signature"), [(SECRET, V1), (KEY_PAIR, V1A)])
def test_the_reference_signatures_are_reproduced(private: str, signature: str) -> None:
    headers = sign("standardWebhooks", private, PAYLOAD, message_id=ID, timestamp=SENT)
    assert headers["webhook-signature"] == signature
    assert public_key(KEY_PAIR) == PUBLIC


@pytest.mark.parametrize(
    ("signature", "key", "passes"),
    [
        (V1, SECRET, True),
        (V1A, PUBLIC, True),
        (f"{WRONG} v2,abc {V1}", SECRET, True),
        (f"{V1} {WRONG}", SECRET, True),
        (f"{WRONG} {V1} {V1A}", PUBLIC, True),
        (f"v1a v1, {V1}", SECRET, True),
        (V1A, SECRET, False),
        (V1, PUBLIC, False),
        (WRONG, SECRET, False),
        (V1.replace("v1,", "v1a,"), SECRET, False),
        (V1.replace("v1,", "v2,"), SECRET, False),
        (V1.removeprefix("v1,"), SECRET, False),
        (V1.replace("v1,", "v1="), SECRET, False),
        (V1.removesuffix("="), SECRET, False),
        (V1A.replace("v1a,", "v1,"), PUBLIC, False),
        (V1A.removesuffix("="), PUBLIC, False),
        (V1A.replace("Ag==", "Ah=="), PUBLIC, False),
        (V1A.replace("v1a,", "v1a, "), PUBLIC, False),
    ],
)
def test_a_signature_passes_in_its_own_version_only(signature: str, key: str, passes: bool) -> None:
    assert _passes(signature, key) == passes


def test_a_shared_secret_and_a_public_key_can_live_at_once() -> None:
    assert _passes(V1, PUBLIC, SECRET) and _passes(V1A, PUBLIC, SECRET)


@pytest.mark.parametrize(
    ("drift", "passes"), [(0, True), (WINDOW, True), (-WINDOW, True), (301, False), (-301, False)]
)
def test_a_call_passes_within_five_minutes(drift: int, passes: bool) -> None:
    assert _passes(V1, now=SENT + drift) == passes


@pytest.mark.parametrize(
    "timestamp",
    ["", "+1614265330", " 1614265330", "1614265330.0", "1_614_265_330", "١٦١٤٢٦٥٣٣٠", "9" * 5000],
)
def test_a_timestamp_is_whole_seconds(timestamp: str) -> None:
    call = Call(b"", {"webhook-id": "a", "webhook-timestamp": timestamp, "webhook-signature": V1})
    assert not is_signed(call, [SecretStr(SECRET)], SENT)


@pytest.mark.parametrize("message", ["", "a.b", "a b", "a\x00", "é", "x" * 257])
def test_an_id_that_could_be_read_in_two_ways_is_refused_though_signed(message: str) -> None:
    headers = sign("standardWebhooks", SECRET, PAYLOAD, message_id=message, timestamp=SENT)
    assert not is_signed(Call(PAYLOAD, headers), [SecretStr(SECRET)], SENT)


def test_a_flood_of_signatures_is_not_read_to_its_end() -> None:
    assert _passes(" ".join([*[WRONG] * (MAX_SIGNATURES - 1), V1]))
    assert not _passes(" ".join([*[WRONG] * MAX_SIGNATURES, V1]))


def test_the_clock_of_the_service_counts() -> None:
    options = StandardWebhooksOptions.model_validate({"secret": SHARED[0]})
    fresh = Call(BODY, sign("standardWebhooks", SHARED[0], BODY))
    old = Call(BODY, sign("standardWebhooks", SHARED[0], BODY, timestamp=SENT))
    assert refusal(StandardWebhooks(), fresh, options) is None
    assert refusal(StandardWebhooks(), old, options)
    assert StandardWebhooks().message_id(fresh, options) == "msg_1"


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must start with whsec_"),
        (PRIVATE[0], "must start with whsec_"),
        ("whsec_", "at least 24 bytes"),
        ("whsec_c2hvcnQ=", "at least 24 bytes"),
        ("whsec_not base64!", "must be base64 after whsec_"),
        ("whsec_é", "must be base64 after whsec_"),
        ("whpk_c2hvcnQ=", "public key of 32 bytes"),
        ([SECRET, "hunter2"], "must start with whsec_"),
        ([SECRET, "********"], "send every secret in full"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(secret: Any, problem: str) -> None:
    with pytest.raises(ValidationError) as error:
        StandardWebhooksOptions.model_validate({"secret": secret})
    told = describe(error.value, "verify")
    assert told.startswith("verify.secret") and problem in told
    assert "hunter2" not in told and "c2hvcnQ" not in told


def test_svix_names_of_the_headers_are_read_where_there_are_no_others() -> None:
    svix = {"svix-id": ID, "svix-timestamp": str(SENT), "svix-signature": V1}
    secrets = [SecretStr(SECRET)]
    assert is_signed(Call(PAYLOAD, svix), secrets, SENT)
    assert StandardWebhooks().message_id(Call(PAYLOAD, svix), options()) == ID
    assert not is_signed(Call(PAYLOAD, svix | {"svix-signature": WRONG}), secrets, SENT)
    assert not is_signed(Call(PAYLOAD, svix | {"webhook-id": ID}), secrets, SENT)


def options() -> StandardWebhooksOptions:
    return StandardWebhooksOptions.model_validate({"secret": SECRET})


def test_a_secret_without_its_padding_is_the_same_secret() -> None:
    padded = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAA=="
    signed = sign("standardWebhooks", padded, PAYLOAD, message_id=ID, timestamp=SENT)
    call = Call(PAYLOAD, signed)
    assert is_signed(call, [SecretStr(padded.rstrip("="))], SENT)
