from webhook_service.engine.backoff import PAUSES, pause_after


def test_pauses_grow_with_jitter_and_end() -> None:
    for retries, pause in enumerate(PAUSES):
        found = [pause_after(retries) for _ in range(50)]
        assert all(value is not None and 0 <= value <= pause for value in found)
        assert len(set(found)) > 1
    assert pause_after(len(PAUSES)) is None


def test_a_server_that_asks_for_time_gets_it() -> None:
    assert pause_after(0, at_least=120) == 120
