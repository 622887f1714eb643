"""The line against a model of it, over random arrivals, sizes, ends and crashes, on both databases (I5, I6, I8).

The bound, after Theorem 4.4 of Sheng et al., OSDI 2024. A call costs at most C (its tokens times their weights),
n calls run at once (also those of dead workers, until they are freed), and w is the smallest weight. Let f and
g both have work that is due during an interval. When f is chosen, its counter is not above g's. From then on, calls in flight can raise f's counter, and calls of
others that come back unanswered can lower the counter at which people stand level; both together are the calls
in flight at that moment, n at most, by C/w each. A call begun later cannot: its refund goes back to where the
choice found its person. So the counters of two people in line are never further apart than U = n C / w, and as
nobody is lifted while in line, what they are served in any interval differs by 2 U at most. The paper has its
n C as one number, max(w_in L_in, w_out M), because it counts tokens as a batch makes them; here they are counted
at heartbeats, so that whole calls may be outstanding.

A step that broke off waits a moment before it is due; what others are served in that moment comes on top.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from db import backends, jobs, leases, line, outcomes, preparing, session, turns
from db.line import Claimed
from db.models import Base, Job, Step, Turn
from db.states import StepState
from db.turns import AGEING, Rank
from tests.fakes import LEASE, MINUTE, NOW, SECOND, a_job, a_step, do

INPUT, OUTPUT = 1.0, 2.0
# Weights are powers of two, so that sums of fractions are exact and need no tolerance.
PEOPLE = {
    "UFIRST": Rank(1.0, 0),
    "UONE": Rank(1.0, 1),
    "UTWO": Rank(2.0, 1),
    "UHALF": Rank(0.5, 1),
    "ULAST": Rank(1.0, 2),
}
# Most belong to one priority, where the counters decide.
people = st.sampled_from(["UONE", "UTWO", "UHALF", "UONE", "UTWO", "UHALF", "UFIRST", "ULAST"])
tokens = st.sampled_from([1, 10, 100])
crowds = st.lists(st.tuples(people, st.lists(tokens, min_size=1, max_size=4)), min_size=1, max_size=4)
number = st.integers(0, 100)


@dataclass(eq=False)
class Call:
    """A step as the model has it; `order` is its place among its person's."""

    id: int
    job: str
    order: tuple[datetime, int]
    tokens_in: int
    not_before: datetime
    level: int = 0
    state: StepState = StepState.WAITING
    charged: float = 0.0
    lease_until: datetime = NOW
    claimed: Claimed | None = None


@dataclass
class Somebody:
    """A person as the model has them: what they were served, and the counter, which lifts raise too."""

    rank: Rank
    turn: int = 0
    served: float = 0.0
    service: float = 0.0
    calls: list[Call] = field(default_factory=list)

    def waiting(self) -> list[Call]:
        return [call for call in self.calls if call.state is StepState.WAITING]

    def due(self, now: datetime) -> list[Call]:
        return sorted(
            (call for call in self.waiting() if call.not_before <= now), key=lambda call: call.order
        )


def clear(engine: sa.Engine) -> None:
    with session.transaction(engine) as transaction:
        for table in reversed(Base.metadata.sorted_tables):
            transaction.execute(table.delete())


def declare(engine: sa.Engine, limit: int) -> None:
    do(engine, backends.declare, [backends.Declared("main", limit, input_weight=INPUT, output_weight=OUTPUT)])


class Line(RuleBasedStateMachine):
    """Each rule does one thing to the line and to the model of it; `agree` compares them after each."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__()
        self.engine = engine
        self.now = NOW
        self.limit = 1
        self.paused_until = NOW
        self.people = {name: Somebody(rank) for name, rank in PEOPLE.items()}
        self.open: set[str] = set()
        self.owner: dict[str, str] = {}
        self.lost: list[Claimed] = []
        self.passed: dict[int, datetime] = {}
        # What the bound is made of, and for each pair the least and the most of what one is ahead by.
        self.dearest = 0.0
        self.most_running = 0
        self.excused: dict[int, float] = {0: 0.0, 1: 0.0, 2: 0.0}
        self.ahead: dict[tuple[str, str], tuple[float, float]] = {}

    # The model

    def calls(self, *states: StepState) -> list[tuple[Somebody, Call]]:
        return [(one, call) for one in self.people.values() for call in one.calls if call.state in states]

    def running(self) -> list[tuple[Somebody, Call]]:
        return self.calls(StepState.RUNNING)

    def pick(self, which: int) -> tuple[Somebody, Call]:
        running = self.running()
        return running[which % len(running)]

    def same(self, one: Somebody) -> list[Somebody]:
        return [
            each for each in self.people.values() if each.turn and each.rank.priority == one.rank.priority
        ]

    def lift(self, one: Somebody) -> None:
        """Whoever had nothing waiting starts level."""
        if one.waiting():
            return
        others = [each for each in self.same(one) if each is not one]
        least = [each.service for each in others if each.waiting()]
        level = min(least) if least else max((each.service for each in others), default=0.0)
        one.service = max(one.service, level)

    def charge(self, one: Somebody, call: Call, cost: float) -> None:
        for each in self.same(one):
            if each.waiting() and not each.due(self.now):
                self.excused[one.rank.priority] += abs(cost - call.charged) / one.rank.weight
                break
        one.served += (cost - call.charged) / one.rank.weight
        one.service += (cost - call.charged) / one.rank.weight
        call.charged = cost
        self.dearest = max(self.dearest, cost)

    def back(self, one: Somebody, call: Call) -> None:
        self.lift(one)
        call.state = StepState.WAITING
        self.charge(one, call, 0.0)

    def ended(self, job: str) -> None:
        self.open.discard(job)
        for call in self.people[self.owner[job]].calls:
            if call.job == job and call.state is StepState.WAITING:
                call.state = StepState.CANCELLED

    def expected(self) -> tuple[Somebody, Call] | None:
        """Whose turn the paper and the priorities say it is, if a slot is free."""
        live = sum(call.lease_until > self.now for _, call in self.running())
        due = [one for one in self.people.values() if one.due(self.now)]
        if self.paused_until > self.now or live >= self.limit or not due:
            return None
        priorities = sorted({one.rank.priority for one in due})
        chosen = priorities[0]
        since = {each: self.passed.get(each, self.now) for each in priorities[1:]}
        aged = [each for each in since if self.now - since[each] >= AGEING]
        if aged:
            chosen = aged[0]
            del since[chosen]
        self.passed = since
        first = min(
            (one for one in due if one.rank.priority == chosen), key=lambda one: (one.service, one.turn)
        )
        return first, first.due(self.now)[0]

    # What happens

    @initialize(limit=st.integers(1, 3), crowd=crowds)
    def begin(self, limit: int, crowd: list[tuple[str, list[int]]]) -> None:
        clear(self.engine)
        self.set_limit(limit)
        self.ask(crowd)

    @rule(limit=st.integers(1, 3))
    def set_limit(self, limit: int) -> None:
        declare(self.engine, limit)
        self.limit = limit

    @rule(crowd=crowds)
    def ask(self, crowd: list[tuple[str, list[int]]]) -> None:
        for who, sizes in crowd:
            self.ask_for(who, sizes)

    def ask_for(self, who: str, sizes: list[int]) -> None:
        one = self.people[who]
        job = a_job(requester=who, created_at=self.now, deadline=self.now + timedelta(days=1))
        steps = [a_step(tokens_in=size) for size in sizes]
        with session.transaction(self.engine) as transaction:
            assert jobs.add(transaction, job)
            taken = preparing.claim(transaction, job.id, self.now, LEASE)
            assert taken is not None
            assert preparing.prepared(
                transaction, job.id, taken.fence, "main", None, steps, self.now, one.rank
            )
        self.open.add(job.id)
        self.owner[job.id] = who
        self.joined(one, job.id, self.now, 0)
        self.agree()

    def joined(self, one: Somebody, job: str, asked_at: datetime, level: int) -> None:
        """Take over the ids that the database gave; all else the model knows."""
        one.turn = one.turn or 1 + max(each.turn for each in self.people.values())
        self.lift(one)
        with session.reading(self.engine) as reading:
            new = reading.scalars(sa.select(Step).filter_by(job_id=job, level=level).order_by(Step.ordinal))
            one.calls += [
                Call(step.id, job, (asked_at, step.id), step.tokens_in, self.now, level) for step in new
            ]

    @rule()
    def fill(self) -> None:
        """As many claims as there are slots, and one more."""
        for _ in range(self.limit + 1):
            self.claim()

    def claim(self) -> None:
        expected = self.expected()
        claimed = do(self.engine, line.claim, "main", self.now, LEASE)
        if expected is None:
            assert claimed is None, "a claim without a free slot or a due step"
            return
        one, call = expected
        assert claimed is not None, "a slot stays idle while a step waits"
        assert claimed.step_id == call.id, "not the one whose turn it is"
        call.state, call.claimed, call.lease_until = StepState.RUNNING, claimed, self.now + LEASE
        self.charge(one, call, call.tokens_in * INPUT)
        self.agree()
        assert sum(each.lease_until > self.now for _, each in self.running()) <= self.limit

    @precondition(lambda self: self.running())
    @rule(which=number, out=tokens)
    def beat(self, which: int, out: int) -> None:
        one, call = self.pick(which)
        assert call.claimed is not None
        holds = call.lease_until > self.now and call.job in self.open
        assert do(self.engine, leases.renew, call.claimed, "so far", out, self.now, LEASE) == holds
        if holds:
            call.lease_until = self.now + LEASE
            self.charge(one, call, max(call.charged, call.tokens_in * INPUT + out * OUTPUT))
        self.agree()

    @precondition(lambda self: self.running())
    @rule(which=number, tokens_in=tokens, out=tokens, reduce=st.booleans())
    def finish(self, which: int, tokens_in: int, out: int, reduce: bool) -> None:
        one, call = self.pick(which)
        assert call.claimed is not None
        with session.transaction(self.engine) as transaction:
            done = leases.finish(transaction, call.claimed, "yes", tokens_in, out, False, self.now)
            if done is not None and reduce:
                steps = [a_step(tokens_in=tokens_in)]
                jobs.add_steps(transaction, done.job, "main", done.level + 1, steps, self.now, one.rank)
            elif done is not None:
                outcomes.answer(transaction, done.job, "yes", truncated=False, now=self.now)
        self.lost.append(call.claimed)
        if call.job not in self.open:
            call.state = StepState.CANCELLED
        else:
            call.state = StepState.DONE
            self.charge(one, call, tokens_in * INPUT + out * OUTPUT)
            level = [each for each in one.calls if (each.job, each.level) == (call.job, call.level)]
            assert (done is not None) == all(each.state is StepState.DONE for each in level)
        if done is not None and reduce:
            self.joined(one, call.job, call.order[0], call.level + 1)
        elif done is not None:
            self.ended(call.job)
        self.agree()

    @precondition(lambda self: self.running())
    @rule(which=number, late=st.sampled_from([0, 0, 0, 2]), used=st.booleans())
    def give_back(self, which: int, late: int, used: bool) -> None:
        one, call = self.pick(which)
        assert call.claimed is not None
        until = self.now + late * SECOND
        assert do(self.engine, leases.give_back, call.claimed, self.now, until, used)
        self.lost.append(call.claimed)
        if call.job in self.open:
            self.back(one, call)
            call.not_before = until
        else:
            call.state = StepState.CANCELLED
        self.agree()

    @precondition(lambda self: self.running())
    @rule(which=number)
    def abandon(self, which: int) -> None:
        _, call = self.pick(which)
        assert call.claimed is not None
        with session.transaction(self.engine) as transaction:
            job = leases.abandon(transaction, call.claimed, self.now)
            assert (job is not None) == (call.job in self.open)
            if job is not None:
                outcomes.fail(transaction, job, "bug", {}, self.now)
        self.lost.append(call.claimed)
        call.state = StepState.CANCELLED
        self.ended(call.job)
        self.agree()

    @precondition(lambda self: self.lost)
    @rule(which=number, how=st.sampled_from(["renew", "finish", "give back", "abandon"]))
    def come_late(self, which: int, how: str) -> None:
        claimed = self.lost[which % len(self.lost)]
        if how == "renew":
            assert not do(self.engine, leases.renew, claimed, "late", 1000, self.now, LEASE)
        elif how == "finish":
            assert do(self.engine, leases.finish, claimed, "late", 1000, 1000, False, self.now) is None
        elif how == "give back":
            assert not do(self.engine, leases.give_back, claimed, self.now, self.now, True)
        else:
            assert do(self.engine, leases.abandon, claimed, self.now) is None
        self.agree()

    @rule(times=st.integers(2, 5), out=tokens)
    def work(self, times: int, out: int) -> None:
        """A worker that goes on without trouble, so that much is served in one example."""
        for _ in range(times):
            self.claim()
            if self.running():
                self.finish(0, 10, out, reduce=False)

    @precondition(lambda self: self.open)
    @rule(which=number)
    def cancel(self, which: int) -> None:
        job = sorted(self.open, key=lambda each: list(self.owner).index(each))[which % len(self.open)]
        assert do(self.engine, outcomes.cancel, job, self.now)
        self.ended(job)
        self.agree()

    @rule(by=st.sampled_from([SECOND, 5 * SECOND, LEASE, MINUTE]))
    def wait(self, by: timedelta) -> None:
        """Workers that say nothing meanwhile are as good as crashed."""
        self.now += by
        self.agree()

    @precondition(lambda self: self.running())
    @rule(which=number)
    def oversleep(self, which: int) -> None:
        """A worker that froze goes on writing when its lease has run out."""
        self.now += LEASE
        self.beat(which, 10)

    @rule()
    def free_dead(self) -> None:
        dead = [(one, call) for one, call in self.running() if call.lease_until <= self.now]
        freed = do(self.engine, leases.free_dead, self.now, 1000)
        assert freed == (["main"] if dead else [])
        before = {id(one): one.service for one in self.people.values()}
        for one, call in dead:
            assert call.claimed is not None
            self.lost.append(call.claimed)
            if call.job in self.open:
                self.back(one, call)
            else:
                call.state = StepState.CANCELLED
        if len(dead) > 1:
            # They are freed in any order, and each may be lifted to the one before it.
            with session.reading(self.engine) as reading:
                for turn in reading.scalars(sa.select(Turn)):
                    one = self.people[turn.requester]
                    back = sum(call.claimed is not None for who, call in dead if who is one)
                    assert turn.service == before[id(one)] or back
                    one.service = turn.service
        self.agree()

    @rule(seconds=st.integers(1, 10))
    def pause(self, seconds: int) -> None:
        asked = seconds * SECOND
        do(self.engine, backends.pause, "main", "busy", self.now, asked, MINUTE)
        self.paused_until = self.now + asked

    @rule()
    def tidy(self) -> None:
        do(self.engine, turns.tidy)
        with session.reading(self.engine) as reading:
            for turn in reading.scalars(sa.select(Turn)):
                assert turn.in_line == bool(self.people[turn.requester].waiting())
        self.agree()

    # What always holds

    def agree(self) -> None:
        with session.reading(self.engine) as reading:
            steps = reading.execute(sa.select(Step.id, Step.state, Step.charged).order_by(Step.id)).all()
            stood = {turn.requester: turn for turn in reading.scalars(sa.select(Turn))}
        mine = sorted(
            (call.id, call.state, call.charged) for one in self.people.values() for call in one.calls
        )
        assert [tuple(step) for step in steps] == mine
        for name, turn in stood.items():
            one = self.people[name]
            assert turn.service == one.service, "the counter is not what was served"
            assert turn.in_line or not one.waiting(), "a step waits out of line"
        self.most_running = max(self.most_running, len(self.running()))
        for pair in itertools.combinations(self.people, 2):
            self.keep_bound(pair)

    def keep_bound(self, pair: tuple[str, str]) -> None:
        f, g = (self.people[name] for name in pair)
        if f.rank.priority != g.rank.priority or not (f.waiting() and g.waiting()):
            self.ahead.pop(pair, None)
            return
        now = f.served - g.served
        low, high = self.ahead.get(pair, (now, now))
        low, high = min(low, now), max(high, now)
        self.ahead[pair] = (low, high)
        least = min(one.rank.weight for one in self.same(f))
        bound = 2 * self.most_running * self.dearest / least + self.excused[f.rank.priority]
        assert high - low <= bound, "two people drift apart by more than the bound"


@pytest.fixture
def quick_engine(engine: sa.Engine) -> Iterator[sa.Engine]:
    """What is written need not outlive a power cut here."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    return engine


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_line_does_what_the_model_says(quick_engine: sa.Engine):
    run_state_machine_as_test(
        lambda: Line(quick_engine),
        settings=settings(
            max_examples=45,
            stateful_step_count=40,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_people_who_wait_all_the_time_are_served_alike_within_the_bound(quick_engine: sa.Engine):
    """Far more is served than the bound, so that any other order would break it."""
    engine = quick_engine
    sizes = st.lists(st.tuples(tokens, tokens), min_size=3, max_size=3)

    @settings(
        max_examples=5,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(limit=st.integers(1, 2), sizes=sizes, guess=st.booleans())
    def check(limit: int, sizes: list[tuple[int, int]], guess: bool) -> None:
        clear(engine)
        declare(engine, limit)
        names = ["UONE", "UTWO", "UHALF"]
        size = dict(zip(names, sizes, strict=True))
        cost = {name: size[name][0] * INPUT + size[name][1] * OUTPUT for name in names}
        dearest = max(cost.values())
        for name in names:
            # Enough for the cheapest to be served as much as the dearest, as far as 40 calls go.
            estimate = 1 if guess else size[name][0]
            waiting = [a_step(tokens_in=estimate) for _ in range(60)]
            with session.transaction(engine) as transaction:
                job = a_job(requester=name)
                assert jobs.add(transaction, job)
                taken = preparing.claim(transaction, job.id, NOW, LEASE)
                assert taken is not None
                preparing.prepared(transaction, job.id, taken.fence, "main", None, waiting, NOW, PEOPLE[name])
        served, flying = dict.fromkeys(names, 0.0), []
        owner = {job.id: job.requester for job in _all_jobs(engine)}
        calls = dict.fromkeys(names, 0)
        while max(calls.values()) < 60:
            while len(flying) < limit:
                claimed = do(engine, line.claim, "main", NOW, LEASE)
                assert claimed is not None
                calls[owner[claimed.job_id]] += 1
                flying.append(claimed)
            done = flying.pop(0)
            name = owner[done.job_id]
            do(engine, leases.finish, done, "yes", *size[name], False, NOW)
            served[name] += cost[name] / PEOPLE[name].weight
            apart = max(served.values()) - min(served.values())
            assert apart <= 2 * limit * dearest / 0.5

    check()


def _all_jobs(engine: sa.Engine) -> list[Job]:
    with session.reading(engine) as reading:
        return list(reading.scalars(sa.select(Job)))
