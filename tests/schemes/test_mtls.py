from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.host.served import serving
from tests.schemes.cases import BODY, refusal
from tests.support import PROJECT, add_receiver, make_service, sqlite_url
from webhook_service.model.delivery import Call
from webhook_service.schemes.mtls import Mtls, MtlsOptions

NAME = "CN=registry,O=Acme"
NAMED = {"ssl-client-subject-dn": NAME}
VERIFIED = {**NAMED, "ssl-client-verify": "SUCCESS"}


def _passes(headers: dict[str, str], through_proxy: bool = True, **more: Any) -> bool:
    options = MtlsOptions.model_validate({"clients": [NAME], **more})
    call = Call(b"", headers, {}, "192.0.2.7", through_proxy)
    return refusal(Mtls(), call, options) is None


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        (VERIFIED, True),
        (NAMED, False),
        ({**NAMED, "ssl-client-verify": "FAILED:self signed certificate"}, False),
        ({**NAMED, "ssl-client-verify": "NONE"}, False),
        ({**VERIFIED, "ssl-client-subject-dn": "CN=registry"}, False),
        ({**VERIFIED, "ssl-client-subject-dn": f"{NAME}, {NAME}"}, False),
        ({**VERIFIED, "ssl-client-subject-dn": f"{NAME},CN=x"}, False),
    ],
)
def test_a_verified_and_listed_client_passes(headers: dict[str, str], passes: bool) -> None:
    assert _passes(headers) == passes


def test_headers_of_a_caller_that_is_no_trusted_proxy_are_not_believed() -> None:
    assert not _passes(VERIFIED, through_proxy=False)


def test_a_proxy_that_refuses_invalid_certificates_needs_no_verdict() -> None:
    assert _passes(NAMED, verifiedHeader=None)
    fingerprint = {"x-fingerprint": "ab:cd"}
    assert _passes(fingerprint, clients=["ab:cd"], header="X-Fingerprint", verifiedHeader=None)


@pytest.mark.parametrize(
    "more", [{"clients": []}, {"clients": [""]}, {"clients": ["\ud800"]}, {"verifiedValue": ""}]
)
def test_a_config_that_cannot_name_a_client_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MtlsOptions.model_validate({"clients": [NAME], **more})


@pytest.mark.parametrize(("proxies", "status"), [(("127.0.0.0/8",), 200), ((), 401)])
def test_the_host_says_whether_a_trusted_proxy_handed_the_call_over(
    tmp_path: Path, proxies: tuple[str, ...], status: int
) -> None:
    service = make_service(sqlite_url(tmp_path))
    service.schemes.add("mtls", Mtls)
    networks = [ip_network(text) for text in proxies]
    with serving(service, trusted_proxies=networks) as served, served.client(None) as caller:
        _, key = add_receiver(service, verify={"scheme": "mtls", "clients": [NAME]})
        query = {"key": key, "projectId": PROJECT}
        answer = caller.post("/v1-webhooks/endpoint", params=query, content=BODY, headers=VERIFIED)
    assert answer.status_code == status
