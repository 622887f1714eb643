"""The playground's page in a real browser: what people do in it, and what the bot's posts look like there."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient

from db.models import Source
from tasks import recipes
from tasks.deliver import files, structured, views
from tests import documents, fakes, services
from tests.acceptance import browsing
from tests.acceptance import stack as stacks
from tests.acceptance.stack import ADA, LEO, MINJI, Stack

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 30
CHANNEL = "C0GENERAL"
XSS = '<img src=x onerror="window.broken=1"> <script>window.broken=1</script> [x](javascript:alert(1))'
KOREAN = "분기 보고서를 요약해 주세요. 감사합니다!"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def playground() -> Iterator[str]:
    """The address of a playground in a process of its own, with no bot behind it."""
    port = services.free_port()
    settings = {
        "PLAYGROUND_PORT": str(port),
        # Nobody listens on port 9, so that every event and command finds no bot.
        "PLAYGROUND_REQUEST_URL": "http://127.0.0.1:9/slack/events",
        "SLACK_BOT_TOKEN": "xoxb-playground",
    }
    environment = {**os.environ, **settings}
    environment.pop("DATABASE_URL", None)
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "playground"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:

            def answers() -> bool:
                assert process.poll() is None, _written(output)
                return _answers(url)

            services.wait_for(answers, START_SECONDS, "the playground's first answer")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright, browsing.chromium(playwright) as browser:
        yield browser


@pytest.fixture
def errors() -> list[str]:
    """What the page's console and its scripts complained about."""
    return []


@pytest.fixture
def page(playground: str, browser: Any, errors: list[str]) -> Iterator[Any]:
    """The page as Ada in #general, everything else as at the first start."""
    _post(f"{playground}/control/reset", {})
    _post(f"{playground}/control/limits", {"enforce": False})
    with browsing.opened(browser, f"{playground}/#user=U0ADA&at={CHANNEL}", errors) as page:
        expect(page.get_by_role("heading", name="#general")).to_be_visible()
        yield page


@pytest.fixture(scope="module")
def product(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole product behind the page, with two slots for everybody."""
    folder = tmp_path_factory.mktemp("product")
    with stacks.running(
        f"sqlite:///{folder / 'threadline.db'}", valkey_url, folder, socket_mode=False, LLM_LIMIT="2"
    ) as running:
        yield running


@pytest.fixture
def bot(playground: str) -> WebClient:
    return WebClient(token="xoxb-playground", base_url=f"{playground}/api/", timeout=10)


def test_people_write_in_channels_and_threads(page: Any, errors: list[str]) -> None:
    """Messages, Korean, hostile text and threads arrive as they were written, for everybody."""
    for text in (KOREAN, XSS):
        _write(page, text)
        expect(_messages(page).filter(has_text=text)).to_be_visible()
    assert page.evaluate("window.broken") is None
    assert page.locator("#messages img, #messages script").count() == 0

    _messages(page).filter(has_text=KOREAN).hover()
    page.locator("#messages [data-key^=reply]").first.click()
    reply = page.get_by_label("Reply in the thread", exact=True)
    reply.fill("/analyze help")
    reply.press("Enter")
    expect(page.locator("#thread-messages")).to_contain_text("/analyze is not supported in threads. Sorry!")
    reply.fill("A reply")
    reply.press("Enter")
    expect(page.locator("#thread-messages li").filter(has_text="A reply")).to_be_visible()
    expect(page.get_by_role("button", name="1 reply")).to_be_visible()

    page.locator("[data-user=U0MINJI]").click()
    expect(page.get_by_role("heading", name="누구로 쓸까요")).to_be_visible()
    expect(_messages(page).filter(has_text=KOREAN)).to_be_visible()
    assert errors == []


def test_people_attach_edit_and_delete(page: Any, errors: list[str], tmp_path: pathlib.Path) -> None:
    """A file goes along with a message and can be read there; one's own message can be changed and taken away."""
    report = tmp_path / "보고서.txt"
    report.write_text("첫째 줄", "utf-8")
    page.locator("#channel input[type=file]").set_input_files([str(report)] * 11)
    expect(page.locator("#channel .chip")).to_have_text([re.compile(r"보고서\.txt")] * 10)
    expect(page.get_by_text("10 files are the most")).to_be_visible()
    for _ in range(9):
        page.get_by_role("button", name="Remove 보고서.txt").first.click()
    expect(page.locator("#channel .chip")).to_contain_text("보고서.txt")
    _write(page, "Here it is, @threadline")
    sent = _messages(page).filter(has_text="Here it is")
    expect(sent.locator(".mention")).to_have_text("@threadline")
    sent.get_by_text("Preview").click()
    expect(sent.locator(".preview")).to_have_text("첫째 줄")

    _choose_in_menu(page, sent, "Edit")
    editor = page.get_by_role("textbox", name="Edit")
    expect(editor).to_have_value("Here it is, @threadline")
    editor.fill("There it was")
    editor.press("Enter")
    changed = _messages(page).filter(has_text="There it was")
    expect(changed).to_contain_text("(edited)")
    _choose_in_menu(page, changed, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(changed).to_have_count(0)
    assert errors == []


def test_what_comes_during_a_press_does_not_take_the_click(
    page: Any, bot: WebClient, errors: list[str]
) -> None:
    """The sidebar is drawn anew with every event; who is pressed stays until the button is let go."""
    leo = page.locator("[data-user=U0LEO]")
    leo.hover()
    page.mouse.down()
    bot.chat_postMessage(channel="C0RANDOM", text="Something new elsewhere")
    page.wait_for_function("async () => (await fetch('/control/messages?channel=C0RANDOM')).ok")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.mouse.up()
    expect(leo).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-channel=C0RANDOM] .count")).to_be_visible()
    assert errors == []


def test_a_stream_grows_on_the_page(page: Any, bot: WebClient, errors: list[str]) -> None:
    """As Markdown, with a caret while it does; then it is a message like others."""
    root = bot.chat_postMessage(channel=CHANNEL, text="Ask here")["ts"]
    reader = {"recipient_team_id": "T0PLAY", "recipient_user_id": ADA}
    begun = bot.chat_startStream(channel=CHANNEL, thread_ts=root, markdown_text="It **began**", **reader)
    page.locator(f"#messages li[data-ts='{root}']").get_by_role("button", name="1 reply").click()
    grows = page.locator(f"#thread-messages li[data-ts='{begun['ts']}']")
    expect(grows.locator("strong").filter(has_text="began")).to_be_visible()
    expect(grows.locator(".caret")).to_have_count(1)
    bot.chat_appendStream(channel=CHANNEL, ts=begun["ts"], markdown_text=" late")
    expect(grows).to_contain_text("It began late")
    bot.chat_stopStream(channel=CHANNEL, ts=begun["ts"])
    expect(grows.locator(".caret")).to_have_count(0)
    bot.chat_update(channel=CHANNEL, ts=begun["ts"], text="It ended")
    expect(grows).to_contain_text("It ended")
    assert errors == []


def test_long_texts_arrive_whole(page: Any, playground: str, errors: list[str]) -> None:
    """A pasted text of 40,000 characters is sent as it is, and shown folded."""
    text = ("가나다라마 " * 6667)[:39_999] + "끝"
    _write(page, text)
    expect(page.get_by_role("button", name="Show all")).to_be_visible()
    stored = _get(f"{playground}/control/messages?channel={CHANNEL}")["messages"]
    assert stored[-1]["text"] == text
    assert errors == []


def test_the_bots_posts_appear_live(page: Any, bot: WebClient, errors: list[str]) -> None:
    """Blocks, buttons, Markdown with Korean, edits and notes for one person show up without a reload."""
    card = {"type": "section", "text": {"type": "mrkdwn", "text": "*Summarize* for <@U0ADA>"}}
    button = {"type": "button", "action_id": "cancel", "text": {"type": "plain_text", "text": "Cancel it"}}
    buttons = {"type": "actions", "elements": [button | {"confirm": _confirm()}]}
    posted = bot.chat_postMessage(channel=CHANNEL, text="A card", blocks=[card, buttons])
    shown = page.locator(f"#messages li[data-ts='{posted['ts']}']")
    expect(shown.locator("strong").filter(has_text="Summarize")).to_be_visible()
    shown.get_by_role("button", name="Cancel it").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    # Nobody is behind the playground here, and Slack would say so.
    expect(page.locator("#notices")).to_contain_text("the bot did not answer")
    expect(page.locator("#banner")).to_be_visible()

    bot.chat_update(
        channel=CHANNEL, ts=posted["ts"], text="Done", blocks=[{"type": "markdown", "text": _MARKDOWN}]
    )
    expect(shown.locator("strong").filter(has_text="강조")).to_have_text("강조")
    expect(shown).to_contain_text("한글강조입니다")
    expect(shown.locator("table td").first).to_have_text("p99")
    expect(shown.locator("ul ul li")).to_have_text("nested")
    expect(shown.locator("pre")).to_contain_text("<b>code</b>")
    expect(shown.get_by_role("link", name="here")).to_have_attribute("rel", "noopener noreferrer")

    bot.chat_postEphemeral(channel=CHANNEL, user="U0ADA", text="A word in private")
    expect(_messages(page).filter(has_text="A word in private")).to_contain_text("Only visible to you")
    bot.chat_postMessage(channel=CHANNEL, thread_ts=posted["ts"], text="The result")
    expect(page.get_by_role("button", name="1 reply")).to_be_visible()
    page.locator("[data-user=U0LEO]").click()
    expect(shown).to_be_visible()
    expect(_messages(page).filter(has_text="A word in private")).to_have_count(0)
    assert errors == []


def test_an_answer_in_a_form_is_seen_as_a_chart_a_table_and_files(
    page: Any, bot: WebClient, errors: list[str]
) -> None:
    """The blocks that the product makes: drawn, with the numbers for whoever does not see the drawing."""
    recipe = recipes.load().get("classify")
    assert recipe is not None
    answers = [("불만", "늦었어요"), ("칭찬", "좋아요"), ("불만", XSS)]
    own = Source(
        job_id="x", ordinal=0, name="r.csv", kind="csv", header=["글"], rows=[[text] for _, text in answers]
    )
    said = [
        {"row": row, "answer": {"label": label, "sure": "high"}} for row, (label, _) in enumerate(answers, 1)
    ]
    job = fakes.a_job(
        result=json.dumps({"items": said}), question="불만, 칭찬", requester="U0ADA", recipe="classify"
    )
    of = structured.read(job, recipe, [own])
    message, _, _ = views.result("ko", job, job.result or "", 0, of)
    posted = bot.chat_postMessage(channel=CHANNEL, text=message.text, blocks=message.blocks)
    shown = _messages(page).filter(has_text="라벨: 모두 3건")
    expect(shown.locator("figure.chart svg.pie circle")).to_have_count(2)
    expect(shown.locator("figure.chart .legend")).to_contain_text("불만")
    expect(shown.locator("figure.chart table")).to_contain_text("2")
    expect(shown.locator(".table-wrap tr")).to_have_count(4)
    file = files.make("ko", job, job.result or "", of, files.CHART)
    bot.files_upload_v2(
        channel=CHANNEL, thread_ts=posted["ts"], content=file.content, filename=file.name, alt_txt=file.alt
    )
    page.get_by_role("button", name="1 reply").click()
    expect(page.get_by_alt_text("1. 불만: 2, 2. 칭찬: 1")).to_be_visible()
    assert errors == []


def test_an_agent_s_session_is_seen_and_stopped(
    page: Any, playground: str, bot: WebClient, errors: list[str]
) -> None:
    """Its thread says that the agent works, also after the page was loaded anew; Stop tells the bot."""
    asked = {"user": "U0ADA", "channel": CHANNEL, "text": "A question"}
    ts = _post(f"{playground}/control/say", asked)["ts"]
    bot.chat_postMessage(channel=CHANNEL, thread_ts=ts, text="The card")
    page.get_by_role("button", name="1 reply").click()
    status = page.locator("#thread-status")
    expect(status).to_be_hidden()
    bot.agents_sessions_setStatus(channel_id=CHANNEL, thread_ts=ts, status="processing")
    expect(status).to_contain_text("is working")
    page.reload()
    expect(status).to_contain_text("is working")
    with page.expect_request("**/control/stop") as pressed:
        status.get_by_role("button", name="Stop").click()
    assert pressed.value.post_data_json == {"user": "U0ADA", "channel": CHANNEL, "thread_ts": ts}
    bot.agents_sessions_setStatus(channel_id=CHANNEL, thread_ts=ts, status="active")
    expect(status).to_be_hidden()
    assert errors == []


def test_modals_and_app_home(page: Any, playground: str, bot: WebClient, errors: list[str]) -> None:
    """A modal opens over the page, keeps the keyboard, insists on required fields and closes on Esc."""
    said = _post(f"{playground}/control/say", {"user": "U0ADA", "channel": CHANNEL, "text": "x"})
    shortcut = {"user": "U0ADA", "channel": CHANNEL, "ts": said["ts"], "callback_id": "analyze_message"}
    trigger = _post(f"{playground}/control/shortcut", shortcut)["trigger_id"]
    field = {"type": "plain_text_input", "action_id": "text", "multiline": True}
    block = {"type": "input", "block_id": "b", "label": _plain("Text"), "element": field}
    bot.views_open(
        trigger_id=trigger,
        view={"type": "modal", "title": _plain("Analyze"), "submit": _plain("Go"), "blocks": [block]},
    )
    modal = page.get_by_role("dialog", name="Analyze")
    expect(modal.get_by_label("Text")).to_be_focused()
    modal.get_by_role("button", name="Go").click()
    expect(modal.get_by_role("alert")).to_have_text("Please complete this required field.")
    page.reload()
    expect(modal).to_be_visible()
    page.keyboard.press("Escape")
    expect(modal).to_have_count(0)

    bot.views_publish(
        user_id="U0ADA", view={"type": "home", "blocks": [{"type": "header", "text": _plain("Mine")}]}
    )
    page.locator("[data-channel=D0ADA]").click()
    page.get_by_role("button", name="Home", exact=True).click()
    expect(page.locator(".home")).to_contain_text("Mine")
    assert errors == []


def test_misbehaving_from_the_drawer(page: Any, playground: str, bot: WebClient, errors: list[str]) -> None:
    """The drawer orders a fault that the bot then meets, and ends all of them again."""
    page.get_by_role("button", name="Misbehave").click()
    page.get_by_role("button", name="Out of memory").click()
    expect(page.locator(".said")).to_have_text("Sent: Out of memory")
    assert [fault["kind"] for fault in _get(f"{playground}/control/model")["faults"]] == ["out_of_memory"]
    page.get_by_role("button", name="End all faults").click()
    expect(page.locator(".said")).to_have_text("All faults ended.")
    assert _get(f"{playground}/control/model")["faults"] == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Misbehave")).to_be_focused()
    expect(page.locator("#model .slot")).to_have_count(4)
    assert errors == []


def test_files_are_attached_to_a_message_and_to_the_form(
    product: Stack, browser: Any, errors: list[str], tmp_path: pathlib.Path
) -> None:
    """The card says what was understood, and the answer is of the file; one that was taken away again does not go."""
    product.clear()
    report, other = tmp_path / "report.docx", tmp_path / "보고.hwpx"
    report.write_bytes(
        documents.docx(documents.paragraph("The ferry leaves at seven. The bus leaves at eight."))
    )
    other.write_bytes(documents.hwpx("배는 일곱 시에 떠난다."))
    with browsing.opened(browser, f"{product.play.url}/#user={ADA}&at=D0ADA", errors) as page:
        page.locator("#channel input[type=file]").set_input_files([str(report), str(other)])
        expect(page.locator("#channel .chip")).to_have_count(2)
        page.get_by_role("button", name="Remove 보고.hwpx").click()
        _write(page, "When does the ferry leave?", "Message Threadline")
        sent = _messages(page).filter(has_text="When does the ferry leave?")
        expect(sent.locator(".file-name")).to_have_text("report.docx")
        sent.get_by_role("button", name=re.compile("repl")).click()
        thread = page.locator("#thread-messages")
        expect(thread).to_contain_text("report.docx: 51 characters, English.", timeout=30_000)
        expect(thread).to_contain_text("The ferry leaves at seven.", timeout=30_000)

        page.get_by_label("Message Threadline").fill("/analyze")
        page.locator("#channel").get_by_role("button", name="Send").click()
        form = page.get_by_role("dialog", name="Ask Threadline")
        form.get_by_role("button", name="Ask").click()
        expect(form.get_by_role("alert")).to_have_text(
            "There is nothing to work on. Write a text, or attach a file."
        )
        form.get_by_label("Files").set_input_files([str(report), str(other)])
        expect(form.locator(".chip")).to_have_count(2)
        form.get_by_role("button", name="Remove report.docx").click()
        expect(form.locator(".chip")).to_have_text(re.compile("보고.hwpx"))
        form.get_by_role("button", name="Ask").click()
        expect(form).to_have_count(0)
        expect(_messages(page).filter(has_text="보고.hwpx: ")).to_be_visible(timeout=30_000)
    assert errors == []


def test_three_people_share_the_line_while_one_floods_it(
    product: Stack, browser: Any, errors: list[str]
) -> None:
    """One sees who holds the slots, who is next and what each was served; the flood's tail comes last."""
    product.clear()
    before = {job["id"] for job in product.look("line")["jobs"]}

    def new_jobs() -> list[dict[str, Any]]:
        return [job for job in product.look("line")["jobs"] if job["id"] not in before]

    # Nobody is answered before all have asked, so that there is a line to look at.
    product.act("model", slots=2, answer="fixed", tokens=60)
    product.hold_model()
    with browsing.opened(browser, f"{product.play.url}/#user={ADA}&at=D0ADA", errors) as page:
        expect(page.locator(".upcoming")).to_contain_text("Nobody is waiting.")
        page.get_by_label("Who floods the line").select_option("김민지")
        page.get_by_label("How many requests").fill("12")
        page.get_by_role("button", name="Flood").click()
        expect(page.locator("#flood .flooded")).to_have_text("김민지 sent 12.")
        for at in range(2):
            product.say(LEO, "D0LEO", f"Leo has a question, number {at}. It is short.")
        _write(page, "Ada has one as well. It is short, too.", "Message Threadline")

        expect(page.locator(".share-slots .held")).to_have_count(2)
        expect(page.get_by_role("img", name="calls wait. The next ones are of: ")).to_be_visible()
        expect(page.locator(".job-place").filter(has_text="ahead").first).to_be_visible()
        product.wait(lambda: len(new_jobs()) == 15, "all have asked")
        # A second for each call.
        product.let_model_go(tokens_per_second=60)
        for person, name in ((ADA, "Ada Lovelace"), (MINJI, "김민지"), (LEO, "Leo Park")):
            row = page.locator(f".served [data-person={person}]")
            expect(row).to_contain_text(name)
            expect(row.locator(".served-tokens")).to_have_text(re.compile("[1-9]"), timeout=30_000)

        def answered() -> list[dict[str, Any]]:
            jobs = new_jobs()
            return jobs if all(job["ended_at"] for job in jobs) else []

        ended = product.wait(answered, "everybody's answers")
        light = max(job["ended_at"] for job in ended if job["user"] != MINJI)
        assert sum(job["ended_at"] > light for job in ended) >= 4
        assert {job["state"] for job in ended} <= {"answered", "done"}
        expect(page.locator(f".served [data-person={MINJI}]")).to_contain_text("12 done")
        expect(page.locator(".upcoming")).to_contain_text("Nobody is waiting.")
    assert errors == []


_MARKDOWN = """한글**강조**입니다

- one
  - nested

| what | ms |
|---|--:|
| p99 | 96 |

```
<b>code</b>
```
Read it [here](https://example.com) or [not](javascript:alert(1))."""


def _messages(page: Any) -> Any:
    return page.locator("#messages li")


def _write(page: Any, text: str, label: str = "Message #general") -> None:
    composer = page.get_by_label(label)
    composer.fill(text)
    composer.press("Enter")
    expect(composer).to_have_value("")


def _choose_in_menu(page: Any, message: Any, name: str) -> None:
    message.hover()
    message.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=name).click()


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def _confirm() -> dict[str, Any]:
    words = {name: _plain(text) for name, text in (("title", "Cancel?"), ("confirm", "Yes"), ("deny", "No"))}
    return {**words, "text": _plain("It loses its place.")}


def _answers(url: str) -> bool:
    try:
        _get(f"{url}/control/state")
    except OSError:
        return False
    return True


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def _post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def _written(output: Any) -> str:
    output.seek(0)
    return str(output.read().decode(errors="replace"))
