"""``make screenshots``: the pictures of the console in the documentation."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.console.site import PROJECT, console_site
from tests.servers.browser import chromium

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SIZE = {"width": 1280, "height": 760}


def main() -> None:
    """Push a few images, and take one picture of the log and one of a delivery."""
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, console_site(Path(folder)) as site, chromium() as browser:
        for tag in ("1.1.0", "1.2.0"):
            site.push(tag)
        for image in ("acme/shop:latest", "acme/cart:1.0.0"):
            site.service.interventions.push(PROJECT, site.receiver, image)
        newest = site.push("1.3.0")
        for scheme, name, path in (
            ("light", "deliveries.png", "/deliveries"),
            ("dark", "delivery.png", f"/deliveries/{newest.delivery}"),
        ):
            page = browser.new_context(color_scheme=scheme, viewport=SIZE).new_page()
            site.log_in(page)
            page.goto(site.base + path)
            page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / name)


if __name__ == "__main__":
    main()
