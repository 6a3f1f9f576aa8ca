"""The scheme ``sns``: messages of one topic, signed by Amazon SNS.

Source: Amazon SNS documentation, "Verifying the signatures of Amazon SNS messages". A signature
only says that some topic of some account sent the message. So a receiver must name the topic.
Certificates and confirmations are fetched from one host only, which follows from the region of
the topic. With a looser rule, a bucket called ``sns`` (sns.s3.amazonaws.com) could hand out
certificates.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Self
from urllib.parse import parse_qs, urlsplit

from cryptography.x509 import Certificate
from pydantic import Field, field_validator

from webhook_service.errors import IssuerUnavailable, Unauthenticated
from webhook_service.model.delivery import Call
from webhook_service.schemes.proving.key_cache import Shelves, Ticks
from webhook_service.schemes.proving.signature import REFUSED
from webhook_service.schemes.proving.sns_certificate import (
    Topic,
    check_certificate,
    read_certificate,
)
from webhook_service.schemes.proving.sns_message import Message, check_signature, read_message
from webhook_service.schemes.scheme import Fetch, Proof, Scheme, SchemeOptions
from webhook_service.telemetry.logs import sparing

# SNS gives a message up after an hour.
MAX_AGE = timedelta(hours=1)
MAX_AHEAD = timedelta(minutes=5)

_CERTIFICATE = re.compile(r"/[A-Za-z0-9._-]{1,128}\.pem")

log = sparing(__name__)


class SnsOptions(SchemeOptions):
    """The topic whose messages are genuine."""

    topic_arn: str = Field(
        max_length=512, description="The topic, arn:aws:sns:region:account:name."
    )

    @field_validator("topic_arn")
    @classmethod
    def _check_topic(cls, value: str) -> str:
        Topic.parse(value)
        return value

    @property
    def topic(self) -> Topic:
        return Topic.parse(self.topic_arn)


class Sns(Scheme[SnsOptions]):
    """Verifies notifications and confirmations, and confirms genuine subscriptions.

    Args:
        fetch: GETs certificates, and the URL that confirms a subscription.
        clock: gives the present time, for checking messages and certificates.
        ticks: gives seconds that only grow, for the age of kept certificates.
    """

    Options = SnsOptions
    proof = Proof(
        algorithm="RSA signature of the message, by a certificate of Amazon's, and the topic",
        replay="refused after an hour, before that a duplicate",
    )

    def __init__(
        self,
        fetch: Fetch,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ticks: Ticks = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._shelves: Shelves[Certificate] = Shelves(ticks)

    @classmethod
    def create(cls, fetch: Fetch) -> Self:
        """Make one instance; it keeps the certificates for all receivers."""
        return cls(fetch)

    def check(self, call: Call, options: SnsOptions) -> None:
        try:
            self._check(call, options)
        except ValueError as exc:
            log.info("A message of SNS was refused: %s", exc)
            raise Unauthenticated(REFUSED) from None

    def greet(self, call: Call, options: SnsOptions) -> None:
        """Confirm a subscription. To confirm its end, nothing has to be done."""
        message = read_message(call.body)
        if message.subscribes:
            try:
                self._fetch(message.fields["SubscribeURL"])
            except Exception as exc:
                log.warning("A subscription to %s is not confirmed: %s", options.topic_arn, exc)
                told = "The subscription cannot be confirmed now; nothing was stored."
                raise IssuerUnavailable(told) from exc
            log.info("The subscription to %s is confirmed.", options.topic_arn)

    def message_id(self, call: Call, options: SnsOptions) -> str | None:
        """Return the id of the message: SNS signs it, and keeps it when it repeats the message."""
        return read_message(call.body).fields["MessageId"]

    def _check(self, call: Call, options: SnsOptions) -> None:
        """What costs nothing is checked first: strangers cannot make us fetch for a foreign topic.

        Raises:
            ValueError: the message is not genuine; the text has nothing of it.
            IssuerUnavailable: its certificate cannot be fetched now.
        """
        message = read_message(call.body)
        if message.fields["TopicArn"] != options.topic_arn:
            raise ValueError("another topic")
        now = self._clock()
        if not -MAX_AHEAD <= now - message.sent <= MAX_AGE:
            raise ValueError("too old, or not yet sent")
        topic = options.topic
        _check_urls(message, topic)
        certificate = self._certificate(message.certificate_url, topic)
        check_certificate(certificate, topic, now)
        check_signature(message, certificate)

    def _certificate(self, url: str, topic: Topic) -> Certificate:
        shelf = self._shelves.of(topic.arn)
        return shelf.get(url, lambda: read_certificate(self._fetch(url)))


def _check_urls(message: Message, topic: Topic) -> None:
    certificate = urlsplit(message.certificate_url)
    if message.certificate_url != f"https://{topic.host}{certificate.path}":
        raise ValueError("a certificate from elsewhere")
    if not _CERTIFICATE.fullmatch(certificate.path):
        raise ValueError("a certificate at another path")
    if message.subscribes:
        url = urlsplit(message.fields["SubscribeURL"])
        asked = parse_qs(url.query)
        if (url.scheme, url.netloc, url.path, url.fragment) != ("https", topic.host, "/", ""):
            raise ValueError("a confirmation elsewhere")
        if (asked.get("Action"), asked.get("TopicArn")) != (["ConfirmSubscription"], [topic.arn]):
            raise ValueError("a confirmation of something else")
