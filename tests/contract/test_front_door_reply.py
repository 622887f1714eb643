"""A plain reply in a thread asks where the owners allow it, of whoever was answered there, and of nobody else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from db import session
from db.models import Job
from db.states import JobState
from tasks.catalogue import say
from tests import front_door_rig as rig
from tests import playground_rig
from tests.front_door_rig import NOW, Door

migrated_sqlite, sqlite_url = rig.migrated_sqlite, rig.sqlite_url

ROOT = "1763700000.000001"
OWNER = "U0OWNER"


@pytest.fixture
def door(migrated_url: str) -> Iterator[Door]:
    """Somebody's request is answered in a thread of C1, where replies are on."""
    with rig.opened(migrated_url, admins=OWNER) as made:
        answered(made)
        yield made


def answered(door: Door) -> None:
    door.event(rig.mention(ts=ROOT))
    door.change(door.job(), state=JobState.DONE, result="Short.", created_at=NOW.replace(hour=8))
    ordered(door, "replies on")


def ordered(door: Door, words: str, **fields: str) -> str:
    return door.command(rig.command(f"admin {words}", user_id=OWNER, **fields)).text


def said(text: str = "Make it shorter.", **event: object) -> dict[str, Any]:
    """A message in the thread that names nobody."""
    there = {"channel_type": "channel", "channel": "C1", "thread_ts": ROOT}
    return rig.direct(text, **{**there, **event})


def asked(door: Door, payload: dict[str, Any]) -> Job | None:
    """The job that a message made, beside the first."""
    before = {job.id for job in door.jobs()}
    assert door.event(payload).status_code == 200
    new = [job for job in door.jobs() if job.id not in before]
    return new[0] if new else None


def test_a_reply_goes_on_about_the_thread(door: Door) -> None:
    """With what was said there as its text, as a mention would; its card and its answer come in the thread."""
    job = asked(door, said())
    assert job is not None
    assert (job.recipe, job.text, job.material_ts, job.thread_ts) == ("ask", "Make it shorter.", ROOT, ROOT)
    assert door.bell.rings[-2:] == [("deliver", "slack/C1"), ("prepare", job.id)]


@pytest.mark.parametrize(
    ("text", "recipe", "material"),
    [
        ("translate", "translate", ROOT),
        ("번역해줘", "translate", ROOT),
        ("summarize A new text.", "summarize", None),
        ("Shorter", "ask", ROOT),
        ("왜?", "ask", ROOT),
        ("translat", "translat", None),
    ],
)
def test_what_a_reply_asks_for(door: Door, text: str, recipe: str, material: str | None) -> None:
    """A recipe by its name, a wish in a word; what nearly names a recipe is told of by prepare."""
    job = asked(door, said(text))
    assert job is not None
    assert (job.recipe, job.material_ts) == (recipe, material)


@pytest.mark.parametrize(
    "reply",
    [
        said(user="U2"),
        said(thread_ts=None),
        said(thread_ts="1763700000.000009"),
        said(channel="C2"),
        said(bot_id="B1"),
        said(subtype="bot_message", user=None, bot_id="B2"),
        said(subtype="message_replied"),
        said("<@U2> what do you think?"),
        said("<@U2|leo>: and you?"),
        said("Leo, <@U0BOT> said so."),
        said("Thanks!"),
        said("네, 감사합니다 :pray: 👍"),
        said(":thumbsup:"),
        said(""),
    ],
)
def test_what_is_not_for_us(door: Door, reply: dict[str, Any]) -> None:
    """Other people, places and bots, what names somebody or us (that comes as a mention), and a courtesy."""
    assert asked(door, reply) is None


@pytest.mark.parametrize("state", [JobState.RECEIVED, JobState.FAILED, JobState.CANCELLED])
def test_only_an_answer_is_gone_on_from(door: Door, state: JobState) -> None:
    """Before it, people in the thread may as well speak with each other."""
    door.change(door.job(), state=state)
    assert asked(door, said()) is None


def test_a_second_reply_follows_the_first(door: Door) -> None:
    """Before the first is answered; the claim keeps their order."""
    first, second = asked(door, said()), asked(door, said("And in Korean?"))
    assert first is not None
    assert second is not None


def test_a_mention_that_also_comes_as_a_message_is_asked_once(door: Door) -> None:
    """In either order, and when Slack repeats the reply."""
    mention = rig.mention("<@U0BOT> Make it shorter.", thread_ts=ROOT, ts="1763700100.000001")
    twin = said("<@U0BOT> Make it shorter.", ts="1763700100.000001")
    assert asked(door, twin) is None
    assert asked(door, mention) is not None
    assert asked(door, twin) is None
    reply = said()
    assert asked(door, reply) is not None
    assert asked(door, reply) is None


def test_a_file_beside_a_courtesy_asks(door: Door) -> None:
    """A file is something to work on."""
    job = asked(door, said("thanks", subtype="file_share", files=[{"id": "F0ONE", "name": "a.pdf"}]))
    assert job is not None
    assert job.files == [{"id": "F0ONE", "name": "a.pdf"}]


def test_edits_and_the_words_that_stop_count(door: Door) -> None:
    """As for a mention; a word that stops is no request, also with nothing to stop."""
    sent = said(ts="1763700100.000001")
    assert asked(door, sent) is not None
    now = {**sent["event"], "text": "Make it longer."}
    edit = {
        "type": "message",
        "subtype": "message_changed",
        "message": now,
        "previous_message": sent["event"],
    }
    door.event(rig._callback({**edit, "channel": "C1", "channel_type": "channel"}))
    reply = next(job for job in door.jobs() if job.message_ts != ROOT)
    assert reply.text == "Make it longer."
    assert asked(door, said("그만")) is None
    assert {job.state for job in door.jobs()} == {JobState.DONE, JobState.CANCELLED}
    assert asked(door, said("stop")) is None


def test_where_it_is_not_allowed_nothing_is_asked(door: Door) -> None:
    """The channel's word goes before everybody's, and nothing said is off."""
    ordered(door, "replies off")
    assert asked(door, said()) is None
    ordered(door, "replies on everyone")
    assert asked(door, said()) is None
    ordered(door, "replies on", channel_id="C2AA")
    ordered(door, "replies on <#C1AA|general>")
    told = ordered(door, "replies off C1AA")
    assert told == say("en", "admin.replies_off_in", channel="<#C1AA>")


def test_everywhere(door: Door) -> None:
    """One order for all channels that do not say otherwise."""
    door.change(door.job(), channel="C9")
    assert asked(door, said(channel="C9")) is None
    assert ordered(door, "replies on everyone") == say("en", "admin.replies_on")
    assert asked(door, said(channel="C9")) is not None


def test_a_reply_that_cannot_be_looked_up_is_sent_again(door: Door) -> None:
    """I1: what is not committed is not acknowledged."""
    door.resources.engine.dispose()
    door.resources.__dict__["engine"] = session.connect(
        "postgresql+psycopg://nobody@127.0.0.1:9/none", patience=rig.IMPATIENCE
    )
    assert door.event(said()).status_code == 503


def test_whoever_may_not_ask_is_told(migrated_url: str) -> None:
    """A reply is refused in words, as a mention is."""
    with playground_rig.receiving() as slack:
        slack.answers({"ok": True, "user": {"locale": "en-US"}})
        api = slack.url.replace("/slack/events", "/api/")
        with rig.opened(migrated_url, admins=OWNER, slack_api_url=api) as door:
            answered(door)
            ordered(door, "drain Moving.")
            assert b"user=U0OWNER" in slack.next().body, "Slack is asked for the language of somebody new"
            assert asked(door, said()) is None
            heard = json.loads(slack.next().body)
    assert heard["text"] == say("en", "error.draining", says="Moving.")
    assert heard["thread_ts"] == ROOT
