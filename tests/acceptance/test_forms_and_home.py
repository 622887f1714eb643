"""The form, the App Home, and stopping by word, as people use them: over both transports, in both languages."""

import json
import signal
from typing import Any

import pytest

from tests import documents
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, RESEARCH, Stack

pytestmark = pytest.mark.timeout(120)

TEXT = "The lighthouse keeper wrote a diary. It rained for nine days. The ship came on a Sunday."
KOREAN = "회의는 월요일에 열렸다. 예산은 삼백만 원으로 정했다. 민지는 금요일까지 초안을 쓴다."


def form(stack: Stack, user: str, text: str = "", channel: str = RESEARCH) -> dict[str, Any]:
    """The form that the command opens without a text."""
    said = stack.act("command", user=user, channel=channel, command="/analyze", text=text)
    assert said["status"] == 200
    (view,) = stack.look("views", user=user)["views"]
    return dict(view)


def submit(stack: Stack, user: str, view: dict[str, Any], **values: Any) -> dict[str, Any]:
    return stack.act("submit", user=user, view_id=view["id"], values=values)


def cards(stack: Stack, channel: str, job: str | None = None) -> list[dict[str, Any]]:
    found = stack.look("messages", channel=channel)["messages"]
    return [
        one for one in found if (one.get("metadata") or {}).get("event_payload", {}).get("kind") == "card"
    ]


def told_of(stack: Stack, name: str) -> dict[str, Any]:
    """The card that tells what was understood of that file."""

    def found() -> list[dict[str, Any]]:
        return [card for card in cards(stack, RESEARCH) if name in card["text"]]

    return dict(stack.wait(found, f"the card that names {name}")[0])


def home(stack: Stack, user: str) -> str:
    """The App Home's words, once it is published."""
    stack.act("home", user=user)
    view = stack.wait(lambda: stack.look("home", user=user)["view"], "the home is published")
    return json.dumps(view, ensure_ascii=False)


def test_the_form_asks_as_the_command_would(stack: Stack) -> None:
    """A recipe with its question, answered in the thread of a card; the form is gone."""
    before = {card["ts"] for card in cards(stack, RESEARCH)}
    view = form(stack, ADA, "ask")
    assert "A short summary of a text" in json.dumps(view)
    sent = submit(stack, ADA, view, text=TEXT, question="When did the ship come?")
    assert sent["status"] == 200
    assert not sent["ack"]
    assert not stack.look("views", user=ADA)["views"]
    (card,) = stack.wait(
        lambda: [one for one in cards(stack, RESEARCH) if one["ts"] not in before], "the card"
    )
    stack.answer(RESEARCH, card["ts"])


def test_errors_stand_beside_their_field_and_the_form_stays(stack: Stack) -> None:
    """A question that is missing, in the person's language; once it is there the form is taken."""
    view = form(stack, MINJI, "질문")
    sent = submit(stack, MINJI, view, text=KOREAN)
    assert sent["ack"]["response_action"] == "errors"
    assert "질문" in sent["ack"]["errors"]["question"]
    assert stack.look("views", user=MINJI)["views"]
    assert not submit(stack, MINJI, view, text=KOREAN, question="예산은 얼마인가요?")["ack"]


def test_the_form_takes_files(stack: Stack) -> None:
    """With words that say what is wanted of them; the card tells what was understood, in the asker's language."""
    files = [
        stack.attach(MINJI, "old.txt", b"The budget is 40,000 euros."),
        stack.attach(MINJI, "new.docx", documents.docx(documents.paragraph("The budget is 50,000 euros."))),
    ]
    view = form(stack, MINJI, "ask")
    assert not submit(stack, MINJI, view, question="What is the budget?", files=files)["ack"]
    card = told_of(stack, "old.txt")
    assert "old.txt: 27자, 영어" in card["text"]
    assert "new.docx: 27자, 영어" in card["text"]
    answer = json.dumps(stack.answer(RESEARCH, card["ts"]), ensure_ascii=False)
    assert "40,000" in answer
    assert "50,000" in answer


def test_a_form_without_text_and_files_stays(stack: Stack) -> None:
    """It says so beside the text, and takes a file alone."""
    view = form(stack, ADA)
    assert "attach a file" in submit(stack, ADA, view)["ack"]["errors"]["text"]
    file = stack.attach(ADA, "diary.txt", TEXT.encode())
    assert not submit(stack, ADA, view, files=[file])["ack"]
    card = told_of(stack, "diary.txt")
    assert "lighthouse" in json.dumps(stack.answer(RESEARCH, card["ts"]))


def test_only_me_is_answered_by_direct_message(stack: Stack) -> None:
    """And leaves nothing in the channel. The answer comes in the language that was chosen."""
    in_channel, direct = len(cards(stack, GENERAL)), {card["ts"] for card in cards(stack, "D0LEO")}
    submit(stack, LEO, form(stack, LEO, channel=GENERAL), text=TEXT, place="only_me", language="ko")
    (card,) = stack.wait(
        lambda: [one for one in cards(stack, "D0LEO") if one["ts"] not in direct], "the card"
    )
    stack.answer("D0LEO", card["ts"])
    assert len(cards(stack, GENERAL)) == in_channel


def test_the_shortcut_opens_the_form_from_anywhere(stack: Stack) -> None:
    """Without a channel the answer is for the person alone, and no place is asked for."""
    stack.act("shortcut", user=ADA, callback_id="new_analysis")
    (view,) = stack.look("views", user=ADA)["views"]
    assert "place" not in {block["block_id"] for block in view["blocks"]}
    direct = {card["ts"] for card in cards(stack, "D0ADA")}
    submit(stack, ADA, view, text=TEXT)
    (card,) = stack.wait(
        lambda: [one for one in cards(stack, "D0ADA") if one["ts"] not in direct], "the card"
    )
    stack.answer("D0ADA", card["ts"])


def test_the_home_shows_requests_with_buttons_that_work(stack: Stack) -> None:
    """A running request is cancelled from there, and the Home says so."""
    stack.hold_model()
    stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: "the model is working" in home(stack, ADA), "the home shows the request")
    view = stack.look("home", user=ADA)["view"]
    pressed = next(
        block for block in view["blocks"] if (block.get("accessory") or {}).get("action_id") == "cancel"
    )
    stack.act("press", user=ADA, view_id=view["id"], action_id="cancel", block_id=pressed["block_id"])
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the call is closed")
    stack.wait(
        lambda: "the model is working" not in json.dumps(stack.look("home", user=ADA)["view"]),
        "the home is shown anew",
    )


def test_settings_of_the_home_hold(stack: Stack) -> None:
    """Language, recipe and mention; and back again."""
    home(stack, LEO)

    def choose(action: str, value: str) -> None:
        view = stack.look("home", user=LEO)["view"]
        stack.act("press", user=LEO, view_id=view["id"], action_id=action, value=value)

    choose("set_language", "ko")
    stack.wait(
        lambda: "내 요청" in json.dumps(stack.look("home", user=LEO)["view"], ensure_ascii=False), "Korean"
    )
    choose("set_recipe", "key-points")
    choose("set_mention", "no")
    ts = stack.say(LEO, GENERAL, f"<@U0BOT> {TEXT}")
    result = stack.answer(GENERAL, ts)
    assert f"<@{LEO}>" not in json.dumps(result)
    assert "핵심" in stack.replies(GENERAL, ts, "card")[0]["text"]
    for action, value in (("set_language", "-"), ("set_recipe", "-"), ("set_mention", "yes")):
        choose(action, value)
    ts = stack.say(LEO, GENERAL, f"<@U0BOT> {TEXT}")
    assert f"<@{LEO}>" in json.dumps(stack.answer(GENERAL, ts))


def test_delete_my_data_does(stack: Stack) -> None:
    """What was kept is gone; what was open is cancelled, and its card says so."""
    done = stack.say(MINJI, RESEARCH, f"<@U0BOT> {KOREAN}")
    stack.answer(RESEARCH, done)
    stack.hold_model()
    ts = stack.say(MINJI, RESEARCH, f"<@U0BOT> {KOREAN}")
    stack.wait(lambda: stack.look("model")["in_flight"] == 1, "the call is in flight")
    stack.wait(lambda: stack.replies(RESEARCH, ts, "card"), "the card")
    home(stack, MINJI)
    view = stack.look("home", user=MINJI)["view"]
    stack.act("press", user=MINJI, view_id=view["id"], action_id="delete_data", value="all")
    stack.wait(lambda: "취소" in stack.replies(RESEARCH, ts, "card")[0]["text"], "the card says cancelled")
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the call is closed")
    stack.wait(lambda: "요청 0건의 글" in home(stack, MINJI), "nothing is kept")


@pytest.mark.parametrize(("user", "word"), [(ADA, "stop"), (MINJI, "그만")])
def test_a_word_in_the_thread_frees_the_model_server(stack: Stack, user: str, word: str) -> None:
    """A plain reply of the requester; somebody else's does nothing."""
    stack.hold_model()
    ts = stack.say(user, GENERAL, f"<@U0BOT> {TEXT}")
    stack.wait(lambda: stack.look("model")["in_flight"] == 1, "the call is in flight")
    stack.say(LEO, GENERAL, word, thread_ts=ts)
    stack.wait(lambda: stack.look("state")["events_under_way"] == 0, "all events are delivered")
    assert stack.look("model")["in_flight"] == 1
    stack.say(user, GENERAL, word, thread_ts=ts)
    stack.wait(lambda: stack.look("model")["in_flight"] == 0, "the call is closed")


def test_an_edit_and_a_deletion_are_respected(stack: Stack) -> None:
    """While a request waits: it is answered for its new words, or not at all."""
    stack.stop("prepare", signal.SIGKILL)
    edited = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    deleted = stack.say(ADA, GENERAL, f"<@U0BOT> {TEXT}")
    for ts in (edited, deleted):
        stack.wait(lambda ts=ts: stack.replies(GENERAL, ts, "card"), "the card")
    new = "The harbour was frozen. Nobody sailed that winter. The inn was full."
    stack.act("edit", user=ADA, channel=GENERAL, ts=edited, text=f"<@U0BOT> {new}")
    stack.act("delete", user=ADA, channel=GENERAL, ts=deleted)
    stack.wait(lambda: stack.look("state")["events_under_way"] == 0, "all events are delivered")
    stack.start("prepare", "tasks", "prepare")
    assert "harbour" in json.dumps(stack.answer(GENERAL, edited))
    stack.wait(
        lambda: all("cancelled" in card["text"] for card in stack.replies(GENERAL, deleted, "card")),
        "the deleted one is cancelled",
    )
    assert not stack.replies(GENERAL, deleted, "result")


def test_a_follow_up_knows_what_was_said(stack: Stack) -> None:
    """A line in the thread is about the thread, and two run in order."""
    ts = None
    for said in (TEXT, "When did the ship come?", "How long did it rain?"):
        asked = stack.say(ADA, GENERAL, f"<@U0BOT> {said}", thread_ts=ts)
        ts = ts or asked
        # Their order is that in which they are taken; Slack sends two at once on two connections.
        stack.wait(lambda: stack.look("state")["events_under_way"] == 0, "the event is acknowledged")
    stack.answer(GENERAL, ts, 3)
    order = [reply["metadata"]["event_payload"]["job"] for reply in stack.replies(GENERAL, ts, "result")]
    asked = [reply["metadata"]["event_payload"]["job"] for reply in stack.replies(GENERAL, ts, "card")]
    assert order == asked


def test_a_follow_up_on_a_command_knows_its_text_for_its_writer_alone(stack: Stack) -> None:
    """Nobody else in the channel saw what was typed after the command, nor does the model say it to them."""
    stack.act("model", answer="fixed")
    before = {card["ts"] for card in cards(stack, GENERAL)}
    stack.act("command", user=ADA, channel=GENERAL, command="/analyze", text=f"summarize {TEXT}")
    (card,) = stack.wait(
        lambda: [one for one in cards(stack, GENERAL) if one["ts"] not in before], "the card"
    )
    stack.answer(GENERAL, card["ts"])
    stack.act("model", answer="echo")
    stack.say(LEO, GENERAL, "<@U0BOT> How long did it rain?", thread_ts=card["ts"])
    assert "nine days" not in json.dumps(stack.answer(GENERAL, card["ts"], 2))
    stack.say(ADA, GENERAL, "<@U0BOT> How long did it rain?", thread_ts=card["ts"])
    assert "nine days" in json.dumps(stack.answer(GENERAL, card["ts"], 3))


def answered(stack: Stack, user: str, channel: str, text: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A request that is done: its ts, its card and its result."""
    ts = stack.say(user, channel, f"<@U0BOT> {text}")
    result = stack.answer(channel, ts)
    card = stack.wait(
        lambda: [one for one in stack.replies(channel, ts, "card") if "again" in json.dumps(one)],
        "the card offers more",
    )[0]
    return ts, card, result


def test_an_answer_is_saved_and_shared_once(stack: Stack) -> None:
    """By its person, however often they press; somebody else's press does nothing."""
    ts, card, _ = answered(stack, ADA, RESEARCH, TEXT)

    def shared() -> list[dict[str, Any]]:
        return [
            one
            for one in stack.look("messages", channel=RESEARCH)["messages"]
            if (one.get("metadata") or {}).get("event_payload", {}).get("kind") == "share"
        ]

    def files() -> list[dict[str, Any]]:
        return [one for one in stack.thread(RESEARCH, ts) if one.get("files")]

    before = len(shared())
    for user in (LEO, ADA, ADA):
        for action in ("save", "share"):
            stack.act("press", user=user, channel=RESEARCH, ts=card["ts"], action_id=action)
    stack.wait(lambda: len(shared()) > before and files(), "both are there")
    stack.answer(RESEARCH, stack.say(ADA, RESEARCH, f"<@U0BOT> {TEXT}"))
    assert len(shared()) == before + 1
    assert len(files()) == 1
    assert "lighthouse" in json.dumps(shared()[-1]["blocks"])
    assert f"<@{ADA}>" in json.dumps(shared()[-1]["blocks"])


def test_a_request_is_run_again_with_another_recipe(stack: Stack) -> None:
    """With the same input, in the same thread; a recipe that needs a question asks for it."""
    ts, card, _ = answered(stack, MINJI, GENERAL, KOREAN)
    stack.act("press", user=MINJI, channel=GENERAL, ts=card["ts"], action_id="again")
    (view,) = stack.look("views", user=MINJI)["views"]
    refused = submit(stack, MINJI, view, recipe="ask")
    assert "question" in refused["ack"]["errors"]
    assert not submit(stack, MINJI, view, recipe="key-points")["ack"]
    stack.answer(GENERAL, ts, 2)


def test_thumbs_are_kept_with_the_job(stack: Stack) -> None:
    """A thumb down asks why; the note is optional, and what is kept shows in the metrics' numbers alone."""
    _, _, result = answered(stack, ADA, GENERAL, TEXT)
    attempt = f"{result['metadata']['event_payload']['job']}:1"
    press = {"channel": GENERAL, "ts": result["ts"], "action_id": "feedback"}
    stack.act("press", user=ADA, value=f"{attempt}:down", **press)
    (view,) = stack.look("views", user=ADA)["views"]
    assert not submit(stack, ADA, view, note="It left out the snow-goose.")["ack"]
    stack.wait(lambda: not stack.look("views", user=ADA)["views"], "the form is closed")
    assert "snow-goose" not in stack.logs()
    before = len(stack.look("ephemerals", user=LEO)["messages"])
    stack.act("press", user=LEO, value=f"{attempt}:up", **press)
    stack.wait(
        lambda: [
            one
            for one in stack.look("ephemerals", user=LEO)["messages"][before:]
            if "Only the person" in one["text"]
        ],
        "somebody else is told that it is not theirs",
    )
