import socket

import pytest

from webhook_service.errors import SettingsError
from webhook_service.net.listener import bind, bind_all


def test_those_that_share_an_address_have_one_port_and_all_are_called() -> None:
    listeners = bind_all("127.0.0.1", 0, 3)
    (port,) = {each.getsockname()[1] for each in listeners}
    for each in listeners:
        each.listen()
        each.setblocking(False)
    callers = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(64)]
    taken = [_taken(each) for each in listeners]
    for each in (*listeners, *callers):
        each.close()
    assert sum(taken) == 64 and all(taken)


def _taken(listener: socket.socket) -> int:
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("shared", [False, True])
def test_an_address_where_somebody_serves_is_refused(shared: bool) -> None:
    with bind("127.0.0.1", 0, shared=shared) as other:
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port} cannot be served on"):
            bind_all("127.0.0.1", port, 2)
