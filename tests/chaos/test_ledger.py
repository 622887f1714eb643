"""The ledger itself: each way of being uneven is seen, and an even one is not complained of."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from db import outcomes, posts
from db.models import Job, Post
from db.states import JobState, PostKind
from tests import fakes
from tests.chaos import ledger
from tests.chaos.ledger import Said
from tests.chaos.traffic import Ask
from tests.fakes import NOW, do, rows

ASK = Ask(7, 0.0, "mention", "U1", 20, channel="C1", thread="8.8", event_id="Ev7")
OTHER = Ask(8, 0.0, "mention", "U1", 20, channel="C1", thread="9.9", event_id="Ev8")


@pytest.fixture
def job(sqlite_engine: sa.Engine) -> Job:
    """A request that is done: a card and a result are in its thread."""
    fakes.declare(sqlite_engine)
    made = fakes.accepted(sqlite_engine, text=ASK.text, thread_ts="8.8")
    _end(sqlite_engine, made, JobState.DONE)
    return made


def _end(engine: sa.Engine, job: Job, state: JobState) -> None:
    def end(session: Any) -> None:
        mine = session.get_one(Job, job.id)
        outcomes.answer(session, mine, ASK.text, truncated=False, now=NOW)
        mine.state = state

    do(engine, end)


def _said(engine: sa.Engine, job: Job) -> list[Said]:
    """What Slack holds when all is well."""
    of_job = sorted(rows(engine, Post, job_id=job.id), key=lambda post: post.id)
    marks = {PostKind.RESULT: frozenset({ASK.mark})}
    return [
        Said("C1", "8.8", f"{number}.0", job.id, post.id, post.kind, marks.get(post.kind, frozenset()))
        for number, post in enumerate(of_job, 10)
    ]


def _verdict(engine: sa.Engine, messages: list[Said], *asks: Ask) -> dict[str, int]:
    judged = ledger.judge([*asks] or [ASK], [*asks] or [ASK], engine, messages)
    return {
        what: getattr(judged, what)
        for what in ("lost", "answered_twice", "posted_twice", "out_of_order", "wrong_thread")
        if getattr(judged, what)
    }


def test_an_even_ledger(sqlite_engine, job):
    """A card, a result, in their thread: nothing is wrong."""
    assert _verdict(sqlite_engine, _said(sqlite_engine, job)) == {}


def test_a_request_without_a_job_is_lost(sqlite_engine, job):
    """It was acknowledged, and nobody knows of it."""
    assert _verdict(sqlite_engine, _said(sqlite_engine, job), ASK, OTHER) == {"lost": 1}


def test_a_thread_that_does_not_say_how_it_ended_is_lost(sqlite_engine, job):
    """The rows say that it was answered, and Slack does not."""
    card, _ = _said(sqlite_engine, job)
    assert _verdict(sqlite_engine, [card]) == {"lost": 1}


def test_a_card_that_still_shows_half_an_answer_is_out_of_order(sqlite_engine, job):
    """What was true before the end."""
    card, result = _said(sqlite_engine, job)
    assert _verdict(sqlite_engine, [replace(card, grows=True), result]) == {"out_of_order": 1}


def test_a_job_that_never_ends_is_lost(sqlite_engine, job):
    """Whatever was said on the way."""
    _end(sqlite_engine, job, JobState.RUNNING)
    assert _verdict(sqlite_engine, _said(sqlite_engine, job)) == {"lost": 1}


def test_the_same_post_in_two_messages_was_posted_twice(sqlite_engine, job):
    """By the metadata that each message carries."""
    card, result = _said(sqlite_engine, job)
    assert _verdict(sqlite_engine, [card, result, replace(result, ts="20.0")]) == {"posted_twice": 1}


def test_two_outcomes_of_one_attempt_are_two_answers(sqlite_engine, job):
    """A result and a failure cannot both be true."""
    do(sqlite_engine, lambda s: posts.want(s, s.get_one(Job, job.id), PostKind.FAILURE, NOW))
    assert _verdict(sqlite_engine, _said(sqlite_engine, job)) == {"answered_twice": 1}


def test_two_jobs_of_one_request_are_two_answers(sqlite_engine, job):
    """Each with a thread that is in order."""
    again = fakes.accepted(sqlite_engine, text=ASK.text, thread_ts="8.8")
    _end(sqlite_engine, again, JobState.DONE)
    both = [*_said(sqlite_engine, job), *_said(sqlite_engine, again)]
    assert _verdict(sqlite_engine, both)["answered_twice"] == 1


def test_a_result_before_its_card_is_out_of_order(sqlite_engine, job):
    """By Slack's own time."""
    card, result = _said(sqlite_engine, job)
    assert _verdict(sqlite_engine, [replace(card, ts="99.0"), result]) == {"out_of_order": 1}


@pytest.mark.parametrize("wrong", [{"thread": "9.9"}, {"channel": "C2"}, {"marks": frozenset({OTHER.mark})}])
def test_an_answer_elsewhere_or_of_somebody_else_is_in_the_wrong_thread(sqlite_engine, job, wrong):
    """Another thread, another channel, or another request's words."""
    card, result = _said(sqlite_engine, job)
    assert _verdict(sqlite_engine, [card, replace(result, **wrong)]) == {"wrong_thread": 1}
