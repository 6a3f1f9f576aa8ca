import pytest

from webhook_drivers.kubernetes.api.grants import Grants
from webhook_service import DriverError

GRANTS = Grants(
    {"red": ["shop", "red-*"], "blue": ["prod/shop", "stage-*/*"], "*": ["sandbox"]},
)


@pytest.mark.parametrize(
    ("project", "cluster", "namespace", "allowed"),
    [
        ("red", "prod", "shop", True),
        ("red", "any", "red-1", True),
        ("red", "prod", "sandbox", True),
        ("red", "prod", "blue", False),
        ("red", "prod", "kube-system", False),
        ("blue", "prod", "shop", True),
        ("blue", "stage-2", "anything", True),
        ("blue", "stage-2", "kube-system", True),
        ("blue", "test", "shop", False),
        ("green", "prod", "sandbox", True),
        ("green", "prod", "shop", False),
        ("", "prod", "shop", False),
        ("*", "prod", "shop", False),
    ],
)
def test_a_project_touches_what_it_was_granted(
    project: str, cluster: str, namespace: str, allowed: bool
) -> None:
    grant = GRANTS.of(project, cluster, shared=True, default=True)
    assert grant.allows(namespace) is allowed


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_without_grants_a_lone_project_touches_all_but_the_systems_namespaces(
    namespace: str,
) -> None:
    for default in (True, False):
        grant = Grants().of("red", "prod", shared=False, default=default)
        assert grant.allows("shop") and grant.allows("red")
        assert not grant.allows(namespace)


@pytest.mark.parametrize("project", ["red", "*", "r*", "[r]ed", ""])
@pytest.mark.parametrize("namespace", ["red", "shop", "kube-system", ""])
def test_without_grants_a_project_among_others_touches_the_namespace_of_its_name(
    project: str, namespace: str
) -> None:
    grant = Grants().of(project, "default", shared=True, default=True)
    assert grant.allows(namespace) is (namespace == project)
    assert not Grants().of(project, "prod", shared=True, default=False).allows(namespace)


def test_a_project_that_is_named_like_a_namespace_of_kubernetes_does_not_get_it() -> None:
    assert (
        not Grants().of("kube-system", "default", shared=True, default=True).allows("kube-system")
    )


def test_a_refusal_says_who_can_grant_it_and_how() -> None:
    expected = (
        r"Project red may not touch namespace blue.*operator.*"
        r'"prod/blue" to the project\'s list in WEBHOOK_SERVICE_NAMESPACES'
    )
    with pytest.raises(DriverError, match=expected):
        GRANTS.of("red", "prod", shared=False, default=True).require("blue")
    assert (
        Grants({"red": ["prod/blue"]}).of("red", "prod", shared=True, default=False).allows("blue")
    )
