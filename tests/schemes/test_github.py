from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.github import GitHub
from webhook_service.schemes.proving.signature import SecretOptions
from webhook_service.testing.signing import sign

# docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
SECRET, BODY = "It's a Secret to Everybody", b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
OPTIONS = SecretOptions.model_validate({"secret": SECRET})


def _passes(**headers: str) -> bool:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return refusal(GitHub(), Call(BODY, sent), OPTIONS) is None


def test_the_documented_signature_passes() -> None:
    assert _passes(x_hub_signature_256=SIGNATURE)
    assert sign("github", SECRET, BODY) == {"x-hub-signature-256": SIGNATURE}


def test_sha1_never_passes() -> None:
    sha1 = "01dc10d0c83e72ed246219cdd91669667fe2ca59"
    assert not _passes(x_hub_signature="sha1=" + sha1)
    assert not _passes(x_hub_signature_256="sha1=" + sha1)


def test_a_signature_without_its_prefix_does_not_pass() -> None:
    assert not _passes(x_hub_signature_256=SIGNATURE.removeprefix("sha256="))


def test_two_signatures_in_one_header_do_not_pass() -> None:
    assert not _passes(x_hub_signature_256=f"{SIGNATURE}, {SIGNATURE}")
