"""Settings: tokens, plug-ins, clusters that do not answer, and who did what."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook_service.console.clusters import ClusterState, cluster_states
from webhook_service.console.commands import Command, cli
from webhook_service.console.site import Site
from webhook_service.errors import NotFound
from webhook_service.host.api.callers.access import Action
from webhook_service.model.pages import PageRequest
from webhook_service.model.people.tokens import Token

MAX_RECEIVERS = 1000


class SettingsPage:
    """``/settings``."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route("/settings", self.show, methods=["GET"]),
            Route("/settings/tokens/{id}/revoke", self.revoke, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The tokens for owners, the plug-ins, the project's clusters, and the audit."""
        visitor = await self._site.enter(request)
        service, project = self._site.service, visitor.project
        tokens: tuple[Token, ...] = ()
        if visitor.may(Action.MANAGE_TOKENS):
            tokens = tuple(await self._site.call(service.list_tokens, project))
        plugins = await self._site.call(
            lambda: [
                (kind, plugin)
                for kind, known in (
                    ("driver", service.drivers.plugins),
                    ("format", service.formats.plugins),
                    ("scheme", service.schemes.plugins),
                )
                for plugin in known
            ]
        )
        audit = await self._site.call(service.list_audit, project, PageRequest(limit=50))
        state = "--state=retrying"
        make = cli("token", "create", "--role", "member", "--expires", "90d", project=project)
        return await self._site.page(
            request,
            visitor,
            "settings.html",
            tokens=[token for token in tokens if token.revoked is None],
            plugins=sorted(plugins, key=lambda found: (found[1].state == "ready", found[0])),
            clusters=await self._site.call(self._clusters, project),
            audit=audit.items,
            people=await self._site.people(visitor),
            commands=[
                Command("Make a token", make, Action.MANAGE_TOKENS),
                Command("What is tried again", cli("execution", "list", state, project=project)),
                Command("The whole audit", cli("audit", "list", project=project)),
            ],
        )

    def _clusters(self, project: str) -> list[ClusterState]:
        """Those of the project's own receivers: what others deploy to, and wait for, is theirs."""
        service = self._site.service
        receivers = service.list_receivers(project, PageRequest(limit=MAX_RECEIVERS)).items
        return cluster_states(receivers, service.overview.outages(project))

    async def revoke(self, request: Request) -> Response:
        """End a token of the project, and the sessions that it opened."""
        visitor = await self._site.enter(request, Action.MANAGE_TOKENS)
        service, id_ = self._site.service, str(request.path_params["id"])
        mine = await self._site.call(service.list_tokens, visitor.project)
        if id_ not in {token.id for token in mine}:
            raise NotFound("There is no such token in this project.")
        await self._site.call(service.revoke_token, id_, by=visitor.actor)
        return self._site.go(visitor, "/settings", "revoked")
