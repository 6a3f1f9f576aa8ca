import pytest

from webhook_service.host.http.prefer import Preferences, read_preferences


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Preferences()),
        (["wait=30"], Preferences(30)),
        (["WAIT = 30"], Preferences(30)),
        (['wait="30"'], Preferences(30)),
        (["respond-async, wait=10"], Preferences(10, True)),
        (["respond-async", "wait=10"], Preferences(10, True)),
        (["wait=10; foo=bar, wait=20"], Preferences(10)),
        (["return=minimal, handling=lenient"], Preferences()),
        (["wait", "wait=", "wait=soon", "wait=-1", "wait=1.5"], Preferences()),
        (["wait=" + "9" * 5000], Preferences()),
        (["wait=\u0663"], Preferences()),
        ([",;=,,"], Preferences()),
    ],
)
def test_what_a_caller_prefers_is_understood_or_ignored(
    values: list[str], expected: Preferences
) -> None:
    assert read_preferences(values) == expected
