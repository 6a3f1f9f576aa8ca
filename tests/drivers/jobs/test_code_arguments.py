"""Which arguments are code, found in command lines as people write them."""

import pytest

from webhook_drivers.kubernetes.jobs.code_arguments import code_arguments

IS_CODE = [
    ("", "-c CODE"),
    ("sh -c", "CODE"),
    ("sh", "-c CODE"),
    ("/bin/bash -ec", "CODE data"),
    ("/bin/bash", "-euxc CODE"),
    ("bash -lc", "CODE"),
    ("bash -ce", "CODE"),
    ("bash -ceuo pipefail", "CODE"),
    ("bash -o pipefail -c", "CODE"),
    ("sh -c -e", "CODE"),
    ("sh -c --", "CODE"),
    ("/usr/bin/env bash -c", "CODE"),
    ("/tini -- sh -c", "CODE"),
    ("timeout 60 sh -c", "CODE"),
    ("busybox sh -c", "CODE"),
    ("su deploy -c", "CODE"),
    ("", "sh -c CODE"),
    ("/entrypoint.sh", "-c CODE"),
    ("python -c", "CODE"),
    ("/usr/local/bin/python3.12 -Ic", "CODE"),
    ("psql -c", "CODE"),
    ("psql", "--command CODE"),
    ("psql", "--command=CODE"),
    ("node -e", "CODE"),
    ("node", "--eval=CODE"),
    ("node -p", "CODE"),
    ("", "-e CODE"),
    ("", "--eval CODE"),
    ("perl -lne", "CODE"),
    ("perl5.36 -E", "CODE"),
    ("ruby -e", "CODE"),
    ("php -r", "CODE"),
    ("mysql", "-Ne CODE"),
    ("deno eval", "CODE"),
    ("pwsh -Command", "CODE"),
    ("pwsh -c", "CODE"),
    ("cmd.exe /c", "CODE"),
    ("ssh host", "CODE"),
    ("watch", "CODE"),
    ("CODE", "data"),
]
IS_DATA = [
    ("", "--tag=DATA"),
    ("", "DATA"),
    ("/app/migrate", "--image=DATA up"),
    ("/app/migrate", "-e DATA"),
    ("/app/migrate", "-t DATA --env DATA"),
    ("sh -c script", "sh DATA"),
    ("sh -c", "script DATA"),
    ("bash -ceuo pipefail", "script DATA"),
    ("/bin/sh /scripts/run.sh", "DATA"),
    ("python -m app", "--config=DATA"),
    ("helm upgrade shop", "--set image.tag=DATA"),
    ("kubectl set image", "deployment/shop app=DATA"),
    ("/app/src", "-source DATA -docker DATA"),
    ("curl", "-fsS https://example.com/DATA"),
]


def found(command: str, args: str) -> set[str]:
    line = [*command.split(), *args.split()]
    return {line[place] for place in code_arguments(command.split(), args.split())}


@pytest.mark.parametrize(("command", "args"), IS_CODE)
def test_code_is_found(command: str, args: str) -> None:
    assert any("CODE" in word for word in found(command, args))


@pytest.mark.parametrize(("command", "args"), IS_DATA)
def test_data_is_no_code(command: str, args: str) -> None:
    assert not any("DATA" in word for word in found(command, args))


@pytest.mark.parametrize("args", ["-c{tag}", "-e{tag}", "-c$(TAG)", "--eval={tag}", "-lc{tag}"])
def test_code_may_begin_in_the_flags_own_word(args: str) -> None:
    assert found("", args) == {args}
