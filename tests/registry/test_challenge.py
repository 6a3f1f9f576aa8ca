import pytest

from webhook_service.registry.challenge import Challenge, read_challenges

REALM = "https://auth.example/token"


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a, b=c"', [("basic", {"realm": "a, b=c"})]),
        (
            f'Bearer realm="{REALM}",service="s",scope="repository:a/b:pull,push"',
            [("bearer", {"realm": REALM, "service": "s", "scope": "repository:a/b:pull,push"})],
        ),
        (
            f'BEARER Realm="{REALM}" , Service=s',
            [("bearer", {"realm": REALM, "service": "s"})],
        ),
        (
            f'Basic realm="x", Bearer realm="{REALM}"',
            [("basic", {"realm": "x"}), ("bearer", {"realm": REALM})],
        ),
        (r'Basic realm="say \"hi\""', [("basic", {"realm": 'say "hi"'})]),
        ('Bearer realm="a", realm="b"', [("bearer", {"realm": "a"})]),
        ('realm="a"', []),
        ("Bearer realm=", [("bearer", {"realm": ""})]),
    ],
)
def test_header_reads_as_challenges(
    header: str, challenges: list[tuple[str, dict[str, str]]]
) -> None:
    expected = tuple(Challenge(scheme, parameters) for scheme, parameters in challenges)
    assert read_challenges(header) == expected


@pytest.mark.parametrize(
    "header",
    ['Bearer realm="' + "\\" * 100_000, "a=" * 100_000, '"' * 100_000, " ," * 100_000],
    ids=["open quote", "equals", "quotes", "commas"],
)
def test_hostile_header_is_read_at_once(header: str) -> None:
    assert len(read_challenges(header)) < 10
