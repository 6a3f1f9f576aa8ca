"""Bearer tokens of an OpenID Connect issuer, against an issuer over HTTP."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.schemes.outside import NOW, Clock, loopback_fetcher
from tests.servers.oidc import Issuer, encoded, key_of, public_jwk, unsigned
from webhook_service.errors import IssuerUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.oidc import MAX_TOKEN, Oidc, OidcOptions
from webhook_service.schemes.proving.key_cache import LIFETIME, MAX_SOURCES, PAUSE, RENEWAL

GOOGLE = "https://accounts.google.com"
ROBOT = "push@acme.iam.gserviceaccount.com"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheme(clock: Clock) -> Iterator[Oidc]:
    with loopback_fetcher() as fetch:
        yield Oidc(fetch, clock.now, clock.ticks)


def options_of(issuer: Issuer, **changes: Any) -> OidcOptions:
    good = {"issuer": issuer.url, "audience": "webhooks", "subject": "ci"} | changes
    return OidcOptions(**{name: value for name, value in good.items() if value is not None})


def good_claims(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    return issuer.claims(NOW, **changes)


def call_with(token: str, word: str = "Bearer") -> Call:
    return Call(b"{}", {"authorization": f"{word} {token}"})


def passes(scheme: Oidc, token: str, options: OidcOptions, word: str = "Bearer") -> bool:
    try:
        scheme.check(call_with(token, word), options)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_a_token_of_the_issuer_passes(scheme: Oidc, issuer: Issuer, algorithm: str) -> None:
    issuer.rotate("key-1", algorithm=algorithm)
    token = issuer.token(good_claims(issuer), algorithm=algorithm)
    assert passes(scheme, token, options_of(issuer))


def test_a_key_without_an_algorithm_has_that_of_its_type(scheme: Oidc, issuer: Issuer) -> None:
    values = public_jwk("RS256", "key-1")
    del values["alg"], values["use"]
    issuer.documents["/keys"] = {"keys": [values]}
    token = issuer.token(good_claims(issuer), algorithm="RS256")
    assert passes(scheme, token, options_of(issuer))


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_the_word_bearer_may_be_written_in_any_case(
    scheme: Oidc, issuer: Issuer, word: str
) -> None:
    token = issuer.token(good_claims(issuer))
    assert passes(scheme, token, options_of(issuer), word)


def test_a_verified_email_names_the_caller_as_well(scheme: Oidc, issuer: Issuer) -> None:
    claims = good_claims(issuer, email=ROBOT, email_verified=True, sub="11223344")
    options = options_of(issuer, subject=None, email=ROBOT)
    assert passes(scheme, issuer.token(claims), options)


def test_one_of_several_audiences_is_enough(scheme: Oidc, issuer: Issuer) -> None:
    claims = good_claims(issuer, aud=["other", "webhooks"])
    assert passes(scheme, issuer.token(claims), options_of(issuer))


AT = NOW.timestamp()
FALSE_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": AT - 7200, "exp": AT - 61},
    "not yet valid": {"nbf": AT + 61},
    "issued in the future": {"iat": AT + 61},
    "never expires": {"exp": None},
    "never issued": {"iat": None},
    "expiry is no number": {"exp": "tomorrow"},
    "expiry is true": {"exp": True},
    "expiry is NaN": {"exp": float("nan")},
    "expiry is infinite": {"exp": float("inf")},
    "expiry is huge": {"exp": 10**400},
    "nbf is NaN": {"nbf": float("nan")},
    "iat is NaN": {"iat": float("nan")},
    "another audience": {"aud": "others"},
    "no audience": {"aud": None},
    "an audience that is no text": {"aud": 7},
    "an audience that only starts right": {"aud": "webhooks2"},
    "another issuer": {"iss": "https://issuer.example"},
    "no issuer": {"iss": None},
    "another subject": {"sub": "somebody"},
    "no subject": {"sub": None},
    "a subject that is a list": {"sub": ["ci"]},
    "a subject in another case": {"sub": "CI"},
}


@pytest.mark.parametrize("changes", FALSE_CLAIMS.values(), ids=FALSE_CLAIMS)
def test_a_token_with_false_claims_is_refused(
    scheme: Oidc, issuer: Issuer, changes: dict[str, Any]
) -> None:
    assert not passes(scheme, issuer.token(good_claims(issuer, **changes)), options_of(issuer))


@pytest.mark.parametrize(
    "changes",
    [
        {"email": "other@acme.example", "email_verified": True},
        {"email": ROBOT, "email_verified": False},
        {"email": ROBOT, "email_verified": "true"},
        {"email": ROBOT, "email_verified": 1},
        {"email": ROBOT},
        {"email_verified": True},
        {"email": ROBOT.upper(), "email_verified": True},
        {"email": [ROBOT], "email_verified": True},
    ],
)
def test_an_email_that_is_not_the_callers_or_not_verified_is_refused(
    scheme: Oidc, issuer: Issuer, changes: dict[str, Any]
) -> None:
    options = options_of(issuer, subject=None, email=ROBOT)
    assert not passes(scheme, issuer.token(good_claims(issuer, **changes)), options)


def test_of_subject_and_email_both_must_fit(scheme: Oidc, issuer: Issuer) -> None:
    claims = good_claims(issuer, email=ROBOT, email_verified=True)
    token = issuer.token(claims)
    assert passes(scheme, token, options_of(issuer, email=ROBOT))
    assert not passes(scheme, token, options_of(issuer, email=ROBOT, subject="other"))


@pytest.mark.parametrize("seconds", [-59, 59])
def test_clocks_may_differ_by_a_minute(scheme: Oidc, issuer: Issuer, seconds: int) -> None:
    claims = good_claims(issuer, iat=AT + seconds, nbf=AT + seconds, exp=AT - 59)
    assert passes(scheme, issuer.token(claims), options_of(issuer))


def test_the_injected_clock_decides_what_is_expired(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    token = issuer.token(good_claims(issuer))
    assert passes(scheme, token, options_of(issuer))
    clock.passed += 3661
    assert not passes(scheme, token, options_of(issuer))


def _hs256_with_the_public_key(issuer: Issuer, public: bytes) -> str:
    """PyJWT itself refuses to make this token."""
    import hashlib
    import hmac

    head = encoded({"alg": "HS256", "kid": "key-1", "typ": "JWT"})
    content = f"{head}.{encoded(good_claims(issuer))}"
    mac = hmac.new(public, content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _public_forms(algorithm: str) -> list[bytes]:
    key = key_of(algorithm, "key-1").public_key()
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = key.public_bytes(serialization.Encoding.PEM, info)
    der = key.public_bytes(serialization.Encoding.DER, info)
    return [pem, pem.rstrip(), der, json.dumps(public_jwk(algorithm, "key-1")).encode()]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("form", range(4))
def test_the_public_key_is_no_shared_secret(
    scheme: Oidc, issuer: Issuer, algorithm: str, form: int
) -> None:
    issuer.rotate("key-1", algorithm=algorithm)
    token = _hs256_with_the_public_key(issuer, _public_forms(algorithm)[form])
    assert not passes(scheme, token, options_of(issuer))


def test_a_symmetric_key_in_the_key_set_verifies_nothing(scheme: Oidc, issuer: Issuer) -> None:
    secret = b"s" * 32
    shared = {"kty": "oct", "kid": "key-2", "alg": "HS256", "k": encoded("s" * 32)}
    issuer.documents["/keys"]["keys"].append(shared)
    token = issuer.token(good_claims(issuer), kid="key-2", algorithm="HS256", key=secret)
    assert not passes(scheme, token, options_of(issuer))


Forge = Callable[[Issuer], str]
FORGED: dict[str, Forge] = {
    "alg none": lambda issuer: unsigned(good_claims(issuer)),
    "alg None": lambda issuer: unsigned(good_claims(issuer), "None"),
    "no signature": lambda issuer: issuer.token(good_claims(issuer)).rpartition(".")[0] + ".",
    "another key of the same id": lambda issuer: issuer.token(
        good_claims(issuer), key=key_of("ES256", "thief")
    ),
    "another algorithm than the key's": lambda issuer: issuer.token(
        good_claims(issuer), algorithm="ES384"
    ),
    "changed claims": lambda issuer: _with_claims(
        issuer.token(good_claims(issuer, sub="somebody")), good_claims(issuer)
    ),
    "an embedded key": lambda issuer: issuer.token(
        good_claims(issuer),
        kid="thief",
        jwk=public_jwk("ES256", "thief"),
    ),
    "a key set of its own": lambda issuer: issuer.token(
        good_claims(issuer), kid="thief", jku=f"{issuer.url}/thief"
    ),
    "a critical extension": lambda issuer: issuer.token(good_claims(issuer), crit=["exp"], exp=1),
    "claims that are no object": lambda issuer: _signed_bytes(b"[]"),
    "claims that are no JSON": lambda issuer: _signed_bytes(b"\xff{"),
    "claims that nest deep": lambda issuer: _signed_bytes(b"[" * 3000),
}


def _with_claims(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{encoded(claims)}.{signature}"


def _signed_bytes(payload: bytes) -> str:
    from jwt.api_jws import PyJWS

    key = key_of("ES256", "key-1")
    return PyJWS().encode(payload, key, "ES256", {"kid": "key-1"})  # type: ignore[arg-type]


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_refused(scheme: Oidc, issuer: Issuer, forge: Forge) -> None:
    issuer.documents["/thief"] = {"keys": [public_jwk("ES256", "thief")]}
    assert not passes(scheme, forge(issuer), options_of(issuer))
    assert issuer.asked("/thief") == 0


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nothing",
        "Bearer a.b",
        "Bearer a.b.c",
        "Bearer a.b.c.d",
        "Bearer ..",
        "Bearer é.é.é",
        "Basic dXNlcjpwYXNz",
        "Bearer " + "a" * 64 * 1024,
        "Bearer " + ".".join(["a" * 22_000] * 3),
        "\x00",
        "Bearer eyJhbGciOiJFUzI1NiJ9.\n.x",
    ],
)
def test_what_is_no_token_is_refused_and_nothing_is_fetched(
    scheme: Oidc, issuer: Issuer, value: str
) -> None:
    with pytest.raises(Unauthenticated):
        scheme.check(Call(b"{}", {"authorization": value}), options_of(issuer))
    assert issuer.requests == []


def test_a_call_without_the_header_is_refused(scheme: Oidc, issuer: Issuer) -> None:
    with pytest.raises(Unauthenticated):
        scheme.check(Call(b"{}"), options_of(issuer))


@pytest.mark.parametrize("form", ["Bearer {0}, Bearer {0}", "Bearer {0},{0}", "Bearer {0} {0}"])
def test_two_credentials_are_none(scheme: Oidc, issuer: Issuer, form: str) -> None:
    value = form.format(issuer.token(good_claims(issuer)))
    with pytest.raises(Unauthenticated):
        scheme.check(Call(b"{}", {"authorization": value}), options_of(issuer))


@pytest.mark.parametrize("length", [MAX_TOKEN, 64 * 1024])
def test_a_huge_token_is_refused_even_if_it_is_signed(
    scheme: Oidc, issuer: Issuer, length: int
) -> None:
    token = issuer.token(good_claims(issuer, padding="x" * length))
    assert not passes(scheme, token, options_of(issuer))


@pytest.mark.parametrize(
    "kid", ["unknown", "../keys", "/etc/passwd", "key-1\x00", "KEY-1", "", "' OR 1=1 --", "x" * 999]
)
def test_an_unknown_key_is_refused_after_one_look(
    scheme: Oidc, issuer: Issuer, clock: Clock, kid: str
) -> None:
    assert passes(scheme, issuer.token(good_claims(issuer)), options_of(issuer))
    clock.passed += RENEWAL
    token = issuer.token(good_claims(issuer), kid=kid, key=key_of("ES256", "key-1"))
    for _ in range(3):
        assert not passes(scheme, token, options_of(issuer))
    assert issuer.asked("/keys") == 2
    assert set(issuer.requests) == {"/.well-known/openid-configuration", "/keys"}


@pytest.mark.parametrize("kid", [7, ["key-1"], {"a": "b"}, True])
def test_a_key_id_that_is_no_text_is_refused(scheme: Oidc, issuer: Issuer, kid: Any) -> None:
    _, claims, signature = issuer.token(good_claims(issuer)).split(".")
    token = f"{encoded({'alg': 'ES256', 'kid': kid})}.{claims}.{signature}"
    assert not passes(scheme, token, options_of(issuer))


def test_a_token_may_leave_out_the_only_key(scheme: Oidc, issuer: Issuer) -> None:
    token = issuer.token(good_claims(issuer), kid=None)
    assert passes(scheme, token, options_of(issuer))


def test_a_token_may_not_leave_out_one_of_two_keys(scheme: Oidc, issuer: Issuer) -> None:
    issuer.rotate("key-1", "key-2")
    assert not passes(scheme, issuer.token(good_claims(issuer), kid=None), options_of(issuer))


def test_a_new_key_is_found_and_the_old_one_ends(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    options, old = options_of(issuer), issuer.token(good_claims(issuer))
    assert passes(scheme, old, options)
    issuer.rotate("key-2")
    clock.passed += RENEWAL
    assert passes(scheme, issuer.token(good_claims(issuer), kid="key-2"), options)
    assert not passes(scheme, old, options)


def test_a_new_key_is_looked_for_at_most_once_per_minute(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    options = options_of(issuer)
    assert passes(scheme, issuer.token(good_claims(issuer)), options)
    issuer.rotate("key-2")
    new = issuer.token(good_claims(issuer), kid="key-2")
    clock.passed += RENEWAL - 1
    assert not passes(scheme, new, options)
    clock.passed += 1
    assert passes(scheme, new, options)
    assert issuer.asked("/keys") == 2


def test_keys_are_fetched_again_after_their_lifetime(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    token = issuer.token(good_claims(issuer, exp=AT + 3 * LIFETIME))
    for step, fetched in [(0.0, 1), (LIFETIME - 1, 1), (1.0, 2)]:
        clock.passed += step
        assert passes(scheme, token, options_of(issuer))
        assert issuer.asked("/keys") == fetched


def test_an_issuer_that_is_down_makes_the_sender_try_again(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    token, options = issuer.token(good_claims(issuer)), options_of(issuer)
    issuer.down = True
    with pytest.raises(IssuerUnavailable) as error:
        scheme.check(call_with(token), options)
    assert (error.value.status, error.value.retry_after) == (503, PAUSE)
    assert issuer.url not in error.value.message
    issuer.down = False
    with pytest.raises(IssuerUnavailable):
        scheme.check(call_with(token), options)
    assert len(issuer.requests) == 1
    clock.passed += PAUSE
    assert passes(scheme, token, options)


def test_an_issuer_that_is_down_does_not_matter_while_its_keys_are_young(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    token, options = issuer.token(good_claims(issuer, exp=AT + 3 * LIFETIME)), options_of(issuer)
    assert passes(scheme, token, options)
    issuer.down = True
    clock.passed += LIFETIME - 1
    assert passes(scheme, token, options)
    clock.passed += 1
    with pytest.raises(IssuerUnavailable):
        scheme.check(call_with(token), options)


def test_a_new_key_of_an_issuer_that_is_down_makes_the_sender_try_again(
    scheme: Oidc, issuer: Issuer, clock: Clock
) -> None:
    assert passes(scheme, issuer.token(good_claims(issuer)), options_of(issuer))
    issuer.down = True
    clock.passed += RENEWAL
    with pytest.raises(IssuerUnavailable):
        scheme.check(call_with(issuer.token(good_claims(issuer), kid="key-2")), options_of(issuer))
    assert passes(scheme, issuer.token(good_claims(issuer)), options_of(issuer))


CONFIGURATION = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (CONFIGURATION, b"<html>"),
        (CONFIGURATION, b"[]"),
        (CONFIGURATION, {"issuer": "https://other.example"}),
        (CONFIGURATION, {"issuer": None, "jwks_uri": "https://keys.example/"}),
        (CONFIGURATION, {"issuer": None, "jwks_uri": 7}),
        (CONFIGURATION, {"issuer": None}),
        ("/keys", b""),
        ("/keys", b"[" * 100_000),
        ("/keys", b"x" * (256 * 1024 + 1)),
        ("/keys", {}),
        ("/keys", {"keys": []}),
        ("/keys", {"keys": {"kid": "key-1"}}),
        ("/keys", {"keys": ["key-1", 7, None, {}, {"kty": "EC"}, {"kty": "RSA", "alg": "none"}]}),
        ("/keys", {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}),
        ("/keys", {"keys": [public_jwk("ES256", "key-1") | {"use": "enc"}]}),
        ("/keys", {"keys": [public_jwk("ES256", "key-1") | {"d": "AAAA"}]}),
        ("/keys", {"keys": [public_jwk("ES256", "key-1")] * 101}),
    ],
)
def test_an_issuer_that_serves_nonsense_lets_nobody_pass(
    scheme: Oidc, issuer: Issuer, path: str, document: Any
) -> None:
    if isinstance(document, dict) and document.get("issuer", "") is None:
        document = document | {"issuer": issuer.url}
    issuer.documents[path] = document
    with pytest.raises(IssuerUnavailable):
        scheme.check(call_with(issuer.token(good_claims(issuer))), options_of(issuer))


def test_one_unusable_key_does_not_hide_the_others(scheme: Oidc, issuer: Issuer) -> None:
    odd = [{"kty": "RSA", "alg": "none"}, {"kty": "XYZ"}, {"kty": "EC", "alg": ["ES256"]}]
    issuer.documents["/keys"]["keys"][:0] = odd
    assert passes(scheme, issuer.token(good_claims(issuer)), options_of(issuer))


def test_keys_elsewhere_have_to_be_named(scheme: Oidc, issuer: Issuer) -> None:
    with Issuer() as other:
        issuer.documents[CONFIGURATION]["jwks_uri"] = f"{other.url}/keys"
        token = issuer.token(good_claims(issuer))
        with pytest.raises(IssuerUnavailable):
            scheme.check(call_with(token), options_of(issuer))
        assert other.requests == []
        assert passes(scheme, token, options_of(issuer, jwks_uri=f"{other.url}/keys"))
        assert issuer.asked(CONFIGURATION) == 1


def test_fifty_calls_at_once_fetch_the_keys_once(scheme: Oidc, issuer: Issuer) -> None:
    token, options = issuer.token(good_claims(issuer)), options_of(issuer)
    with ThreadPoolExecutor(50) as threads:
        results = list(threads.map(lambda _: passes(scheme, token, options), range(50)))
    assert all(results)
    assert issuer.requests == [CONFIGURATION, "/keys"]


def test_fifty_calls_at_once_ask_an_issuer_that_is_down_once(scheme: Oidc, issuer: Issuer) -> None:
    issuer.down = True
    token, options = issuer.token(good_claims(issuer)), options_of(issuer)

    def attempt(_: int) -> str:
        try:
            scheme.check(call_with(token), options)
        except IssuerUnavailable:
            return "unavailable"
        return "passed"

    with ThreadPoolExecutor(50) as threads:
        assert set(threads.map(attempt, range(50))) == {"unavailable"}
    assert len(issuer.requests) == 1


def test_receivers_of_one_issuer_share_its_keys(scheme: Oidc, issuer: Issuer) -> None:
    for number in range(100):
        claims = good_claims(issuer, sub=f"ci-{number}", aud=f"shop-{number}")
        options = options_of(issuer, subject=f"ci-{number}", audience=f"shop-{number}")
        assert passes(scheme, issuer.token(claims), options)
    assert issuer.asked("/keys") == 1


def test_the_keys_of_one_issuer_verify_nothing_of_another(scheme: Oidc, issuer: Issuer) -> None:
    with Issuer() as other:
        other.rotate("thief")
        assert passes(scheme, other.token(good_claims(other), kid="thief"), options_of(other))
        stolen = other.token(good_claims(issuer), kid="thief")
        assert not passes(scheme, stolen, options_of(issuer))


def test_issuers_without_end_are_not_kept_without_end(clock: Clock) -> None:
    def fetch(url: str) -> bytes:
        return json.dumps({"keys": [public_jwk("ES256", "key-1")]}).encode()

    scheme = Oidc(fetch, clock.now, clock.ticks)
    for number in range(MAX_SOURCES + 10):
        options = OidcOptions(
            issuer=f"https://i{number}.example",
            audience="a",
            subject="s",
            jwks_uri="https://keys.example/",
        )
        with pytest.raises(Unauthenticated):
            scheme.check(call_with(unsigned({}, "ES256").removesuffix(".") + ".AAAA"), options)
    assert len(scheme._shelves._shelves) == MAX_SOURCES


def test_google_keeps_its_keys_on_another_host(clock: Clock) -> None:
    fetched = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return json.dumps({"keys": [public_jwk("ES256", "key-1")]}).encode()

    claims = {
        "iss": GOOGLE,
        "aud": "https://hooks.example/v1-webhooks/endpoint",
        "sub": "11223344",
        "email": ROBOT,
        "email_verified": True,
        "iat": AT,
        "exp": AT + 3600,
    }
    options = OidcOptions(issuer=GOOGLE, audience=claims["aud"], email=ROBOT)
    token = Issuer.token(None, claims)  # type: ignore[arg-type]
    assert passes(Oidc(fetch, clock.now, clock.ticks), token, options)
    assert fetched == ["https://www.googleapis.com/oauth2/v3/certs"]


GOOD = {"issuer": "https://issuer.example", "audience": "webhooks", "subject": "ci"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"issuer": None}, "Field required"),
        ({"audience": None}, "Field required"),
        ({"audience": ""}, "at least 1 character"),
        ({"subject": None}, "name the one caller by subject, or by email with Google"),
        ({"subject": ""}, "at least 1 character"),
        ({"issuer": "http://issuer.example"}, "must be an https:// URL"),
        ({"issuer": "issuer.example"}, "must be an https:// URL"),
        ({"issuer": "https://"}, "must be an https:// URL"),
        ({"issuer": "https://user:pass@issuer.example"}, "must be an https:// URL"),
        ({"issuer": "https://issuer.example/#a"}, "must be an https:// URL"),
        ({"issuer": "https://issuer.example:99999"}, "must be an https:// URL"),
        ({"issuer": "https://[::1"}, "must be an https:// URL"),
        ({"issuer": "https://issuer.example/a b"}, "must be an https:// URL"),
        ({"issuer": "https://issuer.example?a=b"}, "an issuer has no query"),
        ({"issuer": "file:///etc/passwd"}, "must be an https:// URL"),
        ({"jwksUri": "http://keys.example"}, "must be an https:// URL"),
        ({"algorithms": ["HS256"]}, "Extra inputs are not permitted"),
    ],
)
def test_options_that_would_let_strangers_pass_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    whole = {name: value for name, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(ValidationError, match=problem):
        OidcOptions.model_validate(whole)


def test_the_options_are_no_secrets() -> None:
    assert OidcOptions.secret_fields() == frozenset()


def test_the_log_says_why_and_repeats_nothing(
    scheme: Oidc, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "webhook_service")
    token = issuer.token(good_claims(issuer, exp=AT - 100))
    assert not passes(scheme, token, options_of(issuer))
    assert "A bearer token was refused: expired" in caplog.messages
    assert token.split(".")[1] not in caplog.text


def test_the_real_clock_is_the_default(issuer: Issuer) -> None:
    with loopback_fetcher() as fetch:
        now = int(time.time())
        token = issuer.token(issuer.claims(iat=now, exp=now + 60))
        assert passes(Oidc.create(fetch), token, options_of(issuer))


SEGMENTS = st.one_of(
    st.text("abcXYZ019-_", max_size=40),
    st.dictionaries(
        st.sampled_from(["alg", "kid", "crit", "b64", "typ", "iss", "exp"]),
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=9)),
    ).map(encoded),
)


@given(st.lists(SEGMENTS, min_size=1, max_size=4), st.text(max_size=20))
def test_no_header_does_anything_but_be_refused(segments: list[str], other: str) -> None:
    keys = json.dumps({"keys": [public_jwk("ES256", "key-1")]}).encode()
    scheme = Oidc(lambda url: keys, Clock().now)
    options = OidcOptions(issuer=GOOGLE, audience="a", subject="s")
    for value in ("Bearer " + ".".join(segments), other, f"Bearer {other}"):
        with pytest.raises(Unauthenticated):
            scheme.check(Call(b"", {"authorization": value}), options)
