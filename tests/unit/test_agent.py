"""Slack's session of an agent: its Stop button stands while the model works, and never holds up a card."""

from datetime import timedelta

import pytest

from db import line, outcomes, posts
from db.models import Job, Post
from db.states import JobState, PostKind, PostState
from tasks.deliver import agent, stage
from tasks.deliver.stage import deliver
from tests.deliveries import LANE
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    Clock,
    Slack,
    accepted,
    do,
    in_line,
    rows,
    set_row,
    slack_error,
    the,
)

THREAD = ("C1", "8.8")


def running(resources, **changes) -> Job:
    job = in_line(resources.engine, **{"thread_ts": "8.8", **changes})
    do(resources.engine, line.claim, "main", NOW, LEASE)
    return the(resources.engine, Job, job.id)


def bell(resources, clock: Clock) -> None:
    deliver(resources, LANE)
    clock.move(stage.EDIT_EVERY)


def end(resources, job: Job, clock: Clock) -> None:
    do(resources.engine, outcomes.cancel, job.id, clock())


def card(resources, job: Job) -> Post:
    [post] = rows(resources.engine, Post, job_id=job.id, kind=PostKind.CARD)
    return post


def test_the_session_works_from_the_claim_to_the_end(resources, slack: Slack, clock):
    job = in_line(resources.engine, thread_ts="8.8")
    bell(resources, clock)
    assert slack.sessions == {}
    do(resources.engine, line.claim, "main", NOW, LEASE)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.WORKS}
    for _ in range(3):
        do(resources.engine, posts.refresh_card, job.id)
        bell(resources, clock)
    end(resources, job, clock)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.RESTS}
    assert [call["status"] for call in slack.called("agents_sessions_setStatus")] == [
        agent.WORKS,
        agent.RESTS,
    ]
    assert card(resources, job).state is PostState.SHOWN


def test_a_job_that_never_ran_has_no_session(resources, slack: Slack, clock):
    job = accepted(resources.engine, thread_ts="8.8")
    bell(resources, clock)
    end(resources, job, clock)
    bell(resources, clock)
    assert slack.called("agents_sessions_setStatus") == []


def test_a_command_s_session_is_the_thread_of_its_card(resources, slack: Slack, clock):
    """Also when the model began before the card was there."""
    running(resources, thread_ts=None)
    bell(resources, clock)
    assert slack.sessions == {("C1", slack.messages[0]["ts"]): agent.WORKS}


@pytest.mark.parametrize("code", ["missing_scope", "unknown_method", "not_an_agent"])
def test_an_app_that_is_no_agent_is_asked_once_in_a_while(resources, slack: Slack, clock, code):
    slack.fail("agents_sessions_setStatus", *[slack_error(code)] * 2)
    for thread in ("8.8", "9.9"):
        running(resources, thread_ts=thread)
        bell(resources, clock)
    assert len(slack.called("agents_sessions_setStatus")) == 1
    assert len(slack.of_kind("card")) == 2
    clock.move(agent.ASK_AGAIN)
    running(resources, thread_ts="10.10")
    bell(resources, clock)
    assert len(slack.called("agents_sessions_setStatus")) == 2


def test_after_a_429_what_slack_allows_is_for_a_minute_for_sessions_that_end(resources, slack: Slack, clock):
    ends = running(resources, thread_ts="9.9")
    bell(resources, clock)
    slack.fail("agents_sessions_setStatus", slack_error("ratelimited", 429, {"Retry-After": "30"}))
    job = running(resources)
    bell(resources, clock)
    end(resources, ends, clock)
    do(resources.engine, posts.refresh_card, job.id)
    clock.move(30 * SECOND)
    bell(resources, clock)
    assert slack.sessions == {("C1", "9.9"): agent.RESTS}
    clock.move(30 * SECOND)
    do(resources.engine, posts.refresh_card, job.id)
    bell(resources, clock)
    assert slack.sessions[THREAD] == agent.WORKS


@pytest.mark.parametrize(
    "error", [slack_error("ratelimited", 429, {"Retry-After": "30"}), slack_error("http_500", 500)]
)
def test_a_session_that_could_not_be_ended_is_ended_later(resources, slack: Slack, clock, error):
    """And the card is right at once."""
    job = running(resources)
    bell(resources, clock)
    slack.fail("agents_sessions_setStatus", error)
    end(resources, job, clock)
    bell(resources, clock)
    assert "cancelled" in slack.messages[0]["text"]
    assert slack.sessions == {THREAD: agent.WORKS}
    clock.move(MINUTE)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.RESTS}
    assert card(resources, job).state is PostState.SHOWN


def test_a_session_that_cannot_be_ended_is_left_in_the_end(resources, slack: Slack, clock):
    job = running(resources)
    bell(resources, clock)
    slack.fail("agents_sessions_setStatus", *[TimeoutError()] * 1000)
    end(resources, job, clock)
    while clock() - NOW < agent.PATIENCE + 2 * MINUTE:
        bell(resources, clock)
        clock.move(agent.TRY_AGAIN)
    assert card(resources, job).state is PostState.SHOWN
    assert 50 < len(slack.called("agents_sessions_setStatus")) < 200


def test_a_status_without_an_answer_is_taken_away_at_the_end(resources, slack: Slack, clock):
    slack.fail("agents_sessions_setStatus", TimeoutError(), after=True)
    job = running(resources)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.WORKS}
    end(resources, job, clock)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.RESTS}


def test_a_stop_button_stays_for_another_request_of_the_thread(resources, slack: Slack, clock):
    first, second = running(resources), running(resources)
    bell(resources, clock)
    end(resources, first, clock)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.WORKS}
    end(resources, second, clock)
    clock.move(agent.TRY_AGAIN)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.RESTS}
    assert {card(resources, job).state for job in (first, second)} == {PostState.SHOWN}


@pytest.mark.parametrize("code", ["not_in_channel", "thread_not_found"])
def test_a_thread_that_is_closed_to_us_says_nothing_about_others(resources, slack: Slack, clock, code):
    slack.fail("agents_sessions_setStatus", slack_error(code))
    running(resources)
    running(resources, thread_ts="9.9")
    bell(resources, clock)
    assert slack.sessions == {("C1", "9.9"): agent.WORKS}


def test_a_card_that_somebody_deleted_takes_its_session_along(resources, slack: Slack, clock):
    job = running(resources)
    bell(resources, clock)
    slack.fail("chat_update", slack_error("message_not_found"))
    set_row(resources.engine, Job, job.id, state=JobState.WAITING)
    do(resources.engine, posts.refresh_card, job.id)
    bell(resources, clock)
    assert slack.sessions == {THREAD: agent.RESTS}


def test_what_was_noted_beside_a_card_stays(resources, slack: Slack, clock):
    """A drop that says so in the card, while the status is being set."""
    job = running(resources)
    set_row(resources.engine, Post, card(resources, job).id, body={"left": "C9", "reason": "is_archived"})
    bell(resources, clock)
    assert card(resources, job).body == {"left": "C9", "reason": "is_archived", "session": agent.WORKS}


def test_slack_s_calls_for_a_card_fit_its_lease():
    """A name, a look-up, an edit, a status."""
    assert 4 * stage.slack.TIMEOUT + timedelta(seconds=1) < stage.LEASE
