"""Bad schemes, and a good one: the header X-Proof with the HMAC of the body."""

import hmac
import json
from typing import Any

from pydantic import ConfigDict

from tests.testing.gallery.bad import Bad
from webhook_service import Call, Unauthenticated
from webhook_service.schemes import (
    Scheme,
    SchemeOptions,
    SecretOptions,
    any_same,
    header_of,
    keys_of,
    require,
)
from webhook_service.testing.kit import SchemeCase

SECRET, OTHER = "a secret of the gallery", "another secret of the gallery"
NEIGHBOUR = "127.0.0.1"
REFUSED = "The call is not proven genuine."


def proof(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, "sha256").hexdigest()


def macs(options: SecretOptions, body: bytes) -> list[bytes]:
    return [hmac.digest(key, body, "sha256").hex().encode() for key in keys_of(options.secret)]


class GoodScheme(Scheme[SecretOptions]):
    Options = SecretOptions
    computes_only = True

    def check(self, call: Call, options: SecretOptions) -> None:
        require(any_same([header_of(call, "x-proof")], macs(options, call.body)))


class ComparesWithEquals(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        given = call.headers.get("x-proof", "").strip()
        require(any(given == mac.decode() for mac in macs(options, call.body)))


class SaysFalse(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        try:
            super().check(call, options)
        except Unauthenticated:
            return False  # type: ignore[return-value]


class IsAsync(GoodScheme):
    async def check(self, call: Call, options: SecretOptions) -> None:  # type: ignore[override]
        super().check(call, options)


class WritesTheBodyAgain(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        try:
            body = json.dumps(json.loads(call.body)).encode()
        except ValueError:
            body = call.body
        require(any_same([header_of(call, "x-proof")], macs(options, body)))


class LooksAtTheBeginningOnly(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        given = header_of(call, "x-proof")[:16]
        require(any_same([given], [mac[:16] for mac in macs(options, call.body)]))


class TakesTheEmptyProof(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        if call.headers.get("x-proof"):
            super().check(call, options)


class SaysWhatIsMissing(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        if "x-proof" not in call.headers:
            raise Unauthenticated("The header X-Proof is missing.")
        super().check(call, options)


class FallsOverStrangeHeaders(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        bytes.fromhex(call.headers.get("x-proof", ""))
        super().check(call, options)


class TellsTheSecret(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        try:
            super().check(call, options)
        except Unauthenticated:
            secret = options.secret[0].get_secret_value()
            raise Unauthenticated(f"The proof was not made with {secret}.") from None


class KeepsTheFirstSecret(GoodScheme):
    kept: SecretOptions | None = None

    def check(self, call: Call, options: SecretOptions) -> None:
        self.kept = self.kept or options
        super().check(call, self.kept)


class ReadsWhileItComputes(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        with open("/dev/null", "rb"):
            super().check(call, options)


class LetsNeighboursIn(GoodScheme):
    def check(self, call: Call, options: SecretOptions) -> None:
        if call.client != NEIGHBOUR:
            super().check(call, options)


class TextOptions(SchemeOptions):
    secret: str


class SecretAsText(Scheme[TextOptions]):
    Options = TextOptions

    def check(self, call: Call, options: TextOptions) -> None:
        mac = hmac.digest(options.secret.encode(), call.body, "sha256").hex().encode()
        require(any_same([header_of(call, "x-proof")], [mac]))


class OpenOptions(SecretOptions):
    model_config = ConfigDict(extra="ignore")


class TakesAnyOption(GoodScheme):
    Options = OpenOptions


CHANGED = "test_a_changed_proof_is_refused"
STRANGE = "test_a_missing_or_strange_proof_is_refused"
OPTIONS = "test_the_options_are_closed_and_hide_their_secrets"
BAD = [
    Bad(ComparesWithEquals, "test_the_proof_is_compared_in_constant_time", "the proof with =="),
    Bad(SaysFalse, CHANGED, "check returned False, which lets every call pass"),
    Bad(IsAsync, "test_a_genuine_call_passes", "check is async, so it verifies nothing"),
    Bad(
        WritesTheBodyAgain,
        "test_a_changed_body_is_refused",
        "The same JSON with other blanks passes",
    ),
    Bad(LooksAtTheBeginningOnly, CHANGED, "turned passes: it must be refused"),
    Bad(TakesTheEmptyProof, STRANGE, "A call without x-proof passes"),
    Bad(SaysWhatIsMissing, "test_every_refusal_says_the_same", "Refusals differ"),
    Bad(FallsOverStrangeHeaders, STRANGE, "check raised ValueError"),
    Bad(TellsTheSecret, CHANGED, "The refusal shows a secret"),
    Bad(KeepsTheFirstSecret, "test_another_secret_is_refused", "another secret lets the call pass"),
    Bad(ReadsWhileItComputes, "test_a_scheme_that_only_computes_does_so", "check uses a file"),
    Bad(LetsNeighboursIn, STRANGE, "Forged call 1 passes: it must be refused"),
    Bad(SecretAsText, OPTIONS, "secret of TextOptions is called like a secret"),
    Bad(TakesAnyOption, OPTIONS, "OpenOptions takes any field"),
]


def case_of(scheme: type[Scheme[Any]]) -> SchemeCase:
    return SchemeCase(
        scheme=scheme,
        options={"secret": SECRET},
        other_options={"secret": OTHER},
        sign=lambda body: Call(body, {"x-proof": proof(body), "content-type": "text/plain"}),
        same=lambda name, value: name == "content-type",
        forged=lambda call: [Call(call.body, {}, client=NEIGHBOUR)],
    )
