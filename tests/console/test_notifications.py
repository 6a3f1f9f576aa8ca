"""Notifications in the console: looked at, tried, and sent again."""

import httpx

from tests.console.site import PROJECT, ConsoleSite
from tests.support import wait_for


def test_a_notification_is_tried_and_a_dead_letter_sent_again(
    site: ConsoleSite, owner: httpx.Client
) -> None:
    # A private address is never called.
    config = {"url": "https://127.0.0.1:1/T0KEN"}
    body = {"name": "tried", "kind": "webhook", "on": ["failed"], "webhookConfig": config}
    made = site.service.notifications.create(PROJECT, body)
    page = f"/notifications/{made.id}"

    def states() -> list[str]:
        found = site.service.notifications.notices(PROJECT, made.id).items
        return [sent.execution.state for sent in found]

    assert "tried" in owner.get("/notifications").text
    assert "Nothing was told yet" in owner.get(page).text
    origin = {"origin": site.base.removesuffix("/console")}
    assert owner.post(f"{page}/test", headers=origin).status_code == 303
    assert wait_for(lambda: states() == ["failed"])
    (sent,) = site.service.notifications.notices(PROJECT, made.id).items
    shown = owner.get(page).text
    assert "Send again" in shown and "T0KEN" not in shown
    again = owner.post(f"{page}/notices/{sent.execution.id}/replay", headers=origin)
    assert again.status_code == 303
    assert wait_for(lambda: states() == ["failed", "failed"])
    assert "/notifications" in owner.get("/settings").text
