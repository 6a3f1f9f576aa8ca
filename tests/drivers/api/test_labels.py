"""v1.6's way to choose by labels."""

import pytest

from webhook_drivers.kubernetes.api.labels import matches

LABELS = {"App": "Shop", "tier": "web"}


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"app": "shop"}, True),
        ({"APP": "SHOP", "Tier": "WEB"}, True),
        ({"app": ""}, True),
        ({"app": "shop", "tier": "back"}, False),
        ({"app": "sho"}, False),
        ({"team": ""}, False),
    ],
)
def test_every_pair_must_match_and_case_does_not_count(wanted: dict[str, str], fits: bool) -> None:
    assert matches(LABELS, wanted) is fits


def test_an_object_without_labels_matches_nothing() -> None:
    assert not matches({}, {"app": ""})
