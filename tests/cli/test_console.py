"""``webhook-service console``: a link that logs in."""

from urllib.parse import parse_qs, urlsplit

from tests.cli.conftest import PROJECT, Run, RunJson
from webhook_service.model.people.tokens import Role
from webhook_service.service import WebhookService


def test_a_link_opens_a_session_of_a_token_that_ends_with_it(run_json: RunJson, run: Run) -> None:
    made = run_json("console", "link", "--role", "member", "--name", "ada")
    (link,) = parse_qs(urlsplit(made["url"]).query)["link"]
    with WebhookService.open(run=False) as service:
        session = service.sessions.find(service.sessions.open_by_link(link))
        (token,) = service.list_tokens(PROJECT)
    assert session is not None
    assert (session.name, session.grants, session.token) == (
        "ada",
        {PROJECT: Role.MEMBER},
        token.id,
    )
    assert token.expires is not None
    assert abs((token.expires - session.expires).total_seconds()) < 60
    assert "/console/login/link?link=whl_" in run("console", "link").stdout
