"""Two people side by side in two windows: each sees what is theirs, and nothing that is the other's."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tasks.catalogue import say
from tests.acceptance import browsing
from tests.acceptance.stack import ADA, GENERAL, MINJI, Stack

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."
KOREAN = "회의는 월요일에 열렸다. 예산은 삼백만 원으로 정했다. 민지는 금요일까지 초안을 쓴다."

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright, browsing.chromium(playwright) as browser:
        yield browser


@pytest.fixture
def windows(stack: Stack, browser: Any) -> Iterator[tuple[Any, Any]]:
    """Ada's and 민지's, in one browser: what it keeps, it keeps for each of them."""
    errors: list[str] = []
    with browsing.opened(browser, f"{stack.play.url}/#user=ada&at=general", errors) as ada:
        minji = ada.context.new_page()
        minji.goto(f"{stack.play.url}/#user=minji&at=research")
        minji.locator("html[data-ready]").wait_for(state="attached")
        yield ada, minji
    assert errors == []


def write(page: Any, text: str) -> None:
    box = page.locator("#channel .composer-text")
    box.fill(text)
    box.press("Enter")
    expect(box).to_have_value("")


def fresh(page: Any, channel: str) -> Any:
    """The mark that says how much is new in a channel."""
    return page.locator(f"[data-channel={channel}] .count")


def test_a_link_opens_the_page_as_a_named_person(windows: tuple[Any, Any]) -> None:
    """In their language, with their channels."""
    ada, minji = windows
    expect(ada.locator(f"[data-user={ADA}]")).to_have_attribute("aria-current", "true")
    expect(minji.locator(f"[data-user={MINJI}]")).to_have_attribute("aria-current", "true")
    expect(minji.locator("html")).to_have_attribute("lang", "ko")
    expect(ada.locator("[data-channel=D0MINJI]")).to_have_count(0)
    expect(minji.locator("[data-channel=D0ADA]")).to_have_count(0)


def test_what_is_new_is_marked_for_whom_it_is_new(stack: Stack, windows: tuple[Any, Any]) -> None:
    """A message for those who did not write it; an answer for the person that it names."""
    ada, minji = windows
    # Ada has left the channel before her answer comes.
    stack.hold_model()
    write(ada, f"@threadline {TEXT}")
    expect(fresh(minji, GENERAL)).to_have_text(re.compile("[1-9]"))
    expect(fresh(minji, GENERAL)).not_to_have_class(re.compile("for-me"))
    browsing.go(ada, "C0RANDOM")
    stack.let_model_go()
    expect(fresh(ada, GENERAL)).to_have_class(re.compile("for-me"))
    expect(fresh(minji, GENERAL)).not_to_have_class(re.compile("for-me"))
    browsing.go(minji, GENERAL)
    expect(fresh(minji, GENERAL)).to_have_count(0)
    expect(fresh(ada, GENERAL)).to_have_count(1)
    write(minji, KOREAN)
    expect(minji.locator("#messages > li").filter(has_text=KOREAN).last).to_be_visible()
    expect(fresh(minji, GENERAL)).to_have_count(0)


def test_notes_forms_and_homes_are_seen_by_one(stack: Stack, windows: tuple[Any, Any]) -> None:
    """A command's answer, the form that it opens, the App Home, and the word to whoever presses what is not theirs."""
    ada, minji = windows
    stack.hold_model()
    ts = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.replies(GENERAL, ts, "card"), "the card")
    browsing.go(minji, GENERAL)
    write(minji, "/analyze help")
    help_text = say("ko", "help.thread")
    expect(minji.locator(".ephemeral").filter(has_text=help_text).last).to_be_visible()
    for page in (ada, minji):
        page.locator(f"#messages [data-ts='{ts}'] .thread-link").click()
    minji.locator("#thread-messages").get_by_role("button", name="Cancel").last.click()
    note = say("ko", "intake.not_yours")
    expect(minji.locator(".ephemeral").filter(has_text=note).last).to_be_visible()
    expect(ada.locator("#thread-messages").get_by_role("button", name="Cancel").last).to_be_visible()

    write(ada, "/analyze")
    expect(ada.get_by_role("dialog", name=say("en", "modal.title"))).to_be_visible()
    browsing.go(minji, "D0MINJI")
    minji.locator("[data-key=tab-home]").click()
    expect(minji.locator(".home").filter(has_text=say("ko", "home.requests"))).to_be_visible()
    expect(minji.get_by_role("dialog")).to_have_count(0)
    expect(ada.locator(".ephemeral")).to_have_count(0)

    ada.keyboard.press("Escape")
    ada.locator("#thread-messages").get_by_role("button", name="Cancel").last.click()
    cancelled = say("en", "card.cancelled", recipe="").rpartition("*")[2]
    for page in (ada, minji):
        browsing.go(page, GENERAL)
        page.locator(f"#messages [data-ts='{ts}'] .thread-link").click()
        expect(page.locator("#thread-messages").filter(has_text=cancelled)).to_be_visible()
    for page, state in ((ada, "cancelled"), (minji, "취소됨")):
        expect(page.locator(".job-state").get_by_text(state, exact=True).first).to_be_visible()
