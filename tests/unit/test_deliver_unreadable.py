"""A message that may be there, in a place that we may not read: said once more only where it does no harm (I4)."""

from datetime import timedelta

import pytest

from db import jobs, posts
from db.models import Job, Post
from db.states import JobState, Origin, PostKind, PostState
from tasks import slack as slack_api
from tasks.catalogue import say
from tasks.deliver import once, stage
from tasks.deliver.stage import deliver
from tests.deliveries import LANE, answer, fail, run
from tests.fakes import NOW, Slack, accepted, do, in_line, rows, slack_error, the

CODES = ["missing_scope", "not_in_channel", "channel_not_found", "access_denied"]
LONG = "\n\n".join("Word " * 400 for _ in range(200))


def unreadable(slack: Slack, code: str = "missing_scope") -> None:
    for method in ("conversations_replies", "conversations_history"):
        slack.fail(method, *[slack_error(code) for _ in range(200)])


def post_of(resources, kind: PostKind) -> Post:
    [post] = rows(resources.engine, Post, kind=kind)
    return post


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("kind", ["result", "failure"])
def test_the_card_says_it_and_nothing_is_sent_again(resources, slack: Slack, clock, kind, code, after):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    unreadable(slack, code)
    slack.fail("chat_postMessage", TimeoutError(), after=after)
    (answer if kind == "result" else fail)(resources, job)
    run(resources, clock, times=4)
    assert len(slack.of_kind(kind)) == after
    card = slack.of_kind("card")[0]
    assert say("en", "card.unconfirmed") in card["text"]
    said = "began" if kind == "result" else say("en", "error.bug")
    assert said in str(card["blocks"])
    assert {post.state for post in rows(resources.engine, Post)} == {PostState.SHOWN}
    assert the(resources.engine, Job, job.id).state is (
        JobState.DONE if kind == "result" else JobState.FAILED
    )
    assert slack.called("conversations_open") == []


def test_it_is_said_in_korean(resources, slack: Slack, clock):
    slack.locales["UANNA"] = "ko-KR"
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    unreadable(slack)
    slack.fail("chat_postMessage", TimeoutError())
    answer(resources, job)
    run(resources, clock, times=4)
    assert say("ko", "card.unconfirmed") in slack.of_kind("card")[0]["text"]


def test_a_retry_from_the_card_makes_it_a_status_card_again(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    unreadable(slack)
    slack.fail("chat_postMessage", TimeoutError())
    fail(resources, job)
    run(resources, clock, times=3)
    assert f"{job.id}:1" in str(slack.of_kind("card")[0]["blocks"])
    assert do(resources.engine, jobs.retry, job.id, 1, clock.now, timedelta(hours=9))
    run(resources, clock, times=2)
    [card] = slack.of_kind("card")
    assert say("en", "card.unconfirmed") not in card["text"]
    assert say("en", "error.bug") not in str(card["blocks"])


def test_an_unclear_part_of_a_long_answer_does_not_hold_up_the_others(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    unreadable(slack)
    answer(resources, job, "\n\n".join(f"Paragraph {number}. " + "Word " * 180 for number in range(30)))
    slack.fail("chat_postMessage", TimeoutError(), TimeoutError())
    run(resources, clock, times=6)
    results = rows(resources.engine, Post, kind=PostKind.RESULT)
    assert len(results) > 2
    assert {post.state for post in results} == {PostState.SHOWN}
    card = slack.of_kind("card")[0]
    assert "Paragraph 0." in str(card["blocks"])
    assert len(card["blocks"]) <= 50
    assert say("en", "card.unconfirmed_more") in card["text"]
    assert "Paragraph 29." in str(slack.of_kind("result")[-1]["blocks"])


def test_a_file_that_may_be_there_is_not_uploaded_twice(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    unreadable(slack)
    answer(resources, job, LONG)
    slack.fail("files_upload_v2", TimeoutError(), after=True)
    run(resources, clock, times=6)
    assert len(slack.called("files_upload_v2")) == 1
    assert say("en", "card.unconfirmed_more") in slack.of_kind("card")[0]["text"]
    assert the(resources.engine, Job, job.id).state is JobState.DONE


@pytest.mark.parametrize("origin", [Origin.MENTION, Origin.COMMAND])
def test_a_card_that_may_be_there_is_not_sent_again_and_the_answer_comes(
    resources, slack: Slack, clock, origin
):
    job = in_line(resources.engine, thread_ts="8.8" if origin is Origin.MENTION else None, origin=origin)
    unreadable(slack, "not_in_channel")
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    run(resources, clock, times=2)
    answer(resources, job)
    run(resources, clock, times=3)
    assert len(slack.of_kind("card")) == 1
    assert len(slack.of_kind("result")) == 1
    assert "<@UANNA>" in slack.of_kind("result")[0]["text"]
    assert post_of(resources, PostKind.CARD).error == "not_in_channel"


def test_without_a_card_to_say_it_the_answer_comes_by_direct_message(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    unreadable(slack)
    slack.fail("chat_postMessage", TimeoutError())
    run(resources, clock, times=2)
    slack.fail("chat_postMessage", TimeoutError())
    answer(resources, job)
    run(resources, clock, times=3)
    run(resources, clock, times=2, lane="slack/D-UANNA")
    card, result = slack.messages
    assert say("en", "channel.unreadable") in card["text"]
    assert (card["channel"], result["channel"]) == ("D-UANNA", "D-UANNA")
    assert the(resources.engine, Job, job.id).state is JobState.DONE


@pytest.mark.parametrize("gone", ["deleted", "closed"])
def test_a_card_that_is_lost_with_what_it_says_is_followed_by_a_direct_message(
    resources, slack: Slack, clock, gone
):
    job = in_line(resources.engine, thread_ts="8.8")
    run(resources, clock)
    unreadable(slack)
    slack.fail("chat_postMessage", TimeoutError())
    answer(resources, job)
    run(resources, clock)
    if gone == "deleted":
        slack.messages.clear()
    else:
        slack.closed["C1"] = "not_in_channel"
    run(resources, clock, times=3)
    run(resources, clock, times=2, lane="slack/D-UANNA")
    [card] = [one for one in slack.messages if one["channel"] == "D-UANNA"]
    assert "began" in str(card["blocks"])


@pytest.mark.parametrize("thread_ts", [None, "8.8"])
def test_a_message_is_found_behind_many_pages_of_others(resources, slack: Slack, clock, thread_ts):
    accepted(resources.engine, thread_ts=thread_ts)
    stamp = NOW.timestamp()
    noise = {"channel": "C1", "thread_ts": thread_ts, "text": "Chatter."}
    slack.messages += [{**noise, "ts": f"{stamp + number / 1e4:.6f}"} for number in range(3 * once.PAGE)]
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    run(resources, clock, times=4)
    assert len(slack.of_kind("card")) == 1
    assert len(slack.called("chat_postMessage")) == 1
    method = "conversations_replies" if thread_ts else "conversations_history"
    assert len(slack.called(method)) == 4
    assert post_of(resources, PostKind.CARD).state is PostState.SHOWN


def test_a_long_look_up_keeps_the_lane(resources, slack: Slack, clock):
    accepted(resources.engine)
    stamp = NOW.timestamp()
    slack.messages += [
        {"channel": "C1", "thread_ts": None, "text": "Chatter.", "ts": f"{stamp + number / 1e4:.6f}"}
        for number in range(10 * once.PAGE)
    ]
    slack.fail("chat_postMessage", TimeoutError())
    run(resources, clock)
    look = slack.conversations_history

    def slowly(**asked):
        found = look(**asked)
        clock.move(slack_api.TIMEOUT)
        assert do(resources.engine, posts.claim, LANE, clock.now, stage.LEASE) is None
        return found

    slack.conversations_history = slowly
    run(resources, clock)
    assert len(slack.of_kind("card")) == 1


@pytest.mark.parametrize("first_try", [True, False])
def test_a_worker_that_was_frozen_until_another_had_its_lane_sends_nothing(
    resources, slack: Slack, clock, first_try
):
    accepted(resources.engine)
    if not first_try:
        slack.fail("chat_postMessage", TimeoutError())
        run(resources, clock)
    sent = len(slack.called("chat_postMessage"))
    hears = slack.users_info if first_try else slack.conversations_history

    def frozen(**asked):
        clock.move(stage.LEASE)
        assert do(resources.engine, posts.claim, LANE, clock.now, stage.LEASE)
        return hears(**asked)

    setattr(slack, "users_info" if first_try else "conversations_history", frozen)
    deliver(resources, LANE)
    assert len(slack.called("chat_postMessage")) == sent
    assert slack.messages == []
