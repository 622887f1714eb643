"""Every way to ask in Slack makes one job with the right fields."""

import pytest

from db.states import JobState, Origin, PostKind
from tests import front_door_rig as rig
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url, door = rig.migrated_sqlite, rig.sqlite_url, rig.door
either_door = rig.either_door


def test_a_mention_makes_a_job_in_its_message_s_thread(either_door: Door) -> None:
    """The row is there when the answer is, with the card wanted, and both stages were rung."""
    sent = rig.mention("<@U0BOT> The whole text.")

    assert either_door.event(sent).status_code == 200

    job = either_door.job()
    ts = sent["event"]["ts"]
    assert (job.origin, job.team, job.channel, job.requester) == (Origin.MENTION, "T1", "C1", "U1")
    assert (job.thread_ts, job.message_ts, job.material_ts) == (ts, ts, None)
    assert (job.recipe, job.text, job.state) == ("summarize", "The whole text.", JobState.RECEIVED)
    assert (job.created_at, job.deadline - job.created_at) == (rig.NOW, rig.settings().job_deadline)
    (card,) = either_door.posts()
    assert (card.kind, card.job_id) == (PostKind.CARD, job.id)
    assert either_door.bell.rings == [("deliver", card.lane), ("prepare", job.id)]


@pytest.mark.parametrize(
    ("said", "recipe", "text"),
    [
        ("<@U0BOT> key-points One. Two.", "key-points", "One. Two."),
        ("<@U0BOT>: 번역 안녕하세요", "translate", "안녕하세요"),
        ("<@U0BOT> 요약해줘 긴 글입니다.", "summarize", "긴 글입니다."),
        ("Please <@U0BOT> look at what <@U2> wrote", "summarize", "Please look at what <@U2> wrote"),
        ("<@U0BOT|threadline> Named in the mention", "summarize", "Named in the mention"),
        ("Two lines\n<@U0BOT> of text", "summarize", "Two lines of text"),
        ("<@U0BOT> <@U0BOT> called twice", "summarize", "called twice"),
        ("<@U0BOT> The payload=1&a=%00 + of it", "summarize", "The payload=1&a=%00 + of it"),
        ("<@U0BOT> sumarize", "sumarize", "sumarize"),
    ],
)
def test_what_a_mention_asks_for(door: Door, said: str, recipe: str, text: str) -> None:
    """Our own name leaves the text wherever it stood, other names stay; a slip in the recipe's is kept for the reply."""
    assert door.event(rig.mention(said)).status_code == 200

    assert (door.job().recipe, door.job().text) == (recipe, text)


def test_a_mention_without_authorizations_loses_only_the_first_name(door: Door) -> None:
    """Who we are is then not told, so what stands first is taken for us."""
    sent = rig.mention("<@U0BOT> tell <@U2> about it")
    del sent["authorizations"]

    door.event(sent)

    assert door.job().text == "tell <@U2> about it"


@pytest.mark.parametrize(
    ("said", "takes_thread"),
    [
        ("<@U0BOT>", True),
        ("<@U0BOT> action-items", True),
        ("<@U0BOT> ask What was decided?", True),
        ("<@U0BOT> ask What was decided?\nWe meet on Monday.", False),
        ("<@U0BOT> Make it shorter, please.", True),
        ("<@U0BOT> summarize Only this text, please.", False),
        ("<@U0BOT> " + "Only this text, which is long. " * 11, False),
    ],
)
def test_a_mention_in_a_thread(door: Door, said: str, takes_thread: bool) -> None:
    """The answer goes to that thread, whose messages are the text when the mention brings none."""
    sent = rig.mention(said, thread_ts="1763700000.000001")

    assert door.event(sent).status_code == 200

    job = door.job()
    assert (job.thread_ts, job.message_ts) == ("1763700000.000001", sent["event"]["ts"])
    assert job.material_ts == ("1763700000.000001" if takes_thread else None)


@pytest.mark.parametrize("subtype", [None, "file_share"])
def test_a_direct_message(door: Door, subtype: str | None) -> None:
    """It needs no mention, and brings its files."""
    sent = rig.direct("key-points One. Two.", **({"subtype": subtype} if subtype else {}))

    assert door.event(sent).status_code == 200

    job = door.job()
    assert (job.origin, job.channel, job.thread_ts) == (Origin.DIRECT, "D1", sent["event"]["ts"])
    assert (job.recipe, job.text) == ("key-points", "One. Two.")


def test_a_direct_message_in_a_thread(door: Door) -> None:
    """It is answered in the same thread."""
    door.event(rig.direct("summarize Another text.", thread_ts="1763700000.000001"))

    job = door.job()
    assert (job.thread_ts, job.material_ts, job.text) == ("1763700000.000001", None, "Another text.")


def test_an_empty_direct_message_is_a_job_that_can_say_so(door: Door) -> None:
    """Such as a picture alone: the card in the thread will say what was missing."""
    door.event(rig.direct(""))

    assert door.job().text == ""


def test_the_shortcut_takes_the_message_it_was_used_on(door: Door) -> None:
    """The person who used it is the one who is answered, in that message's thread."""
    sent = rig.shortcut("What somebody else wrote.")

    answer = door.interaction(sent)

    assert (answer.status_code, answer.content) == (200, b"")
    job = door.job()
    assert (job.origin, job.team, job.channel, job.requester) == (Origin.SHORTCUT, "T1", "C1", "U1")
    assert (job.thread_ts, job.message_ts) == (sent["message"]["ts"], sent["message"]["ts"])
    assert (job.text, job.recipe) == ("What somebody else wrote.", "summarize")
    assert job.response_url == sent["response_url"]


def test_the_shortcut_on_a_reply_answers_in_the_thread(door: Door) -> None:
    """Not under the reply, where Slack shows no thread."""
    sent = rig.shortcut()
    sent["message"]["thread_ts"] = "1763700000.000001"

    door.interaction(sent)

    assert door.job().thread_ts == "1763700000.000001"


@pytest.mark.parametrize(
    "event",
    [
        rig.mention(bot_id="B1"),
        rig.direct(bot_id="B1", user="U0BOT"),
        rig.direct(subtype="bot_message", user=None, bot_id="B2"),
        rig.direct(subtype="message_changed", message={"text": "new", "user": "U1"}),
        rig.direct(subtype="message_deleted", deleted_ts="1763700000.000001"),
        rig.mention(type="message", subtype="channel_join", channel_type="channel"),
        rig.mention(type="message", channel_type="channel"),
        rig.mention(type="member_joined_channel"),
        rig.mention(type="reaction_added"),
    ],
    ids=lambda payload: payload["event"].get("subtype") or payload["event"]["type"],
)
def test_what_asks_for_nothing_is_acknowledged_and_makes_no_row(door: Door, event: dict[str, object]) -> None:
    """Bots, edits, notices, and what people write to each other in channels."""
    assert door.event(event).status_code == 200

    assert door.jobs() == []
    assert door.bell.rings == []
