"""The moments of a request, in English and Korean: its card, its answer, forms, the App Home, what owners see."""

# ruff: noqa: INP001 (a script's own module)

import io
import re
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page

from docs.images.stage import (
    ADA,
    ARTICLES,
    GENERAL,
    LEO,
    MINJI,
    RESEARCH,
    SOYEON,
    People,
    opened,
    product,
    save,
    wait,
)

# What a picture is not about.
_THREAD_ALONE = """
#side, #channel, #live, .composer, .tools, #thread-bar { display: none !important }
#app, #app:has(.with-thread) { grid-template-columns: 1fr !important }
#right { border: 0 }
"""
_CHANNEL_ALONE = """
#side, #right, .tools, #channel-bar, #channel .composer { display: none !important }
#app, #app:has(.with-thread) { grid-template-columns: 1fr !important }
"""
_THREAD_SIZE, _CHANNEL_SIZE, _WINDOW_SIZE = (600, 2000), (760, 2000), (1130, 720)
_GAP = 16
_TIME_LEFT = re.compile("left|남음|끝남")


@dataclass(frozen=True)
class Speaker:
    """Who is seen asking, and what, in their language."""

    language: str
    user: str
    article: str
    question: str
    follow_up: str
    reviews: str
    analysis: str
    words: tuple[str, ...]

    @property
    def report(self) -> str:
        """A text of some pages, without its title."""
        return (ARTICLES / self.article).read_text("utf-8").partition("\n")[2].strip()

    @property
    def long(self) -> str:
        """More than one call can read."""
        return "\n\n".join([self.report] * (15_000 // len(self.report)))

    @property
    def beginning(self) -> str:
        """Its first sentences, and those that answer the questions."""
        sentences = re.split(r"(?<=[.])\s+", self.report)
        bear_on = [one for one in sentences if any(word in one for word in self.words)]
        return " ".join(sentences[:2]) + "\n\n" + " ".join(bear_on[:4])


SPEAKERS = (
    Speaker(
        "en",
        ADA,
        "harbour.txt",
        "What fell from 41 hours to 6 hours?",
        "How many berths are there?",
        "classify complaint, praise, question\n"
        "id\ttext\n1\tIt broke after a day.\n2\tLovely, thank you!\n3\tIt arrived late.\n4\tWhere is the manual?",
        "ask",
        ("41 hours", "berth"),
    ),
    Speaker(
        "ko",
        MINJI,
        "library.txt",
        "좌석을 얻기까지 평균 얼마나 기다렸나요?",
        "새 예약 방식은 무엇인가요?",
        "분류 불만, 칭찬, 문의\n"
        "번호\t글\n1\t배송이 늦고 고장 났어요.\n2\t상담원이 친절해서 좋았어요.\n3\t포장이 찢어져서 왔어요.\n4\t언제 오나요?",
        "질문",
        ("2시간 40분", "예약"),
    ),
)


def take(browser: Browser) -> None:
    """Write every picture, each with its language behind its name."""
    settings = {"LLM_LIMIT": "2", "LLM_CONTEXT": "4096", "ADMINS": f"{ADA},{MINJI}"}
    with product(**settings) as page_url, httpx.Client(base_url=page_url, timeout=30) as http:
        people = People(http)
        for speaker in SPEAKERS:
            take_of(browser, page_url, people, speaker)
        side_by_side(browser, page_url, people)


def take_of(browser: Browser, page_url: str, people: People, speaker: Speaker) -> None:
    """All pictures of one person."""
    _at_once(people)
    _card(browser, page_url, people, speaker)
    _failure(browser, page_url, people, speaker)
    _conversation(browser, page_url, people, speaker)
    _chart(browser, page_url, people, speaker)
    _form(browser, page_url, speaker)
    _home(browser, page_url, people, speaker)
    _stats(browser, page_url, speaker)


def side_by_side(browser: Browser, page_url: str, people: People) -> None:
    """Two people in two windows at the same moment, each with their own language, thread and notes."""
    _at_once(people)
    _in_line(people, 3)
    windows = []
    for speaker in SPEAKERS:
        ts = people.say(speaker.user, RESEARCH, f"<@U0BOT> {speaker.beginning}")
        windows.append(
            opened(browser, f"{page_url}/#user={speaker.user}&at={RESEARCH}&thread={ts}", _WINDOW_SIZE)
        )
        windows[-1].locator("#thread-messages li.from-bot").filter(has_text=_TIME_LEFT).wait_for()
    # For 민지's eyes only.
    _write(windows[1], "/analyze status")
    windows[1].locator("#messages .ephemeral").wait_for()
    pictures = [Image.open(io.BytesIO(page.screenshot())) for page in windows]
    both = Image.new("RGB", (_WINDOW_SIZE[0] * 2 + _GAP, _WINDOW_SIZE[1]), "white")
    for at, picture in enumerate(pictures):
        both.paste(picture, (at * (_WINDOW_SIZE[0] + _GAP), 0))
    save(both, "side-by-side")


def _card(browser: Browser, page_url: str, people: People, speaker: Speaker) -> None:
    """Waiting, running, done; the report takes several calls."""
    _in_line(people, 4)
    ts = people.say(speaker.user, GENERAL, f"<@U0BOT> {speaker.long}")
    page = _thread(browser, page_url, speaker, ts)
    card = page.locator("#thread-messages li.from-bot").first
    card.filter(has_text=_TIME_LEFT).wait_for()
    _shoot(page, f"card-waiting-{speaker.language}", card)
    people.act("model", tokens_per_second=40)
    some = {"en": "1 of", "ko": "중 1개"}[speaker.language]
    card.filter(has_text=some).wait_for()
    _shoot(page, f"card-running-{speaker.language}", card)
    _at_once(people)
    page.locator("#thread-messages [data-action=feedback]").first.wait_for()
    page.locator("#thread-messages [data-action=again]").wait_for()
    _shoot(page, f"card-done-{speaker.language}", page.locator("#thread-messages li.from-bot"))


def _failure(browser: Browser, page_url: str, people: People, speaker: Speaker) -> None:
    people.act("faults/model", kind="cut_stream", times=3)
    ts = people.say(speaker.user, GENERAL, f"<@U0BOT> {speaker.beginning}")
    page = _thread(browser, page_url, speaker, ts)
    page.locator("#thread-messages [data-action=retry]").wait_for()
    page.locator("#thread-messages [data-action=cancel]").wait_for(state="detached")
    _shoot(page, f"card-failed-{speaker.language}", page.locator("#thread-messages li.from-bot"))


def _conversation(browser: Browser, page_url: str, people: People, speaker: Speaker) -> None:
    ts = people.say(
        speaker.user, RESEARCH, f"<@U0BOT> {speaker.analysis} {speaker.question}\n{speaker.beginning}"
    )
    wait(lambda: people.answers(RESEARCH, ts), "the answer")
    people.say(speaker.user, RESEARCH, f"<@U0BOT> {speaker.follow_up}", thread_ts=ts)
    wait(lambda: people.answers(RESEARCH, ts) > 1, "the second answer")
    page = _thread(browser, page_url, speaker, ts, RESEARCH)
    page.locator("#thread-messages [data-action=again]").nth(1).wait_for()
    _shoot(page, f"follow-up-{speaker.language}", page.locator("#thread-messages li"))


def _chart(browser: Browser, page_url: str, people: People, speaker: Speaker) -> None:
    ts = people.say(speaker.user, RESEARCH, f"<@U0BOT> {speaker.reviews}")
    page = _thread(browser, page_url, speaker, ts, RESEARCH)
    chart = page.locator("#thread-messages li.from-bot").filter(has=page.locator("figure.chart"))
    chart.wait_for()
    _shoot(page, f"chart-{speaker.language}", chart)


def _form(browser: Browser, page_url: str, speaker: Speaker) -> None:
    page = opened(browser, f"{page_url}/#user={speaker.user}&at={GENERAL}", (700, 1250), scale=2)
    _write(page, f"/analyze {speaker.analysis}")
    form = page.get_by_role("dialog")
    form.locator("[data-action=text]").fill(speaker.beginning.partition("\n")[0])
    form.locator("[data-action=question]").fill(speaker.question)
    save(form.screenshot(), f"form-{speaker.language}")
    form.locator("[data-key=modal-close]").click()
    form.wait_for(state="hidden")


def _home(browser: Browser, page_url: str, people: People, speaker: Speaker) -> None:
    _in_line(people, 2)
    people.say(speaker.user, RESEARCH, f"<@U0BOT> {speaker.beginning}")
    address = f"{page_url}/#user={speaker.user}&at=D0{speaker.user.removeprefix('U0')}&tab=home"
    page = opened(browser, address, _CHANNEL_SIZE, scale=2, style=_CHANNEL_ALONE)
    for _ in range(20):
        if page.locator(".home").filter(has_text=_TIME_LEFT).count():
            break
        people.act("home", user=speaker.user)
        page.wait_for_timeout(500)
    _shoot(page, f"home-{speaker.language}", page.locator(".home-blocks > *"), margin=14)
    _at_once(people)


def _stats(browser: Browser, page_url: str, speaker: Speaker) -> None:
    page = opened(browser, f"{page_url}/#user={speaker.user}&at={GENERAL}", _CHANNEL_SIZE, scale=2)
    _write(page, "/analyze admin stats")
    page.add_style_tag(content=_CHANNEL_ALONE)
    note = page.locator("#messages .ephemeral").filter(has=page.locator("figure.chart")).last
    note.wait_for()
    _shoot(page, f"stats-{speaker.language}", note)


def _thread(browser: Browser, page_url: str, speaker: Speaker, ts: str, channel: str = GENERAL) -> Page:
    address = f"{page_url}/#user={speaker.user}&at={channel}&thread={ts}"
    return opened(browser, address, _THREAD_SIZE, scale=2, style=_THREAD_ALONE)


def _shoot(page: Page, name: str, what: Any, margin: int = 0) -> None:
    """A picture of all that is named, what lies between, and so much around it."""
    boxes = [box for box in (one.bounding_box() for one in what.all()) if box]
    left, top = (min(box[side] for box in boxes) - margin for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + margin
    bottom = max(box["y"] + box["height"] for box in boxes) + margin
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    # Where nothing changes its looks under it.
    size = page.viewport_size
    assert size
    page.mouse.move(size["width"] - 1, size["height"] - 1)
    save(page.screenshot(clip=clip), name)


def _write(page: Page, text: str) -> None:
    box = page.locator("#channel .composer-text")
    box.fill(text)
    box.press("Enter")


def _in_line(people: People, count: int) -> None:
    """The others ask so much that a line stands, with answers before it by which times are told."""
    text = (ARTICLES / "harbour.txt").read_text("utf-8").split("\n\n")[1]
    _at_once(people)
    people.act("model", tokens_per_second=12)
    for user in (LEO, SOYEON):
        ts = people.say(user, f"D0{user.removeprefix('U0')}", f"{text} {user}")
        wait(lambda ts=ts, user=user: people.answers(f"D0{user.removeprefix('U0')}", ts), "an answer before")
    people.act("model", tokens_per_second=4)
    for at in range(count):
        user = (LEO, SOYEON)[at % 2]
        people.say(user, f"D0{user.removeprefix('U0')}", f"{text} {at}")
    wait(lambda: people.running() == 2, "a line")


def _at_once(people: People) -> None:
    """Whoever waits is answered."""
    people.act("model", slots=4, tokens_per_second=0, prefill_tokens_per_second=0, first_token_seconds=0)
    wait(lambda: people.running() == 0, "an empty line")
