from webhook_service.store.queue.turns import Room, deal


def test_projects_take_turns_however_long_their_queues_are() -> None:
    queues = {"a": ["a1", "a2", "a3", "a4"], "b": ["b1"], "c": ["c1", "c2"]}
    assert deal(queues, Room(5)) == ["a1", "b1", "c1", "a2", "c2"]


def test_one_project_alone_gets_all_but_the_reserve() -> None:
    queues = {"a": [f"a{number}" for number in range(10)]}
    assert len(deal(queues, Room(8, reserved=2))) == 6


def test_the_reserve_is_for_projects_that_run_nothing() -> None:
    queues = {"a": ["a1", "a2"], "b": ["b1", "b2"], "c": ["c1", "c2"]}
    assert deal(queues, Room(2, reserved=2, running={"a": 6})) == ["b1", "c1"]


def test_a_full_room_takes_nothing() -> None:
    assert deal({"a": ["a1"]}, Room(0)) == []
    assert deal({"a": ["a1"]}, Room(-1, reserved=2)) == []
