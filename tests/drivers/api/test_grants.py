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
    assert GRANTS.allows(project, cluster, namespace) is allowed


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "kube-node-lease"])
def test_without_grants_only_the_systems_namespaces_are_closed(namespace: str) -> None:
    assert Grants().allows("red", "prod", "shop")
    assert not Grants().allows("red", "prod", namespace)


def test_a_refusal_says_who_can_grant_it() -> None:
    with pytest.raises(DriverError, match=r"Project red may not touch namespace blue.*operator"):
        GRANTS.require("red", "prod", "blue")
