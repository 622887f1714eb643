"""Lanes on both databases: one holder at a time, in order, at Slack's pace, with a fence (I4, I6)."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from db import outcomes, posts
from db.models import Job, Lane, Post
from db.states import PostKind, PostState
from tests.fakes import LEASE, MINUTE, NOW, SECOND, accepted, at_once, declare, do, in_line, rows, set_row

LANE = "slack/C1"


@pytest.fixture(autouse=True)
def _backend(engine: sa.Engine) -> None:
    declare(engine)


def claim(engine: sa.Engine, now=NOW, lane: str = LANE) -> posts.Work | None:
    return do(engine, posts.claim, lane, now, LEASE)


def show_and_go_on(engine: sa.Engine, work: posts.Work, now=NOW) -> posts.Work | None:
    """What deliver does with a post that Slack took."""

    def record(session: sa.orm.Session) -> posts.Work | None:
        lane = posts.held_lane(session, work)
        assert lane is not None
        posts.shown(session, work, f"{work.post.id}.0", "C1", "digest", now + SECOND)
        return posts.take_next(session, lane, now, LEASE)

    return do(engine, record)


def answered(engine: sa.Engine, **changes) -> Job:
    """A job whose card was shown long ago, with a result and a second part wanted."""
    job = in_line(engine, **changes)
    do(engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), "Yes.", truncated=False, now=NOW))
    do(engine, posts.want, job, PostKind.RESULT, NOW, 1)
    [card] = rows(engine, Post, job_id=job.id, kind=PostKind.CARD)
    set_row(engine, Post, card.id, ts="1.0", channel="C1", shown="digest", state=PostState.SHOWN)
    return job


def test_a_claim_brings_the_post_its_job_and_its_card(engine: sa.Engine):
    job = answered(engine)
    work = claim(engine)
    assert work is not None
    assert (work.post.kind, work.job.id, work.card_ts, work.fence) == (PostKind.RESULT, job.id, "1.0", 1)
    assert (work.post.tries, work.post.sending_since, work.unclear) == (1, NOW, False)


def test_eight_workers_at_once_claim_a_lane_once(engine: sa.Engine):
    for race in range(5):
        accepted(engine, channel=f"C{race}")
        taken = at_once(8, lambda _, lane=f"slack/C{race}": claim(engine, lane=lane))
        assert len([one for one in taken if one]) == 1


def test_a_lane_has_one_holder_until_its_lease_ends(engine: sa.Engine):
    for _ in range(2):
        accepted(engine)
    assert claim(engine) is not None
    assert claim(engine, NOW + LEASE - SECOND) is None
    again = claim(engine, NOW + LEASE)
    assert again is not None
    assert again.fence == 2


def test_lanes_do_not_wait_for_each_other(engine: sa.Engine):
    accepted(engine)
    accepted(engine, channel="C2")
    assert claim(engine) is not None
    assert claim(engine, lane="slack/C2") is not None


def test_a_lost_lane_is_known_to_be_lost(engine: sa.Engine):
    accepted(engine)
    lost = claim(engine)
    assert lost is not None
    assert do(engine, posts.held_lane, lost)
    assert claim(engine, NOW + LEASE) is not None
    assert not do(engine, posts.held_lane, lost)


def test_posts_are_shown_in_the_order_they_were_wanted(engine: sa.Engine):
    first, second = accepted(engine), accepted(engine)
    work = claim(engine)
    shown = []
    while work is not None:
        shown.append((work.job.id, work.post.kind, work.post.part))
        work = show_and_go_on(engine, work)
    assert shown == [(first.id, PostKind.CARD, 0), (second.id, PostKind.CARD, 0)]
    assert rows(engine, Lane)[0].lease_until is None


def test_an_empty_lane_is_let_go(engine: sa.Engine):
    assert claim(engine) is None
    accepted(engine)
    work = claim(engine)
    assert work is not None
    assert show_and_go_on(engine, work) is None
    accepted(engine)
    assert claim(engine) is not None


def test_an_edit_that_is_not_due_holds_nothing_up(engine: sa.Engine):
    early = accepted(engine)
    work = claim(engine)
    assert work is not None
    show_and_go_on(engine, work)
    do(engine, posts.refresh_card, early.id)
    late = accepted(engine)
    following = claim(engine)
    assert following is not None
    assert following.job.id == late.id
    assert show_and_go_on(engine, following) is None
    edit = claim(engine, NOW + SECOND)
    assert edit is not None
    assert (edit.job.id, edit.post.ts) == (early.id, f"{work.post.id}.0")


def test_nothing_overtakes_its_own_card_but_other_jobs_may(engine: sa.Engine):
    stuck = in_line(engine)
    [card] = rows(engine, Post)
    set_row(engine, Post, card.id, not_before=NOW + MINUTE)
    do(engine, lambda s: outcomes.answer(s, s.get_one(Job, stuck.id), "Yes.", truncated=False, now=NOW))
    assert do(engine, posts.due_lanes, NOW) == []
    assert claim(engine) is None
    other = accepted(engine)
    work = claim(engine)
    assert work is not None
    assert work.job.id == other.id
    assert show_and_go_on(engine, work) is None
    now = NOW + MINUTE
    work = claim(engine, now)
    assert work is not None
    assert work.post.kind is PostKind.CARD
    following = show_and_go_on(engine, work, now)
    assert following is not None
    assert (following.post.kind, following.card_ts) == (PostKind.RESULT, f"{card.id}.0")


def test_a_result_is_shown_although_its_card_was_dropped(engine: sa.Engine):
    job = answered(engine)
    [card] = rows(engine, Post, kind=PostKind.CARD)
    set_row(engine, Post, card.id, state=PostState.DROPPED, ts=None)
    work = claim(engine)
    assert work is not None
    assert (work.job.id, work.post.kind) == (job.id, PostKind.RESULT)


def test_the_parts_of_a_result_keep_their_order_when_one_has_to_wait(engine: sa.Engine):
    stuck = answered(engine)
    first = rows(engine, Post, kind=PostKind.RESULT)[0]
    set_row(engine, Post, first.id, not_before=NOW + MINUTE)
    assert do(engine, posts.due_lanes, NOW) == []
    assert claim(engine) is None
    other = answered(engine)
    work = claim(engine)
    assert work is not None
    assert work.job.id == other.id
    set_row(engine, Lane, LANE, lease_until=None)
    now = NOW + MINUTE
    work = claim(engine, now)
    assert work is not None
    assert (work.job.id, work.post.part) == (stuck.id, 0)


def test_a_callback_waits_for_no_card(engine: sa.Engine):
    job = in_line(engine, callback_url="https://a.test/b")
    do(engine, lambda s: outcomes.answer(s, s.get_one(Job, job.id), "Yes.", truncated=False, now=NOW))
    work = claim(engine, lane="callback/a.test")
    assert work is not None
    assert work.post.kind is PostKind.CALLBACK


def test_a_burst_passes_and_then_one_message_a_second(engine: sa.Engine):
    for _ in range(posts.BURST + 3):
        accepted(engine)
    work, shown = claim(engine), 0
    while work is not None:
        shown += 1
        work = show_and_go_on(engine, work)
    assert shown == posts.BURST
    assert do(engine, posts.due_lanes, NOW) == []
    assert claim(engine, NOW + SECOND - timedelta(milliseconds=1)) is None
    for second in (1, 2):
        now = NOW + second * SECOND
        assert do(engine, posts.due_lanes, now) == [LANE]
        work = claim(engine, now)
        assert work is not None
        assert show_and_go_on(engine, work, now) is None


def test_edits_and_callbacks_take_nothing_from_the_allowance(engine: sa.Engine):
    work = None
    for _ in range(posts.BURST + 2):
        job = accepted(engine)
        [card] = rows(engine, Post, job_id=job.id)
        set_row(engine, Post, card.id, ts="1.0", channel="C1")
    work, edited = claim(engine), 0
    while work is not None:
        edited += 1
        work = show_and_go_on(engine, work)
    assert edited == posts.BURST + 2
    for _ in range(posts.BURST + 2):
        accepted(engine)
    assert claim(engine) is not None


def edited(engine: sa.Engine, **changes) -> Job:
    """A job whose card was shown long ago, and is to be edited."""
    job = accepted(engine, **changes)
    [card] = rows(engine, Post, job_id=job.id)
    set_row(engine, Post, card.id, ts="1.0", channel="C1", shown="digest")
    return job


def test_what_nobody_has_seen_yet_goes_before_edits(engine: sa.Engine):
    waits = edited(engine)
    new = accepted(engine)
    work = claim(engine)
    assert work is not None
    assert work.job.id == new.id
    edit = show_and_go_on(engine, work)
    assert edit is not None
    assert edit.job.id == waits.id


def test_edits_pass_while_messages_wait_for_the_allowance(engine: sa.Engine):
    waits = edited(engine)
    for _ in range(posts.BURST + 1):
        accepted(engine)
    work, shown = claim(engine), []
    while work is not None:
        shown.append(work.job.id)
        work = show_and_go_on(engine, work)
    assert len(shown) == posts.BURST + 1
    assert shown[-1] == waits.id


def test_the_sweep_rings_first_where_there_is_something_that_nobody_has_seen(engine: sa.Engine):
    edited(engine, channel="C1")
    edited(engine, channel="C2")
    accepted(engine, channel="C2")
    accepted(engine, channel="C3")
    assert do(engine, posts.due_lanes, NOW) == ["slack/C2", "slack/C3", "slack/C1"]


def test_a_lane_that_slack_holds_shows_nothing_until_then(engine: sa.Engine):
    for _ in range(2):
        accepted(engine)
    work = claim(engine)
    assert work is not None

    def limited(session: sa.orm.Session) -> posts.Work | None:
        posts.not_shown(session, work, NOW + MINUTE, "ratelimited", sure=True, try_used=False)
        lane = posts.held_lane(session, work)
        assert lane is not None
        posts.hold_lane(session, LANE, NOW + MINUTE)
        return posts.take_next(session, lane, NOW, LEASE)

    assert do(engine, limited) is None
    assert claim(engine, NOW + MINUTE - SECOND) is None
    assert do(engine, posts.due_lanes, NOW + MINUTE - SECOND) == []
    assert do(engine, posts.due_lanes, NOW + MINUTE) == [LANE]
    again = claim(engine, NOW + MINUTE)
    assert again is not None
    assert again.post.id == work.post.id


def test_while_edits_are_held_messages_still_pass(engine: sa.Engine):
    job = accepted(engine)
    work = claim(engine)
    assert work is not None
    show_and_go_on(engine, work)
    do(engine, posts.refresh_card, job.id)
    do(engine, posts.hold_lane, posts.EDITS, NOW + MINUTE)
    assert do(engine, posts.due_lanes, NOW + 2 * SECOND) == []
    assert claim(engine, NOW + 2 * SECOND) is None
    other = accepted(engine)
    work = claim(engine, NOW + 2 * SECOND)
    assert work is not None
    assert work.job.id == other.id
    assert show_and_go_on(engine, work, NOW + 2 * SECOND) is None
    edit = claim(engine, NOW + MINUTE)
    assert edit is not None
    assert edit.job.id == job.id


def test_the_sweep_rings_for_due_lanes_and_no_others(engine: sa.Engine):
    assert do(engine, posts.due_lanes, NOW) == []
    accepted(engine, channel="C2")
    accepted(engine, channel="C1")
    accepted(engine, channel="C1")
    held = accepted(engine, channel="C3")
    assert claim(engine, lane="slack/C3") is not None
    later = accepted(engine, channel="C4")
    [post] = rows(engine, Post, job_id=later.id)
    set_row(engine, Post, post.id, not_before=NOW + SECOND)
    gone = accepted(engine, channel="C5")
    [post] = rows(engine, Post, job_id=gone.id)
    set_row(engine, Post, post.id, state=PostState.DROPPED)
    assert do(engine, posts.due_lanes, NOW) == ["slack/C2", "slack/C1"]
    assert do(engine, posts.due_lanes, NOW, most=1) == ["slack/C2"]
    assert do(engine, posts.due_lanes, NOW + LEASE) == ["slack/C2", "slack/C1", "slack/C3", "slack/C4"]
    assert held.channel == "C3"
