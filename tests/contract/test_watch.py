from tests.contract.client import MERGE, Client
from tests.contract.manifests import configmap, configmaps


def test_a_watch_follows_a_list_without_a_gap(client: Client, namespace: str) -> None:
    path = configmaps(namespace)
    version = client.ok("GET", path)["metadata"]["resourceVersion"]
    client.ok("POST", path, configmap("one", a="1"))
    with client.watch(path, resourceVersion=version, labelSelector="a") as events:
        added = next(events)
        client.ok("PATCH", f"{path}/one", {"data": {"key": "other"}}, MERGE)
        modified = next(events)
        client.ok("DELETE", f"{path}/one")
        deleted = next(events)
    assert [event["type"] for event in (added, modified, deleted)] == [
        "ADDED",
        "MODIFIED",
        "DELETED",
    ]
    assert modified["object"]["data"] == {"key": "other"}
    versions = [
        int(event["object"]["metadata"]["resourceVersion"]) for event in (added, modified, deleted)
    ]
    assert versions == sorted(set(versions))
    assert added["object"]["kind"] == "ConfigMap"


def test_a_watch_without_a_version_begins_with_what_is_there(
    client: Client, namespace: str
) -> None:
    path = configmaps(namespace)
    client.ok("POST", path, configmap("one", a="1"))
    with client.watch(path, labelSelector="a") as events:
        first = next(events)
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "one")


def test_an_object_that_loses_its_label_is_deleted_for_the_watcher(
    client: Client, namespace: str
) -> None:
    path = configmaps(namespace)
    made = client.ok("POST", path, configmap("one", a="1"))
    version = made["metadata"]["resourceVersion"]
    with client.watch(path, resourceVersion=version, labelSelector="a=1") as events:
        client.ok("PATCH", f"{path}/one", {"metadata": {"labels": {"a": "2"}}}, MERGE)
        lost = next(events)
        client.ok("PATCH", f"{path}/one", {"metadata": {"labels": {"a": "1"}}}, MERGE)
        found = next(events)
    assert (lost["type"], found["type"]) == ("DELETED", "ADDED")


def test_a_watch_of_one_name_sees_only_it(client: Client, namespace: str) -> None:
    path = configmaps(namespace)
    version = client.ok("GET", path)["metadata"]["resourceVersion"]
    selector = "metadata.name=two"
    with client.watch(path, resourceVersion=version, fieldSelector=selector) as events:
        client.ok("POST", path, configmap("one"))
        client.ok("POST", path, configmap("two"))
        assert next(events)["object"]["metadata"]["name"] == "two"


def test_a_watch_ends_when_its_time_is_up(client: Client, namespace: str) -> None:
    path = configmaps(namespace)
    version = client.ok("GET", path)["metadata"]["resourceVersion"]
    with client.watch(path, resourceVersion=version, timeoutSeconds=1) as events:
        assert list(events) == []


def test_a_bookmark_says_before_the_end_from_where_to_go_on(client: Client, namespace: str) -> None:
    path = configmaps(namespace)
    version = client.ok("GET", path)["metadata"]["resourceVersion"]
    asked = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": 5}
    with client.watch(path, **asked) as events:
        client.ok("POST", path, configmap("one"))
        seen = list(events)
    assert [event["type"] for event in seen][0] == "ADDED"
    last = seen[-1]
    assert last["type"] == "BOOKMARK" and last["object"]["kind"] == "ConfigMap"
    version = last["object"]["metadata"]["resourceVersion"]
    with client.watch(path, resourceVersion=version, timeoutSeconds=1) as events:
        assert list(events) == []


def test_a_watch_of_a_broken_version_is_refused(client: Client, namespace: str) -> None:
    query = {"watch": "true", "resourceVersion": "abc"}
    answer = client.send("GET", configmaps(namespace), query=query)
    assert answer.code >= 400
