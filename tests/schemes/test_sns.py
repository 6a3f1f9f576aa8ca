"""Messages of Amazon SNS, against a host that serves a certificate of our own."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.schemes.outside import Clock, loopback_fetcher
from tests.servers.sns import (
    HOST,
    NOW,
    PATH,
    TOPIC,
    SnsHost,
    certificate,
    confirmation,
    notification,
    signed,
    signing_key,
)
from webhook_service.errors import IssuerUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.key_cache import LIFETIME, PAUSE
from webhook_service.schemes.proving.sns_certificate import Topic
from webhook_service.schemes.sns import Sns, SnsOptions

OPTIONS = SnsOptions(topic_arn=TOPIC)
UNSUBSCRIBE = "UnsubscribeConfirmation"


@pytest.fixture
def host() -> Iterator[SnsHost]:
    with SnsHost() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheme(host: SnsHost, clock: Clock) -> Iterator[Sns]:
    with loopback_fetcher() as fetch:
        yield Sns(lambda url: fetch(host.local(url)), clock.now, clock.ticks)


def passes(scheme: Sns, body: bytes, options: SnsOptions = OPTIONS) -> bool:
    try:
        scheme.check(Call(body), options)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "message",
    [
        notification(),
        notification(Subject="A subject"),
        notification('two\nlines, \t é ✓ \\ " {}'),
        notification(""),
        confirmation(),
        confirmation(UNSUBSCRIBE),
    ],
)
def test_a_signed_message_passes(scheme: Sns, version: str, message: dict[str, Any]) -> None:
    assert passes(scheme, signed(message, version))


def test_a_subject_of_null_is_no_subject(scheme: Sns) -> None:
    body = json.loads(signed(notification()))
    assert passes(scheme, json.dumps(body | {"Subject": None}).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": "Goodbye"},
        {"MessageId": "another"},
        {"Subject": "added"},
        {"Timestamp": "2026-11-22T12:00:00.001Z"},
        {"Type": "SubscriptionConfirmation"},
        {"Signature": "AAAA"},
        {"Signature": ""},
        {"Signature": "not base64!"},
        {"Signature": "ä"},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": ""},
        {"SignatureVersion": "none"},
    ],
)
def test_a_changed_message_is_refused(scheme: Sns, changes: dict[str, Any]) -> None:
    assert not passes(scheme, signed(notification(), **changes))


@pytest.mark.parametrize(
    "name",
    [
        "Type",
        "Message",
        "MessageId",
        "Timestamp",
        "TopicArn",
        "Signature",
        "SignatureVersion",
        "SigningCertURL",
    ],
)
@pytest.mark.parametrize("value", [None, 7, [], {}, True])
def test_a_missing_or_odd_field_is_refused(scheme: Sns, name: str, value: Any) -> None:
    body = json.loads(signed(notification()))
    assert not passes(scheme, json.dumps(body | {name: value}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'"text"',
        b"{",
        b"{}",
        b'{"Type": "Notification"}',
        b'{"Type": {"a": 1}}',
        b"[" * 5000,
        b'{"Type": "Notification", "Type": "Notification"}',
    ],
)
def test_what_is_no_message_is_refused(scheme: Sns, host: SnsHost, body: bytes) -> None:
    assert not passes(scheme, body)
    assert host.requests == []


def test_a_field_that_comes_twice_is_refused(scheme: Sns) -> None:
    body = signed(notification())
    assert not passes(scheme, body[:-1] + b', "Message": "Hello"}')


def test_a_line_break_cannot_make_one_field_two(scheme: Sns) -> None:
    message = notification(MessageId="1", Subject="a\nTimestamp\n2026-11-22T12:00:00.000Z")
    assert not passes(scheme, signed(message))


def test_another_key_is_refused(scheme: Sns) -> None:
    assert not passes(scheme, signed(notification(), key=signing_key("thief")))


@pytest.mark.parametrize(
    "topic",
    [
        "arn:aws:sns:eu-west-1:123456789012:others",
        "arn:aws:sns:eu-west-1:999999999999:pushes",
        TOPIC + "2",
        TOPIC.upper(),
    ],
)
def test_another_topic_is_refused_and_nothing_is_fetched(
    scheme: Sns, host: SnsHost, topic: str
) -> None:
    assert not passes(scheme, signed(notification(TopicArn=topic)))
    assert host.requests == []


@pytest.mark.parametrize(
    ("age", "passing"),
    [(0, True), (3600, True), (3601, False), (86400, False), (-300, True), (-301, False)],
)
def test_a_message_lives_for_an_hour(scheme: Sns, age: int, passing: bool) -> None:
    body = signed(notification(sent=NOW - timedelta(seconds=age)))
    assert passes(scheme, body) is passing


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-11-22", "2026-11-22T12:00:00"])
def test_a_time_that_cannot_be_read_is_refused(scheme: Sns, stamp: str) -> None:
    assert not passes(scheme, signed(notification(Timestamp=stamp)))


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}{PATH}",
        f"https://sns.us-east-1.amazonaws.com{PATH}",
        f"https://sns.s3.amazonaws.com{PATH}",
        f"https://sns.eu-west-1.s3.amazonaws.com{PATH}",
        f"https://{HOST}.evil.example{PATH}",
        f"https://{HOST}@evil.example{PATH}",
        f"https://evil.example@{HOST}{PATH}",
        f"https://{HOST}:443{PATH}",
        f"https://{HOST}.{PATH}",
        f"https://{HOST.upper()}{PATH}",
        f"https://evil.example/{HOST}{PATH}",
        f"https://{HOST}{PATH}?x=1",
        f"https://{HOST}{PATH}#x",
        f"https://{HOST}/../x.pem",
        f"https://{HOST}/a/b.pem",
        f"https://{HOST}/%2e.pem",
        f"https://{HOST}/.pem/x",
        f"https://{HOST}/x.pem\n",
        f"https://{HOST}/x.crt",
        f"https://{HOST}//x.pem",
        f"https://{HOST}\\@evil.example/x.pem",
        f"https:/{HOST}/x.pem",
        "https://[::1/x.pem",
        "https://169.254.169.254/x.pem",
        "file:///etc/ssl/x.pem",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_never_fetched(
    scheme: Sns, host: SnsHost, url: str
) -> None:
    assert not passes(scheme, signed(notification(), SigningCertURL=url))
    assert host.requests == []


@pytest.mark.parametrize(
    "pem",
    [
        certificate(end=NOW - timedelta(seconds=1)),
        certificate(start=NOW + timedelta(seconds=1)),
        certificate(("sns.evil.example",)),
        certificate(("sns.us-east-1.amazonaws.com",)),
        certificate(("sns-signing.us-east-1.amazonaws.com",)),
        certificate(authority=True),
    ],
    ids=["expired", "future", "foreign", "other region", "other signer", "authority"],
)
def test_a_certificate_that_is_not_the_topics_signs_nothing(
    scheme: Sns, host: SnsHost, pem: bytes
) -> None:
    host.documents[PATH] = pem
    assert not passes(scheme, signed(notification()))


def test_a_certificate_with_a_weak_key_signs_nothing(scheme: Sns, host: SnsHost) -> None:
    weak = signing_key("weak", 1024)
    host.documents[PATH] = certificate(key=weak)
    assert not passes(scheme, signed(notification(), key=weak))


@pytest.mark.parametrize(
    "names",
    [
        ("sns.amazonaws.com",),
        (HOST,),
        ("sns-signing.eu-west-1.amazonaws.com",),
        ("something.example", HOST),
    ],
)
def test_a_certificate_bears_one_of_the_names_of_its_region(
    scheme: Sns, host: SnsHost, names: tuple[str, ...]
) -> None:
    host.documents[PATH] = certificate(names)
    assert passes(scheme, signed(notification()))


def test_an_old_certificate_has_only_a_common_name(scheme: Sns, host: SnsHost) -> None:
    host.documents[PATH] = certificate(alternative_names=False)
    assert passes(scheme, signed(notification()))


@pytest.mark.parametrize("document", [b"", b"no certificate", b"x" * 300_000])
def test_what_is_no_certificate_makes_the_sender_try_again(
    scheme: Sns, host: SnsHost, document: bytes
) -> None:
    host.documents[PATH] = document
    with pytest.raises(IssuerUnavailable):
        scheme.check(Call(signed(notification())), OPTIONS)


def test_a_certificate_is_fetched_once_per_hour(scheme: Sns, host: SnsHost, clock: Clock) -> None:
    for step, fetched in [(0.0, 1), (LIFETIME - 1, 1), (1.0, 2)]:
        clock.passed += step
        assert passes(scheme, signed(notification(sent=clock.now())))
        assert host.requests == [PATH] * fetched


def test_fifty_messages_at_once_fetch_the_certificate_once(scheme: Sns, host: SnsHost) -> None:
    body = signed(notification())
    with ThreadPoolExecutor(50) as threads:
        assert all(threads.map(lambda _: passes(scheme, body), range(50)))
    assert host.requests == [PATH]


def test_a_host_that_is_down_makes_the_sender_try_again(
    scheme: Sns, host: SnsHost, clock: Clock
) -> None:
    host.down = True
    for _ in range(3):
        with pytest.raises(IssuerUnavailable):
            scheme.check(Call(signed(notification())), OPTIONS)
    assert host.requests == [PATH]
    host.down = False
    clock.passed += PAUSE
    assert passes(scheme, signed(notification()))


def test_made_up_certificates_are_not_asked_for_without_end(scheme: Sns, host: SnsHost) -> None:
    assert passes(scheme, signed(notification()))
    for number in range(20):
        url = f"https://{HOST}/SimpleNotificationService-{number}.pem"
        with pytest.raises(IssuerUnavailable):
            scheme.check(Call(signed(notification(), SigningCertURL=url)), OPTIONS)
    assert len(host.requests) == 2
    assert passes(scheme, signed(notification()))


def test_a_genuine_subscription_is_confirmed(scheme: Sns, host: SnsHost) -> None:
    call = Call(signed(confirmation()))
    scheme.check(call, OPTIONS)
    assert host.requests == [PATH]
    scheme.greet(call, OPTIONS)
    assert host.requests[1:] == [f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"]


@pytest.mark.parametrize("message", [notification(), confirmation(UNSUBSCRIBE)])
def test_nothing_else_is_confirmed(scheme: Sns, host: SnsHost, message: dict[str, Any]) -> None:
    call = Call(signed(message))
    scheme.check(call, OPTIONS)
    scheme.greet(call, OPTIONS)
    assert host.requests == [PATH]


def test_a_subscription_that_cannot_be_confirmed_now_is_sent_again(
    scheme: Sns, host: SnsHost
) -> None:
    call = Call(signed(confirmation()))
    scheme.check(call, OPTIONS)
    host.down = True
    with pytest.raises(IssuerUnavailable):
        scheme.greet(call, OPTIONS)


GOOD_URL = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1"


@pytest.mark.parametrize(
    "url",
    [
        GOOD_URL.replace("https:", "http:"),
        GOOD_URL.replace(HOST, "evil.example"),
        GOOD_URL.replace(HOST, f"{HOST}:8443"),
        GOOD_URL.replace(HOST, f"user@{HOST}"),
        GOOD_URL.replace("/?", "/admin?"),
        GOOD_URL.replace("ConfirmSubscription", "DeleteTopic"),
        GOOD_URL.replace("pushes", "others"),
        GOOD_URL + "&Action=DeleteTopic",
        GOOD_URL + "#x",
        f"https://{HOST}/",
    ],
)
def test_a_confirmation_of_something_else_is_refused_even_if_it_is_signed(
    scheme: Sns, url: str
) -> None:
    assert passes(scheme, signed(confirmation(SubscribeURL=GOOD_URL)))
    assert not passes(scheme, signed(confirmation(SubscribeURL=url)))


def test_the_message_id_names_a_call(scheme: Sns) -> None:
    message = notification()
    assert scheme.message_id(Call(signed(message)), OPTIONS) == message["MessageId"]


def test_the_log_says_why_and_repeats_nothing(
    scheme: Sns, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "webhook_service")
    assert not passes(scheme, signed(notification("private"), key=signing_key("thief")))
    assert "A message of SNS was refused: a wrong signature" in caplog.messages
    assert "private" not in caplog.text


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "pushes",
        "*",
        "arn:aws:sns:*:123456789012:pushes",
        "arn:aws:sns:s3:123456789012:pushes",
        "arn:aws:sns:s3-website-us-east-1:123456789012:pushes",
        "arn:aws:sns:eu-west-1.evil:123456789012:pushes",
        "arn:aws:sqs:eu-west-1:123456789012:pushes",
        "arn:aws:sns:eu-west-1:1234:pushes",
        "arn:aws:sns:eu-west-1:123456789012:",
        f"{TOPIC}\n",
        f"{TOPIC}:1",
    ],
)
def test_what_is_no_topic_is_refused(arn: str) -> None:
    with pytest.raises(ValidationError, match="must be a topic"):
        SnsOptions.model_validate({"topicArn": arn})


def test_the_topic_has_to_be_named() -> None:
    with pytest.raises(ValidationError, match="Field required"):
        SnsOptions.model_validate({})


@pytest.mark.parametrize(
    ("arn", "host", "signer"),
    [
        (
            "arn:aws-cn:sns:cn-north-1:123456789012:a",
            "sns.cn-north-1.amazonaws.com.cn",
            "sns-cn-north-1.amazonaws.com.cn",
        ),
        (
            "arn:aws-us-gov:sns:us-gov-east-1:123456789012:a",
            "sns.us-gov-east-1.amazonaws.com",
            "sns-us-gov-west-1.amazonaws.com",
        ),
        (
            "arn:aws:sns:ap-southeast-5:123456789012:a",
            "sns.ap-southeast-5.amazonaws.com",
            "sns-signing.ap-southeast-5.amazonaws.com",
        ),
        (
            "arn:aws:sns:us-east-1:123456789012:a.fifo",
            "sns.us-east-1.amazonaws.com",
            "sns.amazonaws.com",
        ),
    ],
)
def test_a_region_implies_the_host_and_the_signer(arn: str, host: str, signer: str) -> None:
    topic = Topic.parse(arn)
    assert topic.host == host and signer in topic.signers


def test_every_flipped_byte_is_refused(scheme: Sns) -> None:
    body = signed(notification("Hello, this is signed."))
    start = body.index(b'"Message": "') + len(b'"Message": "')
    for position in range(start, start + 22):
        changed = bytearray(body)
        changed[position] ^= 1
        assert not passes(scheme, bytes(changed))


def test_an_instance_goes_by_the_real_time_and_the_services_way_out() -> None:
    scheme = Sns.create(lambda url: b"")
    with pytest.raises(IssuerUnavailable):
        scheme.check(Call(signed(notification(sent=datetime.now(UTC)))), OPTIONS)
    with pytest.raises(Unauthenticated):
        scheme.check(Call(signed(notification(sent=NOW - timedelta(days=365)))), OPTIONS)


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)
CHANGES = st.dictionaries(st.sampled_from(sorted(json.loads(signed(confirmation())))), JUNK)


@given(CHANGES, st.binary(max_size=50))
def test_no_body_does_anything_but_be_refused(changes: dict[str, Any], other: bytes) -> None:
    scheme = Sns(lambda url: certificate(), Clock().now)
    genuine = json.loads(signed(confirmation()))
    changed = json.dumps(genuine | changes).encode()
    for body in (changed, changed[: len(changed) // 2], other):
        same = body == changed and genuine | changes == genuine
        assert passes(scheme, body) is same
