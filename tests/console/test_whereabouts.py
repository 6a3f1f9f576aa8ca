"""Where an image runs: said above what a search finds."""

import httpx

from tests.console.site import ConsoleSite

HERE = "Where this image runs"


def test_a_search_says_which_targets_run_the_image(site: ConsoleSite, owner: httpx.Client) -> None:
    site.push("1.7.0")
    ran = site.push("1.7.1")
    for text in ("acme/shop:1.7.1", "1.7.1", "ACME/Shop"):
        shown = owner.get("/deliveries", params={"text": text}).text
        strip = shown.partition(HERE)[2].partition("</section>")[0]
        assert f"/targets/{site.receiver}" in strip and "acme/shop:1.7.1" in strip, text
    # It ran before, and does not any more.
    older = owner.get("/deliveries", params={"text": "acme/shop:1.7.0"}).text
    assert "Nowhere, as far as it is recorded" in older
    for path in ("/deliveries", f"/deliveries?text={ran.id}", "/deliveries?state=ignored"):
        assert HERE not in owner.get(path).text, path


def test_nobody_sees_where_images_of_other_projects_run(site: ConsoleSite) -> None:
    site.push("1.7.2")
    with site.client(project="other") as stranger:
        shown = stranger.get("/deliveries", params={"text": "1.7.2"}).text
    assert "Nowhere" in shown and site.receiver not in shown
