"""Posts on both databases: each wanted once, looked at again when its job moves on, and moved with it."""

import dataclasses

import pytest
import sqlalchemy as sa

from db import outcomes, posts, session
from db.models import Job, Lane, Post
from db.states import JobState, Origin, PostKind, PostState
from tests.fakes import (
    LEASE,
    MINUTE,
    NOW,
    SECOND,
    a_job,
    accepted,
    at_once,
    declare,
    do,
    in_line,
    rows,
    set_row,
    the,
)

LANE = "slack/C1"


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    declare(engine)


def want(engine: sa.Engine, job: Job, kind: PostKind, part: int = 0, **more) -> Post:
    do(engine, posts.want, job, kind, NOW, part, **more)
    return next(one for one in rows(engine, Post, job_id=job.id, kind=kind, part=part))


def take(engine: sa.Engine, lane: str = "slack/C1", now=NOW) -> posts.Work | None:
    return do(engine, posts.claim, lane, now, LEASE)


def take_next(engine: sa.Engine) -> posts.Work | None:
    """For whoever holds the lane."""
    return do(engine, lambda s: posts.take_next(s, s.get_one(Lane, LANE), NOW, LEASE))


def show(engine: sa.Engine, work: posts.Work, ts: str = "1.0", now=NOW) -> None:
    do(engine, posts.shown, work, ts, "C1", "digest", now + SECOND)
    set_row(engine, posts.Lane, work.post.lane, lease_until=None)


def test_a_job_speaks_in_its_channel_and_to_its_callback():
    job = a_job(callback_url="https://user:pass@a.test:8443/b?c=d")
    assert posts.slack_lane("C1") == "slack/C1"
    assert posts.lane_name(job, PostKind.RESULT) == "slack/C1"
    assert posts.lane_name(job, PostKind.CALLBACK) == "callback/a.test"
    assert posts.lanes(job) == ["slack/C1", "callback/a.test"]
    assert posts.lanes(a_job(channel=None)) == []
    assert posts.lanes(a_job()) == ["slack/C1"]


def test_the_lane_of_a_long_address_fits_its_column(engine: sa.Engine):
    job = accepted(engine, channel=None, callback_url=f"https://{'a' * 300}.test/")
    post = want(engine, job, PostKind.CALLBACK)
    assert len(post.lane) <= 160


def test_a_post_is_wanted_once_for_its_attempt_kind_and_part(engine: sa.Engine):
    job = accepted(engine)
    for _ in range(2):
        want(engine, job, PostKind.CARD)
        want(engine, job, PostKind.RESULT)
        want(engine, job, PostKind.RESULT, part=1)
    assert [(one.kind, one.part) for one in do(engine, posts.of_job, job.id)] == [
        (PostKind.CARD, 0),
        (PostKind.RESULT, 0),
        (PostKind.RESULT, 1),
    ]


def test_what_was_shown_is_not_wanted_again(engine: sa.Engine):
    job = accepted(engine)
    work = take(engine)
    assert work is not None
    show(engine, work)
    want(engine, job, PostKind.CARD)
    [card] = rows(engine, Post)
    assert (card.state, card.ts, card.shown) == (PostState.SHOWN, "1.0", "digest")


def test_the_next_attempt_speaks_anew_under_the_same_card(engine: sa.Engine):
    job = accepted(engine)
    want(engine, job, PostKind.FAILURE)
    job.attempt = 2
    want(engine, job, PostKind.FAILURE)
    want(engine, job, PostKind.CARD)
    assert [(one.kind, one.attempt) for one in rows(engine, Post)] == [
        (PostKind.CARD, 0),
        (PostKind.FAILURE, 1),
        (PostKind.FAILURE, 2),
    ]


def test_a_post_may_go_to_another_lane_with_a_body(engine: sa.Engine):
    job = accepted(engine)
    post = want(engine, job, PostKind.NOTICE, body={"reason": "is_archived"}, lane="slack/C9")
    assert (post.lane, post.body) == ("slack/C9", {"reason": "is_archived"})


def test_a_shown_card_is_looked_at_again_when_its_job_moves_on(engine: sa.Engine):
    job = accepted(engine)
    work = take(engine)
    assert work is not None
    show(engine, work)
    do(engine, posts.refresh_card, job.id)
    [card] = rows(engine, Post)
    assert (card.state, card.revision, card.ts) == (PostState.WANTED, 2, "1.0")


def test_a_dropped_card_stays_dropped(engine: sa.Engine):
    job = in_line(engine)
    work = take(engine)
    assert work is not None
    do(engine, posts.drop, work, "message_not_found")
    do(engine, posts.refresh_card, job.id)
    do(engine, posts.refresh_cards_in, "main")
    [card] = rows(engine, Post)
    assert (card.state, card.error) == (PostState.DROPPED, "message_not_found")


def test_what_is_noted_in_a_card_while_slack_refuses_its_looks_stays(engine: sa.Engine):
    job = in_line(engine)
    work = take(engine)
    assert work is not None
    result = dataclasses.replace(work, post=want(engine, job, PostKind.RESULT))
    do(engine, posts.say_dropped, result, "msg_too_long")
    do(engine, posts.show_plainly, work, {"without_preview": True}, NOW)
    [card] = rows(engine, Post, kind=PostKind.CARD)
    assert card.body == {"dropped": "msg_too_long", "dropped_in": 1, "without_preview": True}
    assert (card.not_before, card.sending_since) == (NOW, None)


def test_a_card_that_moved_on_while_it_was_shown_stays_wanted(engine: sa.Engine):
    job = accepted(engine)
    work = take(engine)
    assert work is not None
    do(engine, posts.refresh_card, job.id)
    show(engine, work)
    [card] = rows(engine, Post)
    assert (card.state, card.ts, card.not_before) == (PostState.WANTED, "1.0", NOW + SECOND)
    again = take(engine, now=NOW + SECOND)
    assert again is not None
    show(engine, again)
    assert rows(engine, Post)[0].state is PostState.SHOWN


def test_news_of_a_backend_reach_the_cards_of_those_who_wait_for_it(engine: sa.Engine):
    waiting, ended, received = in_line(engine), in_line(engine), accepted(engine)
    declare(engine, name="other")
    elsewhere = in_line(engine)
    do(
        engine,
        lambda s: s.execute(
            sa.text("UPDATE steps SET backend = 'other' WHERE job_id = :id"), {"id": elsewhere.id}
        ),
    )
    do(engine, outcomes.cancel, ended.id, NOW)
    do(engine, lambda s: s.execute(sa.update(Post).values(state=PostState.SHOWN, ts="1.0")))
    do(engine, posts.refresh_cards_in, "main")
    assert [one.job_id for one in rows(engine, Post, state=PostState.WANTED)] == [waiting.id]
    assert {ended.id, received.id} <= {one.job_id for one in rows(engine, Post, state=PostState.SHOWN)}


def test_a_job_has_nothing_more_to_say_when_only_its_card_is_left(engine: sa.Engine):
    job = accepted(engine)
    assert not do(engine, posts.any_wanted, job.id)
    post = want(engine, job, PostKind.RESULT)
    assert do(engine, posts.any_wanted, job.id)
    set_row(engine, Post, post.id, state=PostState.DROPPED)
    assert not do(engine, posts.any_wanted, job.id)


def test_a_try_that_may_have_worked_is_remembered_until_it_is_cleared_up(engine: sa.Engine):
    accepted(engine)
    work = take(engine)
    assert work is not None
    assert not work.unclear
    do(engine, posts.not_shown, work, NOW, "TimeoutError", sure=False, try_used=True)
    set_row(engine, posts.Lane, "slack/C1", lease_until=None)
    again = take(engine)
    assert again is not None
    assert again.unclear
    do(engine, posts.not_shown, again, NOW, "fatal", sure=True, try_used=True)
    set_row(engine, posts.Lane, "slack/C1", lease_until=None)
    third = take(engine)
    assert third is not None
    assert not third.unclear
    assert (third.post.tries, third.post.error) == (3, "fatal")


def test_a_worker_that_dies_leaves_its_post_unclear(engine: sa.Engine):
    accepted(engine)
    assert take(engine) is not None
    again = take(engine, now=NOW + LEASE)
    assert again is not None
    assert again.unclear


def test_a_try_that_slack_put_off_does_not_count(engine: sa.Engine):
    accepted(engine)
    for _ in range(3):
        set_row(engine, posts.Lane, "slack/C1", lease_until=None) if rows(engine, posts.Lane) else None
        work = take(engine)
        assert work is not None
        assert work.post.tries == 1
        do(engine, posts.not_shown, work, NOW, "ratelimited", sure=True, try_used=False)


def test_a_shown_post_begins_counting_anew(engine: sa.Engine):
    job = accepted(engine)
    work = take(engine)
    assert work is not None
    do(engine, posts.not_shown, work, NOW, "TimeoutError", sure=False, try_used=True)
    again = take(engine, now=NOW + LEASE)
    assert again is not None
    show(engine, again)
    [card] = rows(engine, Post)
    assert (card.tries, card.error, card.sending_since) == (0, None, None)
    do(engine, posts.refresh_card, job.id)
    third = take(engine, now=NOW + MINUTE)
    assert third is not None
    assert not third.unclear


def test_a_job_that_moves_takes_its_posts_along_but_not_its_callback(engine: sa.Engine):
    job = accepted(engine, thread_ts="9.9", callback_url="https://a.test/b")
    work = take(engine)
    assert work is not None
    show(engine, work)
    for kind in (PostKind.RESULT, PostKind.CALLBACK):
        want(engine, job, kind)
    do(engine, posts.move, job.id, "D1", "is_archived")
    after = the(engine, Job, job.id)
    assert (after.channel, after.thread_ts) == ("D1", None)
    card, result, callback = rows(engine, Post)
    assert (card.lane, card.state, card.ts, card.shown) == ("slack/D1", PostState.WANTED, None, None)
    assert card.body == {"left": "C1", "reason": "is_archived"}
    assert (result.lane, result.body) == ("slack/D1", {})
    assert callback.lane == "callback/a.test"


def test_an_api_job_in_a_channel_speaks_there(engine: sa.Engine):
    job = accepted(engine, origin=Origin.API, callback_url="https://a.test/b")
    assert posts.lanes(job) == ["slack/C1", "callback/a.test"]


# Previews


def test_many_calls_share_the_room_for_previews(engine: sa.Engine):
    """However many ask at once, also for the first time."""
    taken = at_once(8, lambda _number: sum(do(engine, posts.take_preview, NOW) for _ in range(10)))
    assert 0 < sum(taken) <= posts.PREVIEW_BURST
    left = posts.PREVIEW_BURST - sum(taken)
    assert [do(engine, posts.take_preview, NOW) for _ in range(left + 1)] == [True] * left + [False]
    assert do(engine, posts.take_preview, NOW + posts.PREVIEW_PACE)


def test_many_answers_share_the_room_for_starts_of_streams(engine: sa.Engine):
    """However many begin at once; and previews have their own."""
    taken = at_once(8, lambda _number: sum(do(engine, posts.take_stream, NOW) for _ in range(10)))
    assert 0 < sum(taken) <= posts.STREAM_BURST
    left = posts.STREAM_BURST - sum(taken)
    assert [do(engine, posts.take_stream, NOW) for _ in range(left + 1)] == [True] * left + [False]
    assert do(engine, posts.take_stream, NOW + posts.STREAM_PACE)
    assert do(engine, posts.take_preview, NOW)


def test_a_stream_holds_up_neither_the_answer_nor_the_end_of_its_job(engine: sa.Engine):
    """Whatever Slack makes of it; and it is looked at again whenever its job moves on."""
    job = in_line(engine, thread_ts="8.8")
    card = do(engine, posts.claim, LANE, NOW, LEASE)
    do(engine, posts.shown, card, "1.1", "C1", "digest", NOW)
    do(engine, lambda s: posts.want(s, s.get_one(Job, job.id), PostKind.STREAM, NOW))
    stream = take_next(engine)
    assert stream.post.kind is PostKind.STREAM
    do(engine, posts.not_shown, stream, NOW + LEASE, "TimeoutError", False, True)
    do(engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), "Done.", False, NOW))
    kinds = []
    while work := take_next(engine):
        kinds.append(work.post.kind)
        do(engine, posts.shown, work, f"2.{len(kinds)}", "C1", None, NOW)
    do(engine, outcomes.settle, job.id)
    assert set(kinds) == {PostKind.CARD, PostKind.RESULT}
    assert the(engine, Job, job.id).state is JobState.DONE
    later = do(engine, posts.claim, LANE, NOW + LEASE, LEASE)
    assert (later.post.kind, later.unclear) == (PostKind.STREAM, True)
    do(engine, posts.refresh_card, job.id)
    do(engine, posts.shown, later, "3.1", "C1", "over", NOW)
    assert the(engine, Post, later.post.id).state is PostState.WANTED


def test_a_preview_waits_for_nobody_who_holds_all_edits(engine: sa.Engine):
    """Whoever is at the allowance for longer would hold up a call's lease."""
    do(engine, posts.take_preview, NOW)
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer, and no locks on rows")
    with session.transaction(engine) as holder:
        posts.hold_lane(holder, posts.EDITS, NOW)
        assert not do(engine, posts.take_preview, NOW)
    assert do(engine, posts.take_preview, NOW)


def test_a_card_is_late_while_nothing_but_time_is_lacking_to_post_it(engine: sa.Engine):
    def is_late(now=NOW + SECOND) -> bool:
        return do(engine, posts.is_card_late, now, SECOND)

    job = accepted(engine)
    assert is_late()
    assert not is_late(NOW + SECOND / 2)
    work = take(engine)
    # Somebody is at it; Slack asks for patience in its channel, or altogether.
    assert not is_late()
    do(engine, posts.not_shown, work, NOW, "ratelimited", True, False)
    do(engine, posts.hold_lane, LANE, NOW + MINUTE)
    do(engine, lambda s: posts.let_go(s.get_one(Lane, LANE)))
    assert not is_late()
    do(engine, posts.hold_lane, LANE, NOW)
    assert is_late()
    do(engine, posts.hold_lane, posts.SLACK, NOW + MINUTE)
    assert not is_late()
    do(engine, posts.hold_lane, posts.SLACK, NOW)
    # It was tried: what is lacking is not time.
    set_row(engine, Post, work.post.id, tries=1)
    assert not is_late()
    set_row(engine, Post, work.post.id, tries=0, ts="1.0")
    assert not is_late()
    # An answer is none.
    do(engine, posts.want, job, PostKind.RESULT, NOW)
    assert not is_late()
