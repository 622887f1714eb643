"""The playground's page in a real browser, for tests that act and look as people do."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests import services

# What is looked for in a page comes when a busy machine gets to it: longer than Playwright's five seconds.
PATIENCE_MS = 30_000


@contextlib.contextmanager
def chromium(playwright: Any) -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    pytest.importorskip("playwright.sync_api").expect.set_options(timeout=PATIENCE_MS)
    browser = playwright.chromium.launch(
        executable_path=services.need("chromium", "chromium"),
        args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    )
    try:
        yield browser
    finally:
        browser.close()


@contextlib.contextmanager
def opened(browser: Any, address: str, errors: list[str]) -> Iterator[Any]:
    """A window of its own, once it is ready; `errors` gets what its console and its scripts complain about."""
    context = browser.new_context(viewport={"width": 1366, "height": 860}, locale="en-US")
    try:
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.locator("html[data-ready]").wait_for(state="attached")
        yield page
    finally:
        context.close()


def go(page: Any, place: str) -> None:
    """To a channel, or to the direct messages with the bot; there when it returns, so that what is written goes there."""
    page.locator(f"[data-channel={place}]").click()
    current = page.locator(f"[data-channel={place}][aria-current=page]")
    pytest.importorskip("playwright.sync_api").expect(current).to_be_visible()
