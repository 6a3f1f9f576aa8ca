import pytest

from tests.store.builders import accept, add_receiver, work
from tests.support import PROJECT
from webhook_service.errors import InvalidRequest, NotFound
from webhook_service.model.pages import PageRequest
from webhook_service.store.store import Store


def test_a_foreign_delivery_or_execution_answers_like_an_unknown_one(store: Store) -> None:
    receiver, _ = add_receiver(store)
    delivery = accept(store, receiver, work())
    for project, id_ in (("other", delivery.id), (PROJECT, "dlv_unknown")):
        with pytest.raises(NotFound, match="^Delivery not found$"):
            store.deliveries.get(project, id_)
    for project, id_ in (("other", delivery.executions[0]), (PROJECT, "exe_unknown")):
        with pytest.raises(NotFound, match="^Execution not found$"):
            store.executions.get(project, id_)
    assert store.deliveries.page("other", PageRequest()).items == ()
    assert store.executions.page("other", PageRequest()).items == ()


def test_pages_are_newest_first_and_continue_without_gaps(store: Store) -> None:
    receiver, _ = add_receiver(store)
    sent = [accept(store, receiver, work(slot=str(number))).id for number in range(5)]
    found: list[str] = []
    marker: str | None = None
    while True:
        page = store.deliveries.page(PROJECT, PageRequest(limit=2, marker=marker))
        found += [delivery.id for delivery in page.items]
        if (marker := page.next) is None:
            break
    assert found == sent[::-1]


def test_pages_are_filtered_by_field(store: Store) -> None:
    (first, _), (second, _) = add_receiver(store, "a"), add_receiver(store, "b")
    accept(store, first, work(slot="a"))
    accept(store, second, work(slot="b"))
    page = store.executions.page(PROJECT, PageRequest(filters={"receiver": first}))
    assert [execution.receiver for execution in page.items] == [first]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"filters": {"body": "x"}}, "Cannot filter by 'body'"),
        ({"marker": "x"}, "marker"),
        ({"marker": "9" * 30}, "marker"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
    ],
)
def test_a_page_that_cannot_be_given_is_refused(
    store: Store, values: dict[str, object], text: str
) -> None:
    with pytest.raises(InvalidRequest, match=text):
        store.deliveries.page(PROJECT, PageRequest(**values))  # type: ignore[arg-type]
