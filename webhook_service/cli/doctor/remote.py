"""Looks at a service elsewhere: address, certificate, token, clock, plug-ins, receivers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webhook_service.cli.connection.connect import open_remote
from webhook_service.cli.connection.contexts import Remote
from webhook_service.cli.doctor.finding import Report, broken, doubtful, good, looking

MAX_DRIFT = 5.0


def look_there(remote: Remote, report: Report) -> None:
    """Look at a service with what its API tells the owner of the token."""
    from webhook_service.client.exchange import Sent, path_to

    with looking("server", report), open_remote(remote) as opened:
        answer = opened.client.send(Sent("GET", path_to("projects"), repeatable=True))
        report(good("server", f"{remote.server} answers."))
        with looking("token", report):
            project = opened.client.project()
            report(good("token", f"It is valid, for the project {project.id}."))
            if said := answer.headers.get("date"):
                drift = abs((datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds())
                if drift > MAX_DRIFT:
                    told = f"This machine and the server are {drift:.0f} s apart: let NTP set both."
                    report(doubtful("clock", told))
            plugins = opened.client.plugins
            for plugin in (*plugins.drivers(), *plugins.formats(), *plugins.schemes()):
                if plugin.error:
                    judge = broken if plugin.state == "broken" else doubtful
                    report(judge(f"plug-in {plugin.name}", plugin.error))
            for receiver in opened.client.receivers.list():
                if receiver.problem:
                    report(broken(f"receiver {receiver.name}", receiver.problem))
