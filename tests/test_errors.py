"""What is said of the exceptions of libraries."""

import errno
import socket
import ssl

import pytest

from webhook_service import fault_of

S = "hunter2-hunter2"


class LibraryError(Exception):
    """Wraps what it is about in an argument, as urllib3 does."""


def raised(exc: BaseException, cause: BaseException | None = None) -> BaseException:
    exc.__cause__ = cause
    return exc


@pytest.mark.parametrize(
    ("exc", "said"),
    [
        (ValueError(f"Invalid header value b'Bearer {S}'"), "ValueError"),
        (OSError(errno.EACCES, S), "PermissionError: Permission denied"),
        (raised(LibraryError(S), OSError(errno.EIO, S)), "LibraryError: Input/output error"),
        (LibraryError(S, OSError(errno.EPIPE, S)), "LibraryError: Broken pipe"),
        (socket.gaierror(-2, S), "gaierror: the name is not known"),
        (ssl.SSLError(1, f"[SSL] {S}"), "SSLError"),
        (OSError(S), "OSError"),
    ],
)
def test_a_fault_is_named_without_its_text(exc: BaseException, said: str) -> None:
    assert fault_of(exc) == said
    assert S not in fault_of(exc)


def test_a_circle_of_causes_ends() -> None:
    exc = ValueError(S)
    exc.__context__ = KeyError()
    exc.__context__.__context__ = exc
    assert fault_of(exc) == "ValueError"
