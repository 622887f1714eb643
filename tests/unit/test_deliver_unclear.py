"""Outcomes that nobody told us: a post that may be there is looked for, never sent twice (I4)."""

import pytest

from db import jobs, outcomes, posts
from db.models import Job, Post
from db.states import JobState, PostKind, PostState
from tasks.deliver import stage
from tasks.deliver.stage import deliver
from tests.deliveries import LANE, LATER, answer, fail, of_kind, run
from tests.fakes import (
    MINUTE,
    NOW,
    SECOND,
    Slack,
    accepted,
    do,
    in_line,
    rows,
    set_row,
    slack_error,
    the,
)


@pytest.mark.parametrize("kind", ["card", "result", "failure"])
@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(), slack_error("internal_error", 500)]
)
def test_a_message_whose_sending_timed_out_after_its_effect_is_found_and_not_sent_again(
    resources, slack: Slack, clock, kind, error
):
    job = in_line(resources.engine, thread_ts="8.8")
    if kind != "card":
        run(resources, clock)
        (answer if kind == "result" else fail)(resources, job)
    slack.fail("chat_postMessage", error, after=True)
    run(resources, clock, times=4)
    assert len(slack.of_kind(kind)) == 1
    [post] = of_kind(resources, PostKind(kind))
    assert (post.state, post.ts) == (PostState.SHOWN, slack.of_kind(kind)[0]["ts"])


@pytest.mark.parametrize("thread_ts", [None, "8.8"])
def test_a_message_whose_sending_failed_before_its_effect_is_sent_again_once(
    resources, slack: Slack, clock, thread_ts
):
    accepted(resources.engine, thread_ts=thread_ts)
    slack.fail("chat_postMessage", TimeoutError())
    run(resources, clock, times=4)
    assert len(slack.messages) == 1
    assert len(slack.called("chat_postMessage")) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        slack_error("ratelimited", 429, {"Retry-After": "5"}),
        slack_error("internal_error", 500),
        slack_error("invalid_arguments"),
        slack_error("token_revoked"),
        TimeoutError(),
    ],
    ids=str,
)
def test_a_look_up_that_fails_does_not_make_the_message_appear_twice(resources, slack: Slack, clock, trouble):
    accepted(resources.engine, thread_ts="8.8")
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    slack.fail("conversations_replies", trouble)
    run(resources, clock, times=4)
    assert len(slack.messages) == 1
    assert of_kind(resources, PostKind.CARD)[0].state is PostState.SHOWN


def test_a_message_is_found_although_slacks_clock_runs_behind(resources, slack: Slack, clock):
    accepted(resources.engine, thread_ts="8.8", created_at=NOW + 30 * SECOND)
    clock.move(30 * SECOND)
    slack.clock = lambda: NOW
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    run(resources, clock, times=3)
    assert len(slack.messages) == 1


def test_a_worker_that_died_after_posting_is_followed_by_one_that_looks(resources, slack: Slack, clock):
    accepted(resources.engine)
    deliver(resources, LANE)
    [card] = of_kind(resources, PostKind.CARD)
    # As if the crash had come before the record.
    set_row(resources.engine, Post, card.id, state=PostState.WANTED, ts=None, shown=None, sending_since=NOW)
    run(resources, clock, times=2)
    assert len(slack.messages) == 1
    assert of_kind(resources, PostKind.CARD)[0].state is PostState.SHOWN


def test_a_card_found_again_is_brought_up_to_date(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    run(resources, clock)
    do(resources.engine, outcomes.cancel, job.id, NOW)
    run(resources, clock, times=2)
    [message] = slack.messages
    assert "cancelled" in message["text"]


def test_a_file_whose_upload_timed_out_after_its_effect_is_not_uploaded_again(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    answer(resources, job, "\n\n".join("Word " * 400 for _ in range(200)))
    slack.fail("files_upload_v2", TimeoutError(), after=True)
    run(resources, clock, times=5)
    assert len(slack.called("files_upload_v2")) == 1
    assert the(resources.engine, Job, job.id).state is JobState.DONE


def test_a_failure_that_was_retried_before_slack_told_of_it_holds_nothing_up(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    run(resources, clock)
    fail(resources, job)
    slack.fail("chat_postMessage", TimeoutError(), after=True)
    run(resources, clock)
    assert do(resources.engine, jobs.retry, job.id, 1, clock.now, MINUTE)
    other = accepted(resources.engine, requester="U2")
    run(resources, clock, times=2)
    assert [one.state for one in rows(resources.engine, Post, job_id=other.id)] == [PostState.SHOWN]
    assert len(slack.of_kind("failure")) == 1
    assert of_kind(resources, PostKind.FAILURE)[0].state is PostState.DROPPED


def test_a_worker_that_lost_its_lane_records_nothing(resources, slack: Slack, clock):
    job = in_line(resources.engine)
    slow_post = slack.chat_postMessage

    def slow(**message):
        posted = slow_post(**message)
        clock.move(stage.LEASE)
        do(resources.engine, posts.claim, LANE, clock.now, stage.LEASE)
        return posted

    slack.chat_postMessage = slow
    deliver(resources, LANE)
    [card] = of_kind(resources, PostKind.CARD)
    assert (card.state, card.ts, card.sending_since) == (PostState.WANTED, None, NOW)
    assert card.job_id == job.id


def test_a_post_is_watched_while_it_is_sent(resources, slack: Slack, clock, monkeypatch):
    """Whoever freezes before it speaks is ended, and cannot speak after somebody else has (decision 0017)."""
    accepted(resources.engine)
    held, post = [], slack.chat_postMessage

    def send(**message):
        held.append(resources.deadman.held())
        return post(**message)

    monkeypatch.setattr(slack, "chat_postMessage", send)
    deliver(resources, LANE)
    assert held == [1]
    assert resources.deadman.held() == 0


def test_a_lane_that_took_as_long_as_its_lease_to_get_says_nothing(
    resources, slack: Slack, clock, monkeypatch
):
    """Its lease is about to be another's: the post waits for whoever comes next."""
    accepted(resources.engine)
    claim = posts.claim

    def slow(*given):
        work = claim(*given)
        clock.move(stage.LEASE - SECOND)
        return work

    monkeypatch.setattr(posts, "claim", slow)
    deliver(resources, LANE)
    assert slack.messages == []
    monkeypatch.undo()
    clock.move(LATER)
    deliver(resources, LANE)
    assert len(slack.messages) == 1
