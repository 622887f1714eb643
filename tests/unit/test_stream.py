"""An answer as a stream of Slack's: it grows in the thread, becomes the answer's message, and harms nobody (I4)."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from db import jobs, leases, line, outcomes, posts, preparing, rules
from db.models import Job, Lane, Post, Step
from db.rules import EVERYONE
from db.states import JobState, Origin, PostKind, PostState
from tasks.catalogue import say
from tasks.deliver import defuse, stage, stream
from tasks.deliver.stage import deliver
from tasks.infer.stage import serve
from tasks.rules import STREAMING
from tests import fakes
from tests.fakes import LEASE, MINUTE, NOW, SECOND, Clock, Slack, do, in_line, rows, set_row, slack_error, the

LANE = "slack/C1"
TEXT = "It began late. It ended early"


def switch(resources, on: object, scope: str = rules.workspace("T1")) -> None:
    do(resources.engine, rules.put, scope, STREAMING, on, "UOWNER", NOW)


@pytest.fixture(autouse=True)
def _on(resources) -> None:
    switch(resources, True)


def running(resources, answer: str = "", **changes) -> Job:
    """A job whose only call has written `answer` so far."""
    job = in_line(resources.engine, **{"thread_ts": "8.8", **changes})
    do(resources.engine, line.claim, "main", NOW, LEASE)
    return written(resources, job, answer)


def written(resources, job: Job, answer: str) -> Job:
    [step] = rows(resources.engine, Step, job_id=job.id)
    set_row(resources.engine, Step, step.id, answer=answer)
    return the(resources.engine, Job, job.id)


def look(resources, clock: Clock, job: Job, after: timedelta = stage.EDIT_EVERY) -> None:
    """A bell because the job moved on."""
    do(resources.engine, posts.refresh_card, job.id)
    deliver(resources, LANE)
    clock.move(after)


def answered(resources, clock: Clock, job: Job, text: str = f"{TEXT}.") -> None:
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), text, False, clock()))
    deliver(resources, LANE)
    clock.move(stage.EDIT_EVERY)


def row(resources, job: Job, kind: PostKind = PostKind.STREAM) -> Post:
    [post] = rows(resources.engine, Post, job_id=job.id, kind=kind)
    return post


def streamed(slack: Slack) -> list[str]:
    """What stands in the thread that is neither card, answer nor failure; without the reference."""
    others = [one["text"] for one in slack.messages if not one.get("metadata")]
    return [text.partition("\n\n")[2] or text for text in others]


def previews(slack: Slack) -> bool:
    return any(say("en", "card.written") in one["text"] for one in slack.of_kind("card"))


def is_answered_apart(slack: Slack, key: str = "stream.elsewhere") -> bool:
    """One answer in a message of its own, and one sentence where the stream was."""
    [result] = slack.of_kind("result")
    return result["text"] == f"<@UANNA> {TEXT}." and streamed(slack) == [say("en", key)]


# While the model writes


def test_an_answer_grows_in_its_thread_and_becomes_one_message(resources, slack: Slack, clock):
    in_line(resources.engine, thread_ts="8.8")
    seen = []

    def chunks():
        for chunk in fakes.streamed("It ", "began ", "**late**, ", "they say."):
            deliver(resources, LANE)
            seen.extend(streamed(slack))
            clock.move(SECOND)
            yield chunk

    with fakes.Model(fakes.streams(fakes.Stream(chunks()))).client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))
    deliver(resources, LANE)
    assert seen[:3] == ["It", "It began", "It began **late**,"]
    card, result = slack.messages
    assert result["text"] == "<@UANNA> It began late, they say."
    assert result["metadata"]["event_payload"]["kind"] == "result"
    assert result["thread_ts"] == "8.8"
    assert not previews(slack)
    assert "done in" in card["text"] or slack.called("chat_update")
    assert slack.streaming == set()
    assert len(slack.called("chat_stopStream")) == 1


def test_a_stream_names_its_reader_and_its_request(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    [start] = slack.called("chat_startStream")
    assert (start["recipient_user_id"], start["recipient_team_id"]) == ("UANNA", "T1")
    assert (start["channel"], start["thread_ts"]) == ("C1", "8.8")
    assert start["markdown_text"] == f"{say('en', 'failure.reference', reference=job.id)}\n\n{TEXT}"


def test_what_is_new_is_added_and_nothing_twice(resources, slack: Slack, clock):
    job = running(resources, "It began")
    look(resources, clock, job)
    for text in (TEXT, TEXT, f"{TEXT}. The ship came"):
        look(resources, clock, written(resources, job, text))
    assert streamed(slack) == [f"{TEXT}. The ship came"]
    assert len(slack.called("chat_appendStream")) == 2


def test_a_command_s_stream_hangs_from_its_card(resources, slack: Slack, clock):
    job = running(resources, TEXT, thread_ts=None, origin=Origin.COMMAND)
    look(resources, clock, job)
    assert slack.called("chat_startStream")[0]["thread_ts"] == slack.messages[0]["ts"]
    answered(resources, clock, job)
    assert [one.get("thread_ts") for one in slack.messages] == [None, slack.messages[0]["ts"]]


def test_the_rest_of_a_long_answer_follows_the_stream(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    long = "\n\n".join(f"Paragraph {number}. " + "Word " * 180 for number in range(30))
    answered(resources, clock, job, long)
    for _ in range(3):
        clock.move(stage.LEASE)
        deliver(resources, LANE)
    first, *rest = slack.of_kind("result")
    assert first["ts"] == row(resources, job).ts
    assert rest
    assert "Paragraph 0." in str(first["blocks"])
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_very_long_answer_goes_on_in_the_card(resources, slack: Slack, clock):
    job = running(resources, "word " * 900)
    look(resources, clock, job)
    assert not previews(slack)
    look(resources, clock, written(resources, job, "word " * 1100))
    assert len(streamed(slack)[0]) <= stream.MOST
    assert previews(slack)


# Who has streams


@pytest.mark.parametrize(
    ("workspace", "everyone", "streams"),
    [(None, None, False), (False, True, False), (None, True, True), (True, False, True)],
)
def test_streams_are_a_workspace_s_choice(resources, slack: Slack, clock, workspace, everyone, streams):
    do(resources.engine, rules.take_all, STREAMING)
    for scope, on in ((rules.workspace("T1"), workspace), (EVERYONE, everyone)):
        if on is not None:
            switch(resources, on, scope)
    job = running(resources, TEXT)
    look(resources, clock, job)
    assert bool(slack.called("chat_startStream")) is streams
    assert previews(slack) is not streams
    assert bool(rows(resources.engine, Post, kind=PostKind.STREAM)) is streams


@pytest.mark.parametrize("changes", [{"recipe": "extract"}, {"origin": Origin.API}])
def test_json_and_what_a_service_asked_for_are_not_streamed(resources, slack: Slack, clock, changes):
    job = running(resources, TEXT, **changes)
    look(resources, clock, job)
    assert slack.called("chat_startStream") == []


def test_more_answers_than_slack_lets_start_are_shown_on_their_cards(resources, slack: Slack, clock):
    fakes.declare(resources.engine, limit=10)
    made = [running(resources, TEXT, thread_ts=f"{n}.8", channel=f"C{n}") for n in range(10)]
    for n, job in enumerate(made):
        do(resources.engine, posts.refresh_card, job.id)
        deliver(resources, f"slack/C{n}")
    assert len(slack.called("chat_startStream")) == posts.STREAM_BURST
    assert sum(say("en", "card.written") in one["text"] for one in slack.of_kind("card")) == 4
    clock.move(posts.STREAM_PACE)
    do(resources.engine, posts.refresh_card, made[-1].id)
    deliver(resources, "slack/C9")
    assert len(slack.called("chat_startStream")) == posts.STREAM_BURST + 1


@pytest.mark.parametrize(
    "code", ["unknown_method", "feature_not_enabled", "missing_recipient_team_id", "not_allowed_token_type"]
)
def test_where_slack_has_no_streams_the_card_shows_it_and_slack_is_asked_again_later(
    resources, slack: Slack, clock, code
):
    slack.fail("chat_startStream", slack_error(code))
    job = running(resources, TEXT)
    look(resources, clock, job)
    look(resources, clock, job)
    assert previews(slack)
    other = running(resources, TEXT, thread_ts="9.9")
    look(resources, clock, other)
    assert len(slack.called("chat_startStream")) == 1
    answered(resources, clock, job)
    assert [one["text"] for one in slack.of_kind("result")] == [f"<@UANNA> {TEXT}."]
    clock.move(stream.ASK_AGAIN)
    look(resources, clock, other)
    assert len(slack.called("chat_startStream")) == 2


def test_a_place_without_streams_says_nothing_of_others(resources, slack: Slack, clock):
    slack.fail("chat_startStream", slack_error("channel_type_not_supported"))
    for thread in ("8.8", "9.9"):
        look(resources, clock, running(resources, TEXT, thread_ts=thread))
    assert len(slack.called("chat_startStream")) == 2


def test_after_a_429_no_stream_starts_for_a_minute(resources, slack: Slack, clock):
    slack.fail("chat_startStream", slack_error("ratelimited", 429, {"Retry-After": "5"}))
    look(resources, clock, running(resources, TEXT))
    other = running(resources, TEXT, thread_ts="9.9")
    look(resources, clock, other, after=MINUTE)
    assert len(slack.called("chat_startStream")) == 1
    assert the(resources.engine, Lane, LANE).not_before is None
    look(resources, clock, other)
    assert len(slack.called("chat_startStream")) == 2


@pytest.mark.parametrize("code", ["missing_scope", "not_in_channel"])
def test_where_nobody_may_look_no_stream_starts(resources, slack: Slack, clock, code):
    slack.fail("conversations_replies", slack_error(code))
    job = running(resources, TEXT)
    look(resources, clock, job)
    look(resources, clock, job)
    assert slack.called("chat_startStream") == []
    assert previews(slack)


# Once


def test_a_start_that_slack_did_not_confirm_is_found_by_its_reference(resources, slack: Slack, clock):
    slack.fail("chat_startStream", TimeoutError(), after=True)
    job = running(resources, TEXT)
    look(resources, clock, job, after=MINUTE)
    look(resources, clock, job)
    assert len(slack.called("chat_startStream")) == 1
    assert streamed(slack) == [say("en", "stream.later")]
    answered(resources, clock, job)
    [result] = slack.of_kind("result")
    assert (result["ts"], result["text"]) == (row(resources, job).ts, f"<@UANNA> {TEXT}.")
    assert streamed(slack) == []


def test_a_message_by_somebody_else_is_not_taken_for_the_stream(resources, slack: Slack, clock):
    slack.fail("chat_startStream", TimeoutError())
    job = running(resources, TEXT)
    look(resources, clock, job, after=MINUTE)
    words = {"channel": "C1", "thread_ts": "8.8", "ts": f"{clock().timestamp():.6f}"}
    slack.messages.append({**words, "user": "UBEN", "text": f"What became of {job.id}?"})
    look(resources, clock, job)
    assert len(slack.called("chat_startStream")) == 2
    assert row(resources, job).ts != words["ts"]


def test_an_answer_does_not_wait_for_a_start_that_is_not_known(resources, slack: Slack, clock):
    """And the stream, found later, says where the answer is."""
    slack.fail("chat_startStream", TimeoutError(), after=True)
    job = running(resources, TEXT)
    look(resources, clock, job)
    answered(resources, clock, job)
    [result] = slack.of_kind("result")
    assert result["text"] == f"<@UANNA> {TEXT}."
    assert the(resources.engine, Job, job.id).state is JobState.DONE
    clock.move(MINUTE)
    deliver(resources, LANE)
    assert is_answered_apart(slack)


def test_an_edit_that_slack_did_not_confirm_is_made_again(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), f"{TEXT}.", False, clock()))
    set_row(resources.engine, Post, row(resources, job, PostKind.CARD).id, state=PostState.DROPPED)
    slack.fail("chat_update", TimeoutError(), after=True)
    deliver(resources, LANE)
    clock.move(MINUTE)
    deliver(resources, LANE)
    assert [one["text"] for one in slack.of_kind("result")] == [f"<@UANNA> {TEXT}."]
    assert streamed(slack) == []
    assert the(resources.engine, Job, job.id).state is JobState.DONE


# When it cannot go on


def test_a_call_that_is_made_again_takes_back_what_was_streamed(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    look(resources, clock, written(resources, job, "It was late"))
    assert streamed(slack) == [say("en", "stream.later")]
    assert slack.streaming == set()
    look(resources, clock, written(resources, job, "It was late when it began"))
    assert previews(slack)
    answered(resources, clock, job)
    [result] = slack.of_kind("result")
    assert (result["ts"], result["text"]) == (row(resources, job).ts, f"<@UANNA> {TEXT}.")


def test_no_stream_is_open_while_a_job_waits_in_line(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    claimed = do(resources.engine, line.claim, "main", NOW, LEASE)
    look(resources, clock, written(resources, job, TEXT))
    assert slack.streaming
    do(resources.engine, leases.give_back, claimed, clock(), clock(), attempt_used=True)
    look(resources, clock, job)
    assert slack.streaming == set()
    assert streamed(slack) == [say("en", "stream.later")]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_half_an_answer_does_not_stand_there_as_one(resources, slack: Slack, clock, how):
    slack.locales["UANNA"] = "ko-KR"
    job = running(resources, TEXT)
    look(resources, clock, job)
    if how == "cancelled":
        do(resources.engine, outcomes.cancel, job.id, clock())
    else:
        do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, clock()))
    deliver(resources, LANE)
    clock.move(stage.EDIT_EVERY)
    assert streamed(slack) == [say("ko", "stream.unfinished")]
    assert slack.streaming == set()
    assert len(slack.of_kind("failure")) == (how == "failed")


def test_a_new_attempt_has_a_stream_of_its_own(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    do(resources.engine, lambda s: outcomes.fail(s, s.get_one(Job, job.id), "bug", {}, clock()))
    deliver(resources, LANE)
    clock.move(MINUTE)
    do(resources.engine, jobs.retry, job.id, 1, clock(), timedelta(hours=1))
    taken = do(resources.engine, preparing.claim, job.id, clock(), LEASE)
    do(
        resources.engine,
        preparing.prepared,
        job.id,
        taken.fence,
        "main",
        None,
        [fakes.a_step()],
        clock(),
    )
    do(resources.engine, line.claim, "main", clock(), LEASE)
    do(resources.engine, lambda s: s.execute(sa.update(Step).where(Step.attempt == 2).values(answer=TEXT)))
    look(resources, clock, job)
    assert streamed(slack) == [say("en", "stream.unfinished"), TEXT]
    answered(resources, clock, job)
    assert streamed(slack) == [say("en", "stream.unfinished")]
    assert len(slack.of_kind("result")) == 1


def test_a_stream_that_slack_ended_says_so_and_becomes_the_answer_all_the_same(
    resources, slack: Slack, clock
):
    job = running(resources, "It began")
    look(resources, clock, job)
    slack.streaming.clear()
    look(resources, clock, written(resources, job, TEXT))
    assert streamed(slack) == [say("en", "stream.later")]
    look(resources, clock, job)
    assert previews(slack)
    answered(resources, clock, job)
    [result] = slack.of_kind("result")
    assert result["ts"] == row(resources, job).ts


def test_words_that_may_not_be_added_yet_are_added_later(resources, slack: Slack, clock):
    """And it holds up neither cards nor posts."""
    job = running(resources, "It began")
    look(resources, clock, job)
    slack.fail("chat_appendStream", slack_error("ratelimited", 429, {"Retry-After": "3"}))
    look(resources, clock, written(resources, job, TEXT))
    lanes = {lane.name: lane.not_before for lane in rows(resources.engine, Lane)}
    assert not lanes.get(posts.EDITS)
    assert not lanes[LANE]
    clock.move(MINUTE)
    look(resources, clock, job)
    assert streamed(slack) == [TEXT]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("chat_stopStream", slack_error("ratelimited", 429, {"Retry-After": "30"})),
        ("chat_stopStream", TimeoutError()),
        ("chat_update", slack_error("ratelimited", 429, {"Retry-After": "30"})),
        ("chat_update", slack_error("streaming_state_conflict")),
    ],
)
def test_no_answer_waits_for_the_right_to_end_its_stream(resources, slack: Slack, clock, method, error):
    """It comes at once, and later the stream says so."""
    job = running(resources, TEXT)
    look(resources, clock, job)
    # The card of an answered job is edited as well, and first.
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), f"{TEXT}.", False, clock()))
    set_row(resources.engine, Post, row(resources, job, PostKind.CARD).id, state=PostState.DROPPED)
    slack.fail(method, error)
    deliver(resources, LANE)
    [result] = slack.of_kind("result")
    assert result["text"] == f"<@UANNA> {TEXT}."
    assert the(resources.engine, Job, job.id).state is JobState.DONE
    clock.move(MINUTE)
    deliver(resources, LANE)
    assert is_answered_apart(slack)
    assert slack.streaming == set()


def test_a_stream_that_somebody_deleted_is_not_missed(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    slack.messages = slack.messages[:1]
    answered(resources, clock, job)
    assert [one["text"] for one in slack.of_kind("result")] == [f"<@UANNA> {TEXT}."]


def test_a_job_that_moved_elsewhere_says_so_in_its_stream(resources, slack: Slack, clock):
    job = running(resources, TEXT)
    look(resources, clock, job)
    do(resources.engine, posts.move, job.id, "D1", "is_archived")
    do(resources.engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), f"{TEXT}.", False, clock()))
    deliver(resources, "slack/D1")
    [result] = slack.of_kind("result")
    assert result["channel"] == "D1"
    assert [one["text"] for one in slack.messages if one["channel"] == "C1"][1:] == [
        say("en", "stream.elsewhere")
    ]


# What it shows

HOSTILE = [
    "<!channel> &lt;!here&gt; &#60;!everyone&#62; ＜!channel＞",
    "@channel, ＠here and @everyone",
    "<@U123ABC> <#C123> <!subteam^S1>",
    "[bank](https://evil.test/a) and ![x](http://evil.test/b.png)",
    "[bank][1]\n\n[1]: https://evil.test",
    "https://evil.test www.evil.test evil.test/path <https://evil.test> mailto:a@evil.test",
    "h\u200bttps://evil.test @\u200bchannel <\u2060!here>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_streamed_pings_nobody_and_leads_nowhere(text):
    seen = stream.safe(text)
    assert defuse.live(seen) == []
    for live in ("://", "](", "]:", "evil.test", "@c", "@h", "@U", "<!", "<@", "<#", "<h", "&l", "&#"):
        assert live not in seen
    assert seen.replace(defuse.JOINER, "") == defuse.clean(text)


@pytest.mark.parametrize("text", [*HOSTILE, "1. One.\n2. Two: 3.5\n- [ ] a\r\n\r\n**굵게**한글 e.g. a.b"])
def test_pieces_say_what_the_whole_says(text):
    whole = stream._settled(text)
    for cut in range(len(whole)):
        first = stream._settled(whole[:cut])
        assert stream.safe(first) + stream.safe(whole[len(first) :]) == stream.safe(whole)


def test_values_stay_hidden_until_the_answer(resources, slack: Slack, clock):
    job = running(resources, "Call [PHONE-1] at noon")
    set_row(resources.engine, Job, job.id, originals="sealed")
    look(resources, clock, job)
    assert streamed(slack)[0].replace(defuse.JOINER, "") == "Call [PHONE-1] at noon"


@pytest.mark.parametrize("text", ["", " \n", "\u200b ", ".:"])
def test_of_nothing_there_is_no_stream(resources, slack: Slack, clock, text):
    job = running(resources, text)
    look(resources, clock, job)
    assert slack.called("chat_startStream") == []
