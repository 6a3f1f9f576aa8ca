"""Projects take turns, and none takes all of an engine."""

from tests.store.builders import accept, add_receiver, work
from tests.store.queue.claiming import DONE, claim_one
from tests.support import PROJECT
from webhook_service.store.queue.queue import Queue
from webhook_service.store.store import Store

OTHER = "2b6"


def test_projects_take_turns(store: Store) -> None:
    flood, _ = add_receiver(store)
    quiet, _ = add_receiver(store, project=OTHER)
    accept(store, flood, *[work(slot=f"a{number}") for number in range(50)])
    accept(store, quiet, work(slot="b"), project=OTHER)
    taken = [claim.execution.project for claim in store.claims.claim(4)]
    assert taken.count(OTHER) == 1


def test_turns_go_round_over_more_projects_than_are_claimed_at_once(store: Store) -> None:
    projects = [f"p{number}" for number in range(7)]
    for project in projects:
        receiver, _ = add_receiver(store, project=project)
        works = [work(slot=f"{project}-{number}") for number in range(3)]
        accept(store, receiver, *works, project=project)
    taken = [claim.execution.project for _ in range(7) for claim in store.claims.claim(1)]
    assert taken == projects


def test_a_project_leaves_the_reserve_to_others(store: Store) -> None:
    flood, _ = add_receiver(store)
    accept(store, flood, *[work(slot=f"a{number}") for number in range(9)])
    assert len(store.claims.claim(8, {}, 2)) == 6
    assert store.claims.claim(2, {PROJECT: 6}, 2) == []
    quiet, _ = add_receiver(store, project=OTHER)
    accept(store, quiet, work(slot="b"), project=OTHER)
    (claim,) = store.claims.claim(2, {PROJECT: 6}, 2)
    assert claim.execution.project == OTHER


def test_a_project_with_nothing_ready_takes_nobodys_turn(store: Store, queue: Queue) -> None:
    for project in ("b", "a", "c"):
        receiver, _ = add_receiver(store, project=project)
        accept(store, receiver, work(), project=project)
        if project == "b":
            store.claims.record(claim_one(store), DONE)
    assert {claim.execution.project for claim in queue.claim(2)} == {"a", "c"}


def test_a_project_that_gets_no_place_takes_nobodys_turn(store: Store) -> None:
    for project in ("a", "b", "c"):
        receiver, _ = add_receiver(store, project=project)
        accept(store, receiver, work(), project=project)
    claims = store.claims.claim(2, {"a": 6}, 2)
    assert {claim.execution.project for claim in claims} == {"b", "c"}
