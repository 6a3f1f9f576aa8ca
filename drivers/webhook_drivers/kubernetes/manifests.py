"""``python -m webhook_drivers.kubernetes.manifests``: what to apply in a cluster for the drivers.

``roles`` prints a Role for each driver and strategy that is named, or for all; ``policy`` prints
the policy that restricts what an account may change. The output is JSON, for
``kubectl apply -f -``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points

from webhook_drivers.kubernetes.api.admission import policy
from webhook_drivers.kubernetes.api.resources import Json
from webhook_drivers.kubernetes.api.rights import Right, role
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdate
from webhook_drivers.kubernetes.strategies import STRATEGIES

GROUP = "webhook_service.drivers"
# A namespace is a DNS label, the name of a ServiceAccount a DNS subdomain.
ACCOUNT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?:[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


def roles(names: Sequence[str] = ()) -> list[Json]:
    """The Roles of these drivers and strategies; without names, of all of this package.

    A strategy has a Role if it needs more than ``deploymentUpdate`` has: bind it beside that one.

    Raises:
        KeyError: there is no such driver, and no such strategy with a Role.
    """
    found = _rights()
    return [role(_role_name(name), found[name]) for name in names or found]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m webhook_drivers.kubernetes.manifests")
    commands = parser.add_subparsers(dest="command", required=True)
    for_roles = commands.add_parser("roles", help="the Role of each driver, and of strategies")
    for_roles.add_argument("names", nargs="*", help="only of these; without any, of all")
    for_policy = commands.add_parser("policy", help="what an account may change")
    for_policy.add_argument(
        "--account",
        action="append",
        required=True,
        type=_account,
        help="namespace:name, a ServiceAccount; may be said several times",
    )
    said = parser.parse_args(arguments)
    if said.command == "policy":
        return _print(policy(said.account))
    try:
        return _print(roles(said.names))
    except KeyError as error:
        known = ", ".join(_rights())
        print(f"There is no Role of {error.args[0]}; these have one: {known}.", file=sys.stderr)
        return 2


def _rights() -> Mapping[str, Sequence[Right]]:
    """What each driver and strategy needs, by its name in configs."""
    drivers = {
        point.name: point.load().rights
        for point in entry_points(group=GROUP)
        if point.module.startswith("webhook_drivers.")
    }
    base = set(DeploymentUpdate.rights)
    more = {name: each.rights for name, each in STRATEGIES.items() if set(each.rights) - base}
    return {name: drivers[name] for name in sorted(drivers)} | more


def _account(said: str) -> str:
    """The name under which a ServiceAccount calls the API."""
    if not ACCOUNT.fullmatch(said):
        raise argparse.ArgumentTypeError(f"{said} is not namespace:name of a ServiceAccount")
    return f"system:serviceaccount:{said}"


def _role_name(name: str) -> str:
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
    return f"webhook-service-{words}"


def _print(items: Iterable[Json]) -> int:
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
