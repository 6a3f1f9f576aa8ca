import pytest
from pydantic import ValidationError

from tests.schemes.cases import refusal
from webhook_service.model.delivery import Call
from webhook_service.schemes.basic import Basic, BasicOptions

# RFC 7617, sections 2 and 2.1.
ALADDIN = {"user": "Aladdin", "password": "open sesame"}
TEST = {"user": "test", "password": "123£"}


@pytest.mark.parametrize(
    ("verify", "value", "passes"),
    [
        (ALADDIN, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", True),
        (ALADDIN, "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", True),
        (TEST, "Basic dGVzdDoxMjPCow==", True),
        (ALADDIN, "Basic dGVzdDoxMjPCow==", False),
        (ALADDIN, "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", False),
        (ALADDIN, "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", False),
        (ALADDIN, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ", False),
        (ALADDIN, "Basic Aladdin:open sesame", False),
        (ALADDIN, "Basic QWxhZGRpbjo=", False),
        (ALADDIN, "Basic Om9wZW4gc2VzYW1l", False),
    ],
)
def test_user_and_password_have_to_be_right(
    verify: dict[str, str], value: str, passes: bool
) -> None:
    call = Call(b"{}", {"authorization": value})
    assert (refusal(Basic(), call, BasicOptions.model_validate(verify)) is None) == passes


def test_a_password_may_have_a_colon_and_a_user_may_not() -> None:
    options = BasicOptions.model_validate({"user": "a", "password": "b:c"})
    assert refusal(Basic(), Call(b"", {"authorization": "Basic YTpiOmM="}), options) is None
    with pytest.raises(ValidationError):
        BasicOptions.model_validate({"user": "a:b", "password": "c"})
