import pytest
from pydantic import ValidationError

from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.address import AddressOptions, SenderAddress

OPTIONS = AddressOptions.model_validate(
    {"networks": ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"]}
)


@pytest.mark.parametrize(
    ("client", "passes"),
    [
        ("192.0.2.7", True),
        ("198.51.100.255", True),
        ("::ffff:198.51.100.1", True),
        ("2001:db8:1::1", True),
        ("192.0.2.8", False),
        ("198.51.101.0", False),
        ("2001:db9::1", False),
        ("::c000:207", False),
        ("", False),
        ("localhost", False),
        ("192.0.2.7:80", False),
        ("192.0.2.7, 192.0.2.8", False),
        ("\ud800", False),
    ],
)
def test_only_listed_networks_pass(client: str, passes: bool) -> None:
    assert (refusal(SenderAddress(), Call(b"", {}, {}, client), OPTIONS) is None) == passes


def test_headers_of_the_caller_do_not_count() -> None:
    call = Call(b"", {"x-forwarded-for": "192.0.2.7", "x-real-ip": "192.0.2.7"}, {}, "203.0.113.9")
    assert refusal(SenderAddress(), call, OPTIONS)


@pytest.mark.parametrize("networks", [[], ["192.0.2.7/24"], ["registry.example"], "192.0.2.7"])
def test_what_is_no_list_of_networks_is_refused(networks: object) -> None:
    with pytest.raises(ValidationError):
        AddressOptions.model_validate({"networks": networks})
