"""Examples: what ``--help`` of each command shows at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import typer
from typer.models import CommandInfo

PROGRAM = "webhook-service"
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "serve": ("serve --migrate", "serve --listen 0.0.0.0:8085 --processes 2"),
    "worker": ("worker --concurrency 4",),
    "migrate": ("migrate", "migrate --check"),
    "backup": ("backup /backups/webhook-service.db --passphrase @phrase",),
    "restore": ("restore /backups/webhook-service.db --passphrase @phrase",),
    "prune": ("prune",),
    "doctor": ("doctor", "--context work doctor"),
    "send": (
        "send --image acme/shop:1.2.3 @url --wait 300",
        "send --format harbor --image harbor.example.com/acme/shop:1.2.3 - < url",
    ),
    "demo": ("demo", "demo --once"),
    "rollback": ("rollback shop -p shop", "rollback shop -p shop --to acme/shop:1.2.2"),
    "operator run": ("operator run", "operator run --interval 30 --liveness 0.0.0.0:8086"),
    "operator definition": ("operator definition",),
    "context add": ("context add work --server https://hooks.example.com --token @token",),
    "context use": ("context use work", "context use local"),
    "context list": ("context list",),
    "context remove": ("context remove work",),
    "project list": ("project list",),
    "project hold": ("project hold -p shop --why 'incident 42' --name incident-42",),
    "project holds": ("project holds -p shop",),
    "project release": ("project release -p shop incident-42",),
    "receiver create": (
        "receiver create -p shop --name shop --driver deploymentUpdate "
        """--config '{"namespace": "shop", "name": "shop"}' """
        "--repository acme/shop --tag-policy semver --tag '^1.2' --verify none",
        "receiver create -p shop -f receiver.json",
        "receiver create -p shop --name cart --driver deploymentUpdate "
        """--config '{"namespace": "shop", "name": "cart"}' """
        "--repository acme/cart --inbox harbor",
    ),
    "receiver list": ("receiver list -p shop", "receiver list -p shop -o wide --watch"),
    "receiver show": ("receiver show shop -p shop", "receiver show shop -p shop -o yaml"),
    "receiver update": (
        "receiver update shop -p shop --tag '^2'",
        "receiver update shop -p shop --label team=shop --label tier-",
    ),
    "receiver delete": ("receiver delete shop -p shop",),
    "receiver rotate": ("receiver rotate shop -p shop --overlap 2",),
    "receiver suspend": ("receiver suspend shop -p shop",),
    "receiver resume": ("receiver resume shop -p shop",),
    "receiver simulate": ("receiver simulate shop -p shop -f push.json",),
    "receiver history": ("receiver history shop -p shop",),
    "receiver apply": (
        "receiver apply -p shop -f receivers/ --dry-run",
        "receiver apply -p shop -f receivers/ --prune --label team=shop",
        "receiver apply -p shop -f - < receivers.yaml",
    ),
    "receiver export": ("receiver export -p shop > receivers.yaml", "receiver export shop -p shop"),
    "receiver import": ("receiver import receivers.json -p shop --map 1s7=shop/web --dry-run",),
    "inbox create": (
        "inbox create -p shop --name harbor --format harbor --verify header",
        "inbox create -p shop -f inbox.json",
    ),
    "inbox list": ("inbox list -p shop", "inbox list -p shop -o wide"),
    "inbox show": ("inbox show harbor -p shop",),
    "inbox update": ("inbox update harbor -p shop --verify @verify.json",),
    "inbox delete": ("inbox delete harbor -p shop",),
    "inbox rotate": ("inbox rotate harbor -p shop --overlap 2",),
    "inbox simulate": ("inbox simulate harbor -p shop -f push.json",),
    "delivery list": (
        "delivery list -p shop --receiver shop --state refused",
        "delivery list -p shop --inbox harbor",
    ),
    "delivery show": ("delivery show dlv_01a2160fa6ed -p shop",),
    "execution list": (
        "execution list -p shop --receiver shop",
        "execution list -p shop --state failed -o name",
    ),
    "execution show": ("execution show exe_01a2160fa6ed -p shop",),
    "execution held": ("execution held -p shop --watch",),
    "execution replay": (
        "execution replay exe_01a2160fa6ed -p shop",
        "execution replay -p shop --state failed --since 2h --dry-run",
    ),
    "execution cancel": ("execution cancel exe_01a2160fa6ed -p shop",),
    "execution abort": ("execution abort exe_01a2160fa6ed -p shop",),
    "execution approve": ("execution approve exe_01a2160fa6ed -p shop",),
    "execution refuse": ("execution refuse exe_01a2160fa6ed -p shop",),
    "execution release": ("execution release exe_01a2160fa6ed -p shop",),
    "execution logs": ("execution logs -f exe_01a2160fa6ed -p shop",),
    "execution wait": ("execution wait exe_01a2160fa6ed -p shop --timeout 300",),
    "notification create": (
        "notification create -p shop --name ops --kind slack --on failed --on rolledBack "
        "--config @slack.json",
        "notification create -p shop -f notification.json",
    ),
    "notification list": ("notification list -p shop",),
    "notification show": ("notification show ops -p shop",),
    "notification update": ("notification update ops -p shop --on failed --on held",),
    "notification delete": ("notification delete ops -p shop",),
    "notification test": ("notification test ops -p shop",),
    "notification notices": ("notification notices ops -p shop --state failed",),
    "notification replay": ("notification replay ops exe_01a2160fa6ed -p shop",),
    "audit list": ("audit list -p shop --since 3d", "audit list -p shop --receiver shop -o json"),
    "driver list": ("driver list",),
    "driver show": ("driver show deploymentUpdate",),
    "driver schema": ("driver schema deploymentUpdate",),
    "driver new": ("driver new greetTeam --into plugins",),
    "format list": ("format list",),
    "format show": ("format show harbor",),
    "format detect": ("format detect -f push.json",),
    "format new": ("format new myRegistry --into plugins",),
    "scheme list": ("scheme list",),
    "scheme show": ("scheme show standardWebhooks",),
    "scheme new": ("scheme new myProof --into plugins",),
    "token create": ("token create -p shop --role member --name ci --expires 90d",),
    "token list": ("token list", "token list -p shop"),
    "token revoke": ("token revoke tok_01a2160fa6ed -p shop",),
    "console link": ("console link -p shop --role member --name ada",),
    "secret-key rotate": ("secret-key rotate",),
}


def add_examples(app: typer.Typer) -> None:
    """Let the help of each command end with its examples."""
    for path, command in commands_of(app):
        if found := EXAMPLES.get(path):
            lines = "\n".join(f"  {PROGRAM} {example}" for example in found)
            # Without this mark the lines would be one paragraph.
            command.epilog = f"\b\nExamples:\n{lines}"


def commands_of(app: typer.Typer, before: str = "") -> Iterator[tuple[str, CommandInfo]]:
    """All commands below an application, by what is typed for them."""
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        yield f"{before}{name}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from commands_of(group.typer_instance, f"{before}{group.name} ")
