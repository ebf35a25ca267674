"""The pages in a real browser: nothing it complains about, nothing from elsewhere, nothing too wide, the same figures.

For `tox -e programs`, with Debian's chromium, or the program that PLAYER_TEST_BROWSER names.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from player.training import Trained
from tests.programs.game import ASKED, run, stored
from tests.service import Service

WIDTHS = {"phone": 390, "laptop": 1280, "projector": 1920}
PROGRAM = os.environ.get("PLAYER_TEST_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
PATHS = ("", "dashboard/", "dashboard/features/{feature}", "dashboard/answers/{newest}", "docs")
PATHS = ("", "dashboard/", "dashboard/features/{feature}", "dashboard/answers/{newest}", "docs")


@pytest.fixture(name="browser", scope="module")
def _browser() -> Iterator[Browser]:
    """A browser without a window."""
    assert PROGRAM, "needs a browser: apt install chromium, or name one in PLAYER_TEST_BROWSER"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def look(browser: Browser, address: str, width: int = 1280, scheme: Any = "light") -> Page:
    """Return the page at *address*; fail when it complains, asks elsewhere, or is wider than the screen."""
    page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(address, wait_until="networkidle")

    here = re.match(r"file://|http://127\.0\.0\.1:\d+/", address)
    assert here
    assert answer is None or answer.ok
    assert [] == said
    assert [] == [url for url in asked if not url.startswith((here[0], "data:"))]
    assert width >= page.evaluate("document.documentElement.scrollWidth")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("path", PATHS)
def test_each_page_fits(
    browser: Browser, service: Service, trained: Trained, path: str, width: int, scheme: str
) -> None:
    """On a phone, a laptop and a projector, light and dark."""
    newest, feature = stored(service)["request_id"].iloc[0], trained.schema.names[0]
    path = path.format(newest=newest, feature=feature)
    page = look(browser, f"http://127.0.0.1:{service.port}/{path}", width, scheme)

    assert page.locator("h1, h2").first.is_visible()
    page.context.close()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_board_and_the_report_need_nothing_else(browser: Browser, service: Service, home: Path, width: int) -> None:
    """Each is one file."""
    report = home / "output" / "report.html"
    command = [sys.executable, "-m", "player.cli", "-e", "testing", "report", "--output", str(report)]
    run(command, service)

    for file in (home / "output" / "board.html", report):
        look(browser, file.as_uri(), width).context.close()


def test_the_figures_are_those_of_the_database_and_of_the_board(browser: Browser, service: Service, home: Path) -> None:
    """Every right answer is a point."""
    rows = stored(service)
    right = int((rows["pred"].astype(str) == rows["label"].astype(str)).sum())
    page = look(browser, f"http://127.0.0.1:{service.port}/dashboard/")
    board = look(browser, (home / "output" / "board.html").as_uri())

    assert f"{right:,}" == page.locator("dt:has-text('Right answers') + dd").first.inner_text().split("\n")[0]
    assert re.search(rf"\b{right}\b", board.inner_text("body").replace(",", ""))
    assert f"{ASKED:,} labelled since the first request" in page.inner_text("body")
