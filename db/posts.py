"""Posts: what is to be shown outside, lane by lane, each once (I4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Select, bindparam, case, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.models import Job, Lane, Moment, Post, Step, table
from db.session import add_if_missing
from db.states import PostKind, PostState, StepState

# Slack: 1 message per second per channel, with short bursts.
PACE = timedelta(seconds=1)
BURST = 4

# The lane that all edits share: Slack limits chat.update for the whole workspace (tier 3, some 50 a minute).
EDITS = "slack/chat.update"

# Previews of answers take half of that at most, so that cards whose job moved on are edited at once.
PREVIEW_PACE = timedelta(seconds=60 / 25)
PREVIEW_BURST = 25

# The lane that all starts of streams share: tier 2, some 20 a minute for the workspace. As many have to be stopped.
STREAMS = "slack/chat.startStream"
STREAM_PACE = timedelta(seconds=60 / 12)
STREAM_BURST = 6

# The lane that stands for all of Slack: held while it refuses our token.
SLACK = "slack"


@dataclass(frozen=True)
class Work:
    """One post to show now, with all that is needed to show it."""

    post: Post
    job: Job
    fence: int
    card_ts: str | None
    # An earlier try ended without a word: Slack may hold the message already.
    unclear: bool
    # The lane is ours until then.
    until: datetime


def _follows(kind: Any) -> ColumnElement[bool]:
    """What is looked at again whenever its job moves on."""
    return or_(kind == PostKind.CARD, kind == PostKind.STREAM)


def _due() -> ColumnElement[bool]:
    """What may be shown at `:now`: nothing overtakes its own card, nor what its attempt says before it.

    An edit that is not due yet holds nothing up, and one job's trouble holds up no other.
    """
    ahead, edits, slack = aliased(Post), aliased(Lane), aliased(Lane)
    first_card = (ahead.kind == PostKind.CARD) & ahead.ts.is_(None)
    said_before = (
        ~_follows(ahead.kind)
        & (ahead.attempt == Post.attempt)
        & (ahead.lane == Post.lane)
        & (ahead.id < Post.id)
    )
    held_up = exists().where(
        ahead.job_id == Post.job_id, ahead.state == PostState.WANTED, first_card | said_before
    )
    no_edits = exists().where(edits.name == EDITS, edits.not_before > _NOW)
    no_slack = exists().where(slack.name == SLACK, slack.not_before > _NOW)
    free = Post.kind.in_((PostKind.CARD, PostKind.CALLBACK)) | ~held_up
    wanted = (Post.state == PostState.WANTED) & (Post.not_before <= _NOW)
    return wanted & free & (Post.ts.is_(None) | ~no_edits) & ((Post.kind == PostKind.CALLBACK) | ~no_slack)


def _first_due() -> Select[Post, Job, str | None]:
    """What nobody has seen yet goes before what is edited.

    Whoever shows one post after the other holds the last one, and must not wait for the next: a sweep holds several
    cards too, in another order. What is skipped so is rung for by whoever held it, or by the sweep.
    """
    card = aliased(Post)
    return (
        select(Post, Job, card.ts)
        .join(Job, Job.id == Post.job_id)
        .outerjoin(card, (card.job_id == Post.job_id) & (card.kind == PostKind.CARD))
        .where(Post.lane == bindparam("lane"), _due())
        .order_by(Post.ts.is_not(None), Post.id)
        .limit(1)
        .with_for_update(of=Post, skip_locked=True)
    )


# Built once: each bell asks one of them, and building one takes ten times as long as running it.
_NOW = bindparam("now", type_=Moment())
_IS_FREE = (Lane.lease_until.is_(None) | (Lane.lease_until <= _NOW)) & (
    Lane.not_before.is_(None) | (Lane.not_before <= _NOW)
)
_FIRST_DUE = _first_due()
_FIRST_EDIT = _FIRST_DUE.where(Post.ts.is_not(None))
_DUE_IN_FREE_LANES = (
    select(Post.lane).outerjoin(Lane, Lane.name == Post.lane).where(_due(), Lane.name.is_(None) | _IS_FREE)
)
_DUE_IN_LANE = _DUE_IN_FREE_LANES.where(Post.lane == bindparam("lane")).limit(1)
_LATE_CARD = _DUE_IN_FREE_LANES.where(
    Post.kind == PostKind.CARD,
    Post.ts.is_(None),
    Post.tries == 0,
    Post.created_at <= bindparam("before", type_=Moment()),
).limit(1)
# Like the posts of one lane: first those with something that nobody has seen yet.
_UNSEEN_FIRST = func.min(case((Post.ts.is_(None), 0), else_=1))
_DUE_LANES = _DUE_IN_FREE_LANES.group_by(Post.lane).order_by(_UNSEEN_FIRST, func.min(Post.id))

_LOCKED_LANE = (
    select(Lane)
    .where(Lane.name == bindparam("lane"))
    .with_for_update()
    .execution_options(populate_existing=True)
)

_posts, _jobs = table(Post), table(Job)
_SHOWN = (
    update(_posts)
    .where(_posts.c.id == bindparam("post"))
    .values(
        ts=bindparam("shown_ts"),
        channel=bindparam("shown_in"),
        shown=bindparam("digest"),
        sending_since=None,
        tries=0,
        error=None,
        not_before=bindparam("next_edit"),
        # A card or a stream whose job moved on meanwhile stays wanted.
        state=case(
            (
                ~_follows(_posts.c.kind) | (_posts.c.revision == bindparam("shown_revision")),
                PostState.SHOWN.value,
            ),
            else_=PostState.WANTED.value,
        ),
    )
)
_HANG_THREAD = (
    update(_jobs)
    .where(_jobs.c.id == bindparam("job"), _jobs.c.thread_ts.is_(None))
    .values(thread_ts=bindparam("card_ts"))
)
_several = _posts.alias()


def _in_order(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Those of `_several`, locked job by job, the card first: whoever goes on to the next holds none after it."""
    found = select(_several.c.id).where(*which).order_by(_several.c.job_id, _several.c.id)
    return _posts.c.id.in_(found.with_for_update())


_AGAIN = update(_posts).values(revision=_posts.c.revision + 1, state=PostState.WANTED)
_KEPT = _several.c.state != PostState.DROPPED
_REFRESH = _AGAIN.where(_in_order(_several.c.job_id == bindparam("job"), _follows(_several.c.kind), _KEPT))


def slack_lane(channel: str) -> str:
    """The lane of a Slack channel; channel ids are unique over all workspaces."""
    return f"slack/{channel}"


def is_slack(lane_name: str) -> bool:
    """Whether a lane is a channel's."""
    return lane_name.startswith("slack/")


def callback_lane(url: str) -> str:
    """The lane of a service that gets callbacks: its host."""
    return f"callback/{(urlsplit(url).hostname or '')[:140]}"


def lane_name(job: Job, kind: PostKind) -> str:
    """Where a post waits its turn: its channel, or for a callback the host that it goes to."""
    if kind is PostKind.CALLBACK:
        return callback_lane(job.callback_url or "")
    return slack_lane(job.channel or "")


def lanes(job: Job) -> list[str]:
    """Every lane that a job speaks in."""
    return lanes_to(job.channel, job.callback_url)


def lanes_to(channel: str | None, callback_url: str | None) -> list[str]:
    """The lanes of a job that speaks in `channel` and at `callback_url`."""
    found = [slack_lane(channel)] if channel else []
    return [*found, callback_lane(callback_url)] if callback_url else found


def want(
    session: Session,
    job: Job,
    kind: PostKind,
    now: datetime,
    part: int = 0,
    body: dict[str, Any] | None = None,
    lane: str | None = None,
) -> None:
    """Ask for a post. Asking again for the same place changes nothing."""
    # The card belongs to the job, whatever its attempt; all else to the attempt that said it.
    attempt = 0 if kind is PostKind.CARD else job.attempt
    place = exists().where(
        Post.job_id == job.id, Post.attempt == attempt, Post.kind == kind, Post.part == part
    )
    if session.scalar(select(place)):
        return
    session.add(
        Post(
            job_id=job.id,
            lane=lane or lane_name(job, kind),
            kind=kind,
            attempt=attempt,
            part=part,
            body=body or {},
            created_at=now,
            not_before=now,
        )
    )


def refresh_card(session: Session, job_id: str) -> None:
    """The job moved on: its card and its streams, those that are not dropped, are to be looked at again."""
    session.execute(_REFRESH, {"job": job_id})


def refresh_cards(session: Session, job_ids: Sequence[str]) -> None:
    """The same for several jobs, of which there must be one."""
    session.execute(_REFRESH, [{"job": job_id} for job_id in job_ids])


def busy_cards(session: Session, job_ids: Sequence[str]) -> set[str]:
    """The jobs whose card somebody else holds; the cards of the others are locked."""
    cards = select(Post.job_id).where(Post.job_id.in_(job_ids), Post.kind == PostKind.CARD)
    free = set(session.scalars(cards.with_for_update(skip_locked=True)))
    return set(session.scalars(cards)) - free


def refresh_cards_in(session: Session, backend: str) -> None:
    """Something changed for everybody who waits for or runs on a backend. Whoever asks for it may hold the backend's
    lock, and none that comes after it (db.line): these are the cards of many jobs, and none of the jobs is held.
    """
    waiting = select(Step.job_id).where(
        Step.backend == backend, Step.state.in_((StepState.WAITING, StepState.RUNNING))
    )
    cards = _in_order(_several.c.job_id.in_(waiting), _several.c.kind == PostKind.CARD, _KEPT)
    session.execute(_AGAIN.where(cards))


def any_wanted(session: Session, job_id: str) -> bool:
    """Whether a job still has something to say, its card's edits and its streams aside."""
    left = exists().where(Post.job_id == job_id, Post.state == PostState.WANTED, ~_follows(Post.kind))
    return bool(session.scalar(select(left)))


def due_lanes(session: Session, now: datetime, most: int = 100) -> list[str]:
    """Lanes to ring for: free, and with a post that is due."""
    return list(session.scalars(_DUE_LANES.limit(most), {"now": now}))


def is_due(session: Session, lane_name: str, now: datetime) -> bool:
    """Whether claiming a lane is worth its lock: most bells for a busy lane find its work taken or not due."""
    return session.scalar(_DUE_IN_LANE, {"now": now, "lane": lane_name}) is not None


def is_card_late(session: Session, now: datetime, after: timedelta) -> bool:
    """Whether somebody has been looking for their card for so long, though nothing but time was lacking to post it."""
    return session.scalar(_LATE_CARD, {"now": now, "before": now - after}) is not None


def claim(session: Session, lane_name: str, now: datetime, lease: timedelta) -> Work | None:
    """Take a lane and its first due post; None when somebody holds the lane or nothing is due."""
    lane = _locked_lane(session, lane_name)
    if lane.lease_until is not None and lane.lease_until > now:
        return None
    return take_next(session, lane, now, lease)


def take_next(session: Session, lane: Lane, now: datetime, lease: timedelta) -> Work | None:
    """The first due post of a lane that we hold; with none left, or too soon for Slack, the lane is let go."""
    held = lane.not_before is not None and lane.not_before > now
    asked = {"now": now, "lane": lane.name}
    row = None if held else session.execute(_FIRST_DUE, asked).first()
    if row is not None and _is_new_message(row[0]) and not _pace(lane, now):
        # Meanwhile what stands there may change.
        row = session.execute(_FIRST_EDIT, asked).first()
    if row is None:
        lane.lease_until = None
        return None
    post, job, card_ts = row
    lane.fence += 1
    lane.lease_until = now + lease
    unclear = post.sending_since is not None
    # The first try without a word: what it left is looked for from then on.
    post.sending_since = post.sending_since or now
    post.tries += 1
    return Work(
        post=post, job=job, fence=lane.fence, card_ts=card_ts, unclear=unclear, until=lane.lease_until
    )


def let_go(lane: Lane) -> None:
    """Leave what is due in a lane that we hold to somebody else."""
    lane.lease_until = None


def held_lane(session: Session, work: Work) -> Lane | None:
    """The lane of a claim, locked; None: the claim on it stands no longer (I6)."""
    lane = _locked_lane(session, work.post.lane)
    return lane if lane.fence == work.fence else None


def renew(session: Session, work: Work, until: datetime) -> bool:
    """Keep the lane for longer; False when somebody else has it, and must not be spoken over."""
    lane = held_lane(session, work)
    if lane is None:
        return False
    lane.lease_until = until
    return True


def shown(
    session: Session, work: Work, ts: str | None, channel: str | None, digest: str | None, next_edit: datetime
) -> None:
    """Record what Slack holds now. A card or a stream whose job moved on meanwhile stays wanted.

    The card of a job without a thread is where its thread hangs from.
    """
    if work.post.kind is PostKind.CARD and work.job.thread_ts is None:
        session.execute(_HANG_THREAD, {"job": work.job.id, "card_ts": ts})
    said = {"shown_ts": ts, "shown_in": channel, "digest": digest, "next_edit": next_edit}
    session.execute(_SHOWN, {"post": work.post.id, "shown_revision": work.post.revision, **said})


def beside(session: Session, work: Work, shown: str | None, again: datetime | None) -> None:
    """Note what Slack shows of a card's session (tasks.deliver.agent); with `again` the card is looked at then."""
    if shown != work.post.body.get("session"):
        post = session.get_one(Post, work.post.id, with_for_update=True, populate_existing=True)
        post.body = {**post.body, "session": shown}
    if again is not None:
        values = {"state": PostState.WANTED, "not_before": again}
        session.execute(update(Post).where(Post.id == work.post.id).values(values))


def not_shown(session: Session, work: Work, until: datetime, error: str, sure: bool, try_used: bool) -> None:
    """Try again after `until`. `sure`: Slack said that it did nothing, so no look-up is needed first."""
    values: dict[str, Any] = {"not_before": until, "error": error, "tries": work.post.tries - (not try_used)}
    if sure:
        values["sending_since"] = None
    session.execute(update(Post).where(Post.id == work.post.id).values(**values))


def show_plainly(session: Session, work: Work, body: dict[str, Any], now: datetime) -> None:
    """Slack refuses how a post looks: it is wanted again, with less of its looks. What was noted since stays."""
    post = session.get_one(Post, work.post.id, with_for_update=True, populate_existing=True)
    post.body = {**post.body, **body}
    post.not_before, post.sending_since = now, None


def say_in_card(session: Session, work: Work) -> None:
    """Slack may hold this post and does not let us look: from now on it stands in the job's card."""
    session.execute(
        update(Post)
        .where(Post.id == work.post.id)
        .values(state=PostState.SHOWN, body={**work.post.body, "in_card": True}, sending_since=None)
    )
    refresh_card(session, work.job.id)


def in_card(session: Session, job_id: str) -> Sequence[Post]:
    """The posts of a job that stand in its card, in the order they were wanted."""
    return [post for post in of_job(session, job_id) if post.body.get("in_card")]


def hold_lane(session: Session, lane_name: str, until: datetime) -> None:
    """Slack asked for patience in this channel: post nothing before `until`."""
    lane = _locked_lane(session, lane_name)
    lane.not_before = until


def may_preview(session: Session, now: datetime) -> bool:
    """Whether there is room for an edit that could as well be left out; takes no lock."""
    edits = session.get(Lane, EDITS)
    return edits is None or _has_room(edits, PREVIEW_PACE, PREVIEW_BURST, now)


def take_preview(session: Session, now: datetime) -> bool:
    """Take one preview from the workspace's allowance; False: it is used up for now, or somebody is at it."""
    return _take(session, EDITS, PREVIEW_PACE, PREVIEW_BURST, now)


def take_stream(session: Session, now: datetime) -> bool:
    """The same for the start of a stream."""
    return _take(session, STREAMS, STREAM_PACE, STREAM_BURST, now)


def first(session: Session, job_id: str, attempt: int, kind: PostKind) -> Post | None:
    """The first post of a kind that an attempt wanted."""
    place = (Post.job_id == job_id) & (Post.attempt == attempt) & (Post.kind == kind) & (Post.part == 0)
    return session.scalar(select(Post).where(place))


def drop(session: Session, work: Work, error: str) -> None:
    """Give a post up for good, with the reason."""
    session.execute(
        update(Post)
        .where(Post.id == work.post.id)
        .values(state=PostState.DROPPED, error=error, sending_since=None)
    )


def say_dropped(session: Session, work: Work, code: str) -> None:
    """An outcome cannot be shown: the card, if there is one, says so until the next attempt."""
    card = select(Post).where(Post.job_id == work.job.id, Post.kind == PostKind.CARD).with_for_update()
    for post in session.scalars(card.execution_options(populate_existing=True)):
        post.body = {**post.body, "dropped": code, "dropped_in": work.post.attempt}
    refresh_card(session, work.job.id)


def move(session: Session, job_id: str, channel: str, reason: str) -> None:
    """From now on a job speaks in another channel, in a thread of its new card, which says why."""
    job = session.get_one(Job, job_id, with_for_update=True)
    left, job.channel, job.thread_ts = job.channel, channel, None
    session.execute(select(Post.id).where(Post.job_id == job_id).order_by(Post.id).with_for_update())
    session.execute(
        update(Post)
        .where(Post.job_id == job_id, Post.kind != PostKind.CALLBACK)
        .values(lane=lane_name(job, PostKind.CARD), sending_since=None)
    )
    session.execute(
        update(Post)
        .where(Post.job_id == job_id, Post.kind == PostKind.CARD)
        .values(body={"left": left, "reason": reason}, ts=None, shown=None, state=PostState.WANTED)
    )


def of_job(session: Session, job_id: str) -> Sequence[Post]:
    """All posts of a job, in the order they were wanted."""
    return session.scalars(select(Post).where(Post.job_id == job_id).order_by(Post.id)).all()


def _locked_lane(session: Session, name: str) -> Lane:
    lane = session.scalar(_LOCKED_LANE, {"lane": name})
    if lane is None:
        add_if_missing(session, Lane(name=name))
        lane = session.scalars(_LOCKED_LANE, {"lane": name}).one()
    return lane


def _is_new_message(post: Post) -> bool:
    return post.ts is None and post.kind is not PostKind.CALLBACK


def _pace(lane: Lane, now: datetime) -> bool:
    """Take one message from the channel's allowance; False when it is used up for now."""
    paced_until = max(lane.paced_until or now, now)
    if paced_until - now > PACE * (BURST - 1):
        lane.not_before = paced_until - PACE * (BURST - 1)
        return False
    lane.paced_until = paced_until + PACE
    return True


def _take(session: Session, name: str, pace: timedelta, burst: int, now: datetime) -> bool:
    if session.get(Lane, name) is None:
        add_if_missing(session, Lane(name=name))
    free = select(Lane).where(Lane.name == name).with_for_update(skip_locked=True)
    lane = session.scalar(free.execution_options(populate_existing=True))
    if lane is None or not _has_room(lane, pace, burst, now):
        return False
    lane.paced_until = max(lane.paced_until or now, now) + pace
    return True


def _has_room(lane: Lane, pace: timedelta, burst: int, now: datetime) -> bool:
    held = lane.not_before is not None and lane.not_before > now
    return not held and (lane.paced_until or now) - now <= pace * (burst - 1)
