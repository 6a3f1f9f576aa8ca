from webhook_service.store.queue.capacity import Capacity


def test_projects_take_turns_however_long_their_queues_are() -> None:
    queues = {"a": ["a1", "a2", "a3", "a4"], "b": ["b1"], "c": ["c1", "c2"]}
    assert Capacity(5).share(queues) == ["a1", "b1", "c1", "a2", "c2"]


def test_one_project_alone_gets_all_but_the_reserve() -> None:
    queues = {"a": [f"a{number}" for number in range(10)]}
    assert len(Capacity(8, reserved=2).share(queues)) == 6


def test_the_reserve_is_for_projects_that_run_nothing() -> None:
    queues = {"a": ["a1", "a2"], "b": ["b1", "b2"], "c": ["c1", "c2"]}
    assert Capacity(2, reserved=2, running={"a": 6}).share(queues) == ["b1", "c1"]


def test_nothing_is_shared_where_nothing_is_free() -> None:
    assert Capacity(0).share({"a": ["a1"]}) == []
    assert Capacity(-1, reserved=2).share({"a": ["a1"]}) == []
