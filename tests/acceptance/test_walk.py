"""Everything that people can press, choose and fill in, in the page, with the whole product behind it.

One walk for each language, over both transports. It ends by comparing what was offered with what was pressed, so that a
button that nobody walks to fails here.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.views import modal, note, own_recipe
from tasks import actions, recipes
from tasks.catalogue import say
from tests.acceptance import browsing
from tests.acceptance.stack import GENERAL, LEO, Stack

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

# Two people whose language the page changes before they first ask: the bot asks Slack for it then.
SOYEON = "U0SOYEON"
WALKERS = [(SOYEON, "en"), (LEO, "ko")]
LOCALES = {"en": "English", "ko": "한국어"}
TEXTS = {
    "en": "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday.",
    "ko": "회의는 월요일에 열렸다. 예산은 삼백만 원으로 정했다. 민지는 금요일까지 초안을 쓴다.",
}
QUESTIONS = {"en": "When did the ship come?", "ko": "예산은 얼마인가요?"}
OTHER = {"en": "ko", "ko": "en"}
REVIEWS = "Support was kind and excellent.\n배송이 늦고 고장 났어요."
# More than a recipe calls for without asking.
MANY_LINES = "\n".join(f"It broke, {number}." for number in range(1001))

# Shortcuts stand in menus of Slack's own.
BUTTONS = frozenset(
    value for name, value in vars(actions).items() if name.isupper() and isinstance(value, str)
) - {actions.ANALYZE_MESSAGE, actions.NEW_ANALYSIS}
FIELDS = frozenset(
    {modal.TEXT, modal.FILES, modal.QUESTION, modal.RECIPE, modal.LANGUAGE, modal.PLACE, note.NOTE}
    | {own_recipe.action(name) for name in own_recipe.FIELDS}
)

# Tells what somebody acts on, as Slack would name it.
TELL = """
for (const kind of ["click", "input", "change"])
  addEventListener(kind, (event) => {
    const action = event.target.closest?.("[data-action]")?.dataset.action;
    if (action) window.acted(action);
  }, true);
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright, browsing.chromium(playwright) as browser:
        yield browser


@dataclass
class Walk:
    """One person at the page; `acted` is what they pressed and filled in."""

    page: Any
    stack: Stack
    user: str
    language: str
    acted: set[str] = field(default_factory=set)

    def word(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)

    def shown(self, key: str, **values: object) -> str:
        """A text without what the page turns into looks: emphasis, emoji, names of people."""
        return re.sub(r":\w+: |<@\w*>|[*`]", "", self.word(key, **values)).strip()

    def called(self, recipe: str) -> str:
        found = recipes.load().get(recipe)
        assert found is not None
        return found.called(self.language)

    def go(self, place: str) -> None:
        """To a channel, or to the direct messages with the bot."""
        browsing.go(self.page, place)
        expect(self.page.locator("#thread")).to_be_hidden()

    def write(self, text: str) -> None:
        self.stack.written.add(text)
        box = self.page.locator("#channel .composer-text")
        box.fill(text)
        box.press("Enter")
        expect(box).to_have_value("")

    def reply(self, text: str) -> None:
        self.stack.written.add(text)
        box = self.page.locator("#thread .composer-text")
        box.fill(text)
        box.press("Enter")
        expect(box).to_have_value("")

    def ask(self, text: str) -> None:
        """By a mention in #general; its thread is open afterwards."""
        self.go(GENERAL)
        self.said(f"@threadline {text}").locator(".thread-link").click()

    def said(self, text: str) -> Any:
        """Write here, and get the message as it stands."""
        own = self.page.locator("#messages > li:not(.from-bot)")
        before = own.count()
        self.write(text)
        return own.nth(before)

    def results(self, count: int) -> None:
        """So many answers stand in the open thread."""
        thumbs = self.page.locator(f"#thread-messages [data-action={actions.FEEDBACK}]")
        expect(thumbs).to_have_count(2 * count)

    def button(self, name: str, recipe: str, within: str = "#thread-messages") -> Any:
        """A request's button, by what a screen reader says of it."""
        heard = self.word("button.heard", button=self.word(f"button.{name}"), recipe=self.called(recipe))
        return self.page.locator(within).get_by_role("button", name=heard).last

    def press(self, name: str, recipe: str, within: str = "#thread-messages") -> None:
        self.button(name, recipe, within).click()

    def dialog(self, key: str) -> Any:
        """A form, by its title."""
        dialog = self.page.get_by_role("dialog", name=self.word(key))
        expect(dialog).to_be_visible()
        return dialog

    def seen(self, where: str, words: str) -> None:
        expect(self.page.locator(where).filter(has_text=words).last).to_be_visible()


@pytest.mark.parametrize(("user", "language"), WALKERS)
def test_every_button_field_and_word_is_walked(stack: Stack, browser: Any, user: str, language: str) -> None:
    """What is pressed does what it says, in both languages, and nothing that is offered is left out."""
    stack.order("admins", "add", user)
    errors: list[str] = []
    with browsing.opened(browser, f"{stack.play.url}/#user={user}&at={GENERAL}", errors) as page:
        walk = Walk(page, stack, user, language)
        page.expose_function("acted", lambda action: walk.acted.add(action))
        page.add_init_script(TELL)
        page.reload()
        page.locator("[data-key=locale]").select_option(label=LOCALES[language])
        expect(page.locator("html")).to_have_attribute("lang", language)
        by_form(walk)
        by_shortcut(walk)
        with_a_card(walk)
        with_an_answer(walk)
        after_a_failure(walk)
        with_a_large_plan(walk)
        in_a_conversation(walk)
        as_an_owner(walk)
        with_a_recipe_of_our_own(walk)
        at_home(walk)
    assert errors == []
    assert BUTTONS | FIELDS | offered(stack) == walk.acted
    assert unheard(stack) == []


def by_form(walk: Walk) -> None:
    """The command without a text: an error beside its field, then an answer for this person alone."""
    walk.go(GENERAL)
    walk.write("/analyze")
    form = walk.dialog("modal.title")
    form.locator(f"[data-action={modal.RECIPE}]").select_option(label=walk.called("ask"))
    form.locator(f"[data-action={modal.TEXT}]").fill(TEXTS[walk.language])
    walk.stack.written.add(TEXTS[walk.language])
    note_file = {"name": "note.txt", "mimeType": "text/plain", "buffer": TEXTS[walk.language].encode()}
    form.locator(f"input[data-action={modal.FILES}]").set_input_files([note_file])
    send = form.get_by_role("button", name=walk.word("modal.submit"))
    send.click()
    expect(form.get_by_role("alert")).to_contain_text("ask")
    form.locator(f"[data-action={modal.QUESTION}]").fill(QUESTIONS[walk.language])
    form.locator(f"[data-action={modal.LANGUAGE}]").select_option(
        label=walk.word(f"modal.language_{OTHER[walk.language]}")
    )
    form.get_by_label(walk.word("modal.place_only_me")).check()
    send.click()
    expect(form).to_be_hidden()
    walk.go(walk.user.replace("U0", "D0"))
    walk.page.locator("#messages .thread-link").last.click()
    walk.results(1)


def by_shortcut(walk: Walk) -> None:
    """The global one opens the form, a message's answers in its thread."""
    walk.go(GENERAL)
    walk.page.locator("#channel").get_by_role("button", name=re.compile("Shortcuts|바로 가기")).click()
    walk.page.get_by_role("menuitem", name="Ask Threadline").click()
    form = walk.dialog("modal.title")
    expect(form.locator(f"[data-action={modal.PLACE}]")).to_have_count(0)
    form.get_by_role("button", name=walk.word("modal.close")).last.click()
    message = walk.said(TEXTS[walk.language])
    message.hover()
    message.get_by_role("button", name=re.compile("More|더 보기")).click()
    walk.page.get_by_role("menuitem", name="Analyze this message").click()
    message.locator(".thread-link").click()
    walk.results(1)


def with_a_card(walk: Walk) -> None:
    """Cancelled by its button."""
    walk.stack.hold_model()
    walk.ask(TEXTS[walk.language])
    walk.seen("#thread-messages", walk.shown("card.running", recipe=walk.called("summarize")))
    walk.press("cancel", "summarize")
    walk.seen("#thread-messages", walk.shown("card.cancelled", recipe=walk.called("summarize")))
    walk.stack.wait(lambda: walk.stack.look("model")["in_flight"] == 0, "the call is closed")
    walk.stack.clear()


def with_an_answer(walk: Walk) -> None:
    """Saved, shared, rated, and run again with another recipe."""
    walk.ask(TEXTS[walk.language])
    walk.results(1)
    walk.press("save", "summarize")
    expect(walk.page.locator("#thread-messages .file")).to_be_visible()
    walk.press("share", "summarize")
    walk.seen(
        "#messages > li.from-bot",
        walk.shown("result.shared", user=walk.user, recipe=walk.called("summarize")),
    )
    thread = walk.page.locator("#thread-messages")
    good = thread.get_by_role("button", name=walk.word("button.good")).last
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    thread.get_by_role("button", name=walk.word("button.bad")).last.click()
    form = walk.dialog("rating.title")
    form.locator(f"[data-action={note.NOTE}]").fill("It left out the snow-goose.")
    form.get_by_role("button", name=walk.word("rating.submit")).click()
    expect(form).to_be_hidden()
    walk.press("again", "summarize")
    form = walk.dialog("modal.title")
    form.locator(f"[data-action={modal.RECIPE}]").select_option(label=walk.called("key-points"))
    form.get_by_role("button", name=walk.word("modal.submit")).click()
    expect(form).to_be_hidden()
    walk.results(2)


def after_a_failure(walk: Walk) -> None:
    """The reply says what to do, and Retry does it."""
    walk.stack.act("faults/model", kind="refuse_context", times=1)
    walk.ask(TEXTS[walk.language])
    walk.seen("#thread-messages", walk.shown("failure.title", recipe=walk.called("summarize")))
    walk.press("retry", "summarize")
    walk.results(1)


def with_a_large_plan(walk: Walk) -> None:
    """It begins with a press, and ends with a word."""
    walk.stack.act("model", tokens_per_second=2)
    walk.ask(f"classify complaint, praise\n{MANY_LINES}")
    walk.press("confirm", "classify")
    walk.stack.wait(lambda: walk.stack.look("model")["in_flight"], "the calls begin")
    walk.reply({"en": "stop", "ko": "그만"}[walk.language])
    walk.seen("#thread-messages", walk.shown("card.cancelled", recipe=walk.called("classify")))
    walk.stack.wait(lambda: walk.stack.look("model")["in_flight"] == 0, "the calls are closed")
    walk.stack.clear()


def in_a_conversation(walk: Walk) -> None:
    """A question in the thread is about the thread; here the thread is a list of rows, and a chart of them."""
    walk.ask(f"sentiment {REVIEWS}")
    expect(walk.page.locator("#thread-messages figure.chart svg.pie")).to_be_visible()
    walk.reply(f"@threadline {QUESTIONS[walk.language]}")
    walk.results(2)


def at_home(walk: Walk) -> None:
    """Requests with their buttons, the form, the settings, and the end of all that is kept."""
    walk.go(walk.user.replace("U0", "D0"))
    walk.stack.act("faults/model", kind="refuse_context", times=1)
    failed = walk.shown("card.failed", recipe=walk.called("summarize"))
    walk.said(TEXTS[walk.language]).locator(".thread-link").click()
    walk.seen("#thread-messages", failed)
    walk.stack.hold_model()
    walk.page.locator("[data-key=tab-home]").click()
    home = walk.page.locator(".home")
    walk.seen(".home", walk.word("home.requests"))
    walk.press("retry", "summarize", ".home")
    walk.press("cancel", "summarize", ".home")
    walk.seen(".home", walk.word("state.cancelled"))
    walk.stack.clear()

    home.get_by_role("button", name=walk.word("home.ask")).click()
    walk.dialog("modal.title").get_by_role("button", name=walk.word("modal.close")).last.click()

    name, other = walk.word("home.language_name"), OTHER[walk.language]
    home.get_by_label(name, exact=True).select_option(label=walk.word(f"modal.language_{other}"))
    walk.seen(".home", say(other, "home.settings"))
    home.get_by_label(say(other, "home.language_name"), exact=True).select_option(
        label=say(other, "home.as_slack")
    )
    walk.seen(".home", walk.word("home.settings"))
    usual = home.get_by_label(walk.word("home.recipe_name"), exact=True)
    usual.select_option(label=walk.called("key-points"))
    mention = home.get_by_label(walk.word("home.mention_name"), exact=True)
    mention.select_option(label=walk.word("home.mention_no"))
    walk.stack.wait(lambda: chosen(walk) >= {"key-points", "no"}, "both are kept")

    delete = walk.word("home.delete")
    home.get_by_role("button", name=delete).click()
    walk.page.get_by_role("dialog", name=walk.word("home.delete_title")).get_by_role(
        "button", name=delete
    ).click()
    walk.seen(".home", walk.shown("home.kept_line", count=0, days=30))


def as_an_owner(walk: Walk) -> None:
    """The command's words, for this person's eyes only: help, status, and the numbers with their chart."""
    walk.go(GENERAL)
    for text, words in (
        ("help", walk.shown("help.thread")),
        ("status", walk.shown("status.none", command="/analyze")),
        ("admin stats", walk.word("stats.chart_requests")),
    ):
        walk.write(f"/analyze {text}")
        walk.seen("#messages .ephemeral", words)
    expect(walk.page.locator("#messages .ephemeral figure.chart svg").first).to_be_visible()


def with_a_recipe_of_our_own(walk: Walk) -> None:
    """Made with every field of its form, an error beside one first; asked for, changed and taken back."""
    walk.go(GENERAL)
    walk.write("/analyze admin recipe new")
    form = walk.dialog("own.title_new")
    words = {
        "name": "summarize",
        "korean_name": "후기",
        "purpose_en": "What each line says of us.",
        "purpose_ko": "줄마다 우리를 어떻게 말하는지 알려 줍니다.",
        own_recipe.INSTRUCTIONS: "Judge what the customer says of us.",
        own_recipe.CHOICES: "good, bad",
        own_recipe.LONGEST: "300",
    }
    for name, text in words.items():
        walk.stack.written.add(text)
        form.locator(f"[data-action={own_recipe.action(name)}]").fill(text)
    for name, value in (
        (own_recipe.ANSWER, "rows"),
        (own_recipe.TAKES, "nothing"),
        (own_recipe.PLACE, "here"),
    ):
        select = form.locator(f"[data-action={own_recipe.action(name)}]")
        select.select_option(label=walk.word(f"own.{name}_{value}"))
    save = form.get_by_role("button", name=walk.word("own.submit"))
    save.click()
    expect(form.get_by_role("alert")).to_contain_text("summarize")
    form.locator(f"[data-action={own_recipe.action(own_recipe.NAME)}]").fill("reviews")
    save.click()
    expect(form).to_be_hidden()
    walk.seen("#messages .ephemeral", walk.shown("own.made", recipe="reviews", command="/analyze"))
    walk.ask(f"reviews {REVIEWS}")
    expect(walk.page.locator("#thread-messages figure.chart svg")).to_be_visible()
    walk.go(GENERAL)
    walk.write("/analyze admin recipe edit 후기")
    form = walk.dialog("own.title_edit")
    instructions = form.locator(f"[data-action={own_recipe.action(own_recipe.INSTRUCTIONS)}]")
    expect(instructions).to_have_value(words[own_recipe.INSTRUCTIONS])
    form.get_by_role("button", name=walk.word("own.submit")).click()
    expect(form).to_be_hidden()
    walk.seen("#messages .ephemeral", walk.shown("own.changed", recipe="reviews"))
    walk.write("/analyze admin recipe delete reviews")
    walk.seen("#messages .ephemeral", walk.shown("own.deleted", recipe="reviews"))


def chosen(walk: Walk) -> set[str]:
    """The settings that the Home shows."""
    view = walk.stack.look("home", user=walk.user)["view"]
    found = [(block.get("accessory") or {}).get("initial_option") for block in view["blocks"]]
    return {option["value"] for option in found if option}


def offered(stack: Stack) -> set[str]:
    """Every action that the bot has shown anybody, in messages, notes, forms and Homes."""
    shown = [call["args"] for call in stack.look("calls")["calls"]]
    found = set(re.findall(r'"action_id": ?"(\w+)"', json.dumps(shown).replace("\\", "")))
    assert found >= {actions.CANCEL, actions.OPEN_FORM, modal.RECIPE}
    return found


def unheard(stack: Stack) -> list[str]:
    """What the bot showed without words for whoever does not see it: a message, a request's button, a chart's numbers."""
    found = []
    for call in stack.look("calls")["calls"]:
        args = call["args"]
        if call["method"] in {"chat.postMessage", "chat.update"} and not str(args.get("text") or "").strip():
            found.append(f"no text in {call}")
        blocks = [*_listed(args.get("blocks")), *_listed((args.get("view") or {}).get("blocks"))]
        for block in blocks:
            in_a_message = [*block.get("elements", [])] if "view" not in args else []
            pressed = [
                one for one in [*in_a_message, block.get("accessory") or {}] if one.get("type") == "button"
            ]
            found += [f"no label on {one}" for one in pressed if not one.get("accessibility_label")]
            parts = (block.get("chart") or {}).get("segments", [])
            found += [
                f"{one} is in no text"
                for one in parts
                if f"{one['label']}: {one['value']}" not in args["text"]
            ]
    return found


def _listed(blocks: Any) -> list[dict[str, Any]]:
    return json.loads(blocks) if isinstance(blocks, str) else blocks or []
