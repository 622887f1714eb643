"""Takes the pictures of the page: starts the real product, lets a few people ask, and photographs what they see.

`make pictures` runs it; `ARGS=moments` or `ARGS=page` takes some of them. It needs Chromium on PATH, and fonts with Korean
and with emoji (Debian: chromium, fonts-noto-cjk, fonts-noto-color-emoji).
"""

# ruff: noqa: INP001 (a script of its own)

import shutil
import sys

import httpx
from playwright.sync_api import Browser, sync_playwright

from docs.images import moments
from docs.images.stage import (
    ADA,
    ARTICLES,
    GENERAL,
    LEO,
    MINJI,
    RANDOM,
    RESEARCH,
    SOYEON,
    People,
    opened,
    product,
    save,
    wait,
)

# Wide enough for the thread and the line to stand side by side.
SIZE = (1600, 1000)
# How long everybody has been at work when the picture is taken.
WORK_SECONDS = 12

QUESTION = "<@U0BOT> ask What fell from 41 hours to 6 hours?"


def main() -> None:
    """Write the pictures beside this file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        )
        for name, take in {"page": _whole_page, "line": _the_line, "moments": moments.take}.items():
            if name in (sys.argv[1:] or [name]):
                take(browser)
        browser.close()


def _whole_page(browser: Browser) -> None:
    # All four slots from the start: a limit that learns would take its time at the rush's pace.
    with product(LLM_LIMIT="4") as page_url, httpx.Client(base_url=page_url, timeout=30) as http:
        thread = _morning(People(http))
        address = f"{page_url}/#user={ADA}&at={GENERAL}&thread={thread}"
        # Open before the rush, so that the curve of calls in flight has a shape.
        pages = {
            "playground": opened(browser, address, SIZE),
            "playground-dark": opened(browser, address, SIZE, "dark"),
        }
        _rush(People(http))
        for name, page in pages.items():
            page.locator("#line .state-running").first.wait_for()
            page.wait_for_timeout(WORK_SECONDS * 1000)
            save(page.screenshot(), name)


def _the_line(browser: Browser) -> None:
    """Three people share the line while one of them floods it."""
    with product() as page_url, httpx.Client(base_url=page_url, timeout=30) as http:
        page = opened(browser, f"{page_url}/#user={ADA}&at={GENERAL}", SIZE, scale=2)
        page.get_by_role("button", name="Flood").click()
        wait(lambda: People(http).running(), "the first call")
        parts = (ARTICLES / "harbour.txt").read_text("utf-8").split("\n\n")
        for part in [part for part in parts if len(part) > 200][:3]:
            for user, channel in ((ADA, "D0ADA"), (LEO, "D0LEO")):
                People(http).say(user, channel, part)
        wait(lambda: _everybody_served(People(http)), "two answers for each of the others")
        page.wait_for_timeout(1500)
        save(page.locator("#right").screenshot(), "the-line")


def _everybody_served(people: People) -> bool:
    shared = people.look("line")["people"]
    return len(shared) == 3 and all(one["done"] + one["running"] > 1 for one in shared)


def _morning(people: People) -> str:
    """What has been asked and answered before the picture; returns the thread that stands open in it."""
    english, korean = ((ARTICLES / name).read_text("utf-8") for name in ("harbour.txt", "library.txt"))
    people.act("model", tokens_per_second=0, prefill_tokens_per_second=0, first_token_seconds=0.2)
    people.command(MINJI, GENERAL, f"요약 {korean}")
    anchor = wait(lambda: people.card_in(GENERAL), "the command's card")
    wait(lambda: people.answers(GENERAL, anchor), "the command's answer")
    report = people.say(ADA, GENERAL, f"<@U0BOT> {english.partition(chr(10))[2].strip()}")
    wait(lambda: people.answers(GENERAL, report), "the report's summary")
    people.say(LEO, GENERAL, QUESTION, thread_ts=report)
    wait(lambda: people.answers(GENERAL, report) > 1, "the second answer")
    return report


def _rush(people: People) -> None:
    """More people ask than the model has room for, at a pace that an eye can follow."""
    people.act("model", tokens_per_second=3, first_token_seconds=1)
    text = (ARTICLES / "harbour.txt").read_text("utf-8")
    parts = [part for part in text.split("\n\n") if len(part) > 200]
    recipes = ("key-points", "summarize", "sentiment", "action-items")
    places = [(MINJI, RESEARCH), (SOYEON, RANDOM), (LEO, RESEARCH), (SOYEON, RESEARCH), (ADA, RANDOM)]
    for at, (user, channel) in enumerate((places * 2)[:7]):
        people.command(
            user, channel, f"{recipes[at % 4]} {parts[at % len(parts)]} {parts[(at + 1) % len(parts)]}"
        )
    korean = (ARTICLES / "library.txt").read_text("utf-8").split("\n\n")
    people.say(MINJI, GENERAL, f"<@U0BOT> 요약해줘: {korean[3]}")
    wait(lambda: people.running() == 4, "every slot is in use")


if __name__ == "__main__":
    main()
