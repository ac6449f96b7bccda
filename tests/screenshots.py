"""Takes the README's pictures of the app: `python -m tests.screenshots [--picture FILE]`.

Serves the app with the bundled models, drives it in Chromium as `test_browser.py` does, and writes
assets/screenshot-upscale.png and assets/screenshot-compare.png.
"""

import argparse
import os
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from sr_hub.webapp import build_app, launch_options
from sr_hub.webapp.fields import EXAMPLES

ASSETS = Path(__file__).resolve().parents[1] / "assets"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH = 1280
TIMEOUT = 600_000


def upscale(tab: Page, picture: Path) -> None:
    """The finished Upscale page: slider, numbers and three panes."""
    tab.locator("#picture input[type=file]").set_input_files(picture)
    tab.locator("#picture img").wait_for()
    tab.locator("#run").click()
    last = tab.locator("#also input:checked").count()  # the chosen model is one of them
    tab.locator(f"#pane-{last} img").wait_for()


def compare(tab: Page, picture: Path) -> None:
    """The finished Compare page: numbers, gallery and strip."""
    tab.locator("#truth input[type=file]").set_input_files(picture)
    tab.locator("#truth img").wait_for()
    tab.locator("#run").click()
    tab.locator("#strip img").wait_for()


def shoot(tab: Page, last: str, path: Path) -> None:
    """The page down to the element `last`, as a PNG file.

    Pictures below the window take no room until they are scrolled to.
    """
    tab.locator(last).scroll_into_view_if_needed()
    tab.wait_for_timeout(2000)
    tab.evaluate("window.scrollTo(0, 0)")
    box = tab.locator(last).bounding_box()
    height = int(box["y"] + box["height"]) + 8
    temporary = path.with_suffix(".part")
    tab.screenshot(
        path=temporary,
        full_page=True,
        type="png",
        clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
    )
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, default=EXAMPLES / "waves.png")
    parser.add_argument("--truth", type=Path, default=EXAMPLES / "waves.png")
    parser.add_argument("--out", type=Path, default=ASSETS)
    arguments = parser.parse_args()
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)))
    demo = build_app()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        pages = (
            ("upscale", upscale, arguments.picture, "#panes"),
            ("compare", compare, arguments.truth, "#strip"),
        )
        for name, use, picture, last in pages:
            tab = browser.new_page(viewport={"width": WIDTH, "height": 900}, locale="en-US")
            tab.set_default_timeout(TIMEOUT)
            tab.goto(f"{url}{name}", wait_until="load")
            use(tab, picture)
            shoot(tab, last, arguments.out / f"screenshot-{name}.png")
        browser.close()
    demo.close()


if __name__ == "__main__":
    main()
