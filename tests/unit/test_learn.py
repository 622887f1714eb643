"""What a learned limit is told, and what its backend's row then says; the rule itself is in test_limit."""

from datetime import timedelta

import httpx
import pytest

from db import backends, leases, line
from db.backends import Declared
from db.models import Backend, Job, Post, Step
from db.states import PostState
from tasks.infer import learn
from tasks.infer.limit import START, Limit
from tasks.infer.stage import serve
from tests import fakes
from tests.fakes import LEASE, NOW, SECOND, Model, do, in_line, rows, set_row, the

BUSY = fakes.refuses(429, {"error": {"message": "Too many requests"}})
MEMORY = fakes.refuses(500, {"detail": "CUDA out of memory. Tried to allocate 2.00 GiB"})
BARE = fakes.refuses(500, "Internal Server Error")


@pytest.fixture
def learned(resources):
    do(resources.engine, backends.declare, [Declared("main", START, learned=True)])
    return resources


def row(resources) -> Backend:
    return the(resources.engine, Backend, "main")


def at_level(resources, level: int, **more) -> None:
    state = Limit(level=level, best=level, **more).as_json()
    set_row(resources.engine, Backend, "main", limit=level, learned=state)


def claim(resources) -> line.Claimed:
    claimed = do(resources.engine, line.claim, "main", resources.clock(), LEASE)
    assert claimed is not None
    return claimed


def run(resources, model: Model) -> None:
    with model.client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))


def look(resources, gauges: httpx.Response | None = None) -> list[str]:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return gauges or httpx.Response(404)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        resources.__dict__["http"] = http
        learn.look(resources, resources.line.server("main"))
    return asked


def test_a_learned_limit_starts_low_and_outlives_a_restart(learned):
    assert (row(learned).limit, row(learned).learned) == (START, {})
    at_level(learned, 9)
    do(learned.engine, backends.declare, [Declared("main", START, learned=True)])
    assert row(learned).limit == 9
    do(learned.engine, backends.declare, [Declared("main", 3)])
    assert (row(learned).limit, row(learned).learned) == (3, None)


def test_a_fixed_limit_is_left_alone_and_its_server_not_asked(resources):
    in_line(resources.engine)
    assert look(resources) == []
    assert (row(resources).limit, row(resources).learned) == (4, None)


def test_nothing_is_asked_or_written_while_nobody_asks(learned):
    assert look(learned) == []
    assert row(learned).learned == {}


def test_the_limit_grows_while_all_slots_are_in_use_and_answers_come(learned, clock):
    in_line(learned.engine, steps=400)
    held: list[line.Claimed] = []
    for _ in range(60):
        clock.move(SECOND / 2)
        while (claimed := do(learned.engine, line.claim, "main", clock.now, LEASE)) is not None:
            held.append(claimed)
        look(learned)
        clock.move(SECOND / 2)
        # Each call takes two seconds, however many there are.
        ended = [one for one in held if clock.now - one.claimed_at >= 2 * SECOND]
        for one in ended:
            held.remove(one)
            do(learned.engine, leases.finish, one, "yes", 100, 100, False, clock.now)
    assert row(learned).limit > 2 * START


def test_two_sweeps_that_look_at_once_count_a_call_once(learned, clock):
    in_line(learned.engine, steps=4)
    claim(learned)
    clock.move(SECOND)
    look(learned)
    first = row(learned).learned
    assert first is not None
    # The other one has read the row before the first one wrote it.
    set_row(learned.engine, Backend, "main", learned={**first, "seen_at": first["seen_at"] + 5})

    def answer(_: httpx.Request) -> httpx.Response:
        set_row(learned.engine, Backend, "main", learned={**first, "seen_at": first["seen_at"] + 9})
        return httpx.Response(404)

    learned.without_gauges.clear()
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        learned.__dict__["http"] = http
        learn.look(learned, learned.line.server("main"))
    after = row(learned).learned
    assert after is not None
    assert after["seen_at"] == first["seen_at"] + 9


def test_a_server_without_gauges_is_not_asked_every_second(learned, clock):
    in_line(learned.engine)
    assert look(learned) == ["/metrics", "/slots"]
    clock.move(SECOND)
    assert look(learned) == []
    clock.move(learn.ASK_AGAIN)
    assert look(learned) == ["/metrics", "/slots"]
    told = httpx.Response(200, text="vllm:num_requests_waiting 0\n")
    clock.move(learn.ASK_AGAIN)
    assert look(learned, told) == ["/metrics"]
    clock.move(SECOND)
    assert look(learned, told) == ["/metrics"]


@pytest.mark.parametrize(("reply", "least", "most"), [(BUSY, 4, 6), (MEMORY, 3, 4), (BARE, 4, 6)])
def test_a_refusal_lowers_the_limit_at_once_and_keeps_the_step(learned, reply, least, most):
    at_level(learned, 8)
    in_line(learned.engine, steps=9)
    for _ in range(7):
        claim(learned)
    run(learned, Model(reply))
    assert least <= row(learned).limit <= most
    assert [step.state for step in rows(learned.engine, Step)].count("running") == 7
    [given_back] = [step for step in rows(learned.engine, Step) if step.state == "waiting" and step.fence]
    # Memory that ran out, said in so many words, is nobody's fault; a bare 500 might be the text's.
    assert given_back.attempts == (1 if reply is BARE else 0)


def test_a_busy_server_is_not_paused_when_a_lower_limit_will_do(learned, clock):
    at_level(learned, 8)
    in_line(learned.engine, steps=9)
    for _ in range(7):
        claim(learned)
    run(learned, Model(BUSY))
    assert row(learned).not_before <= NOW
    # With nothing else in flight, only waiting can help.
    in_line(learned.engine, id="alone")
    set_row(learned.engine, Backend, "main", failures=0, trouble=None)
    for step in rows(learned.engine, Step, state="running"):
        set_row(learned.engine, Step, step.id, lease_until=NOW - SECOND)
    clock.move(SECOND)
    run(learned, Model(BUSY))
    assert row(learned).not_before == clock.now + SECOND
    assert row(learned).limit == 1


def test_a_server_that_asks_for_time_gets_it(learned):
    at_level(learned, 8)
    in_line(learned.engine, steps=3)
    claim(learned)
    run(learned, Model(fakes.refuses(429, {"error": {"message": "slow down"}}, {"retry-after": "7"})))
    assert row(learned).not_before == NOW + timedelta(seconds=7)


def test_a_text_that_breaks_the_server_ends_even_when_others_run(learned, clock):
    in_line(learned.engine, id="other", requester="UBO")
    in_line(learned.engine, id="poison")
    for _ in range(6):
        at_level(learned, 8)
        other = claim(learned)
        assert other.job_id == "other"
        run(learned, Model(BARE))
        do(learned.engine, leases.give_back, other, clock.now, clock.now, attempt_used=False)
        clock.move(timedelta(minutes=2))
    after = the(learned.engine, Job, "poison")
    assert (after.state, after.error, after.error_params) == ("failed", "model_broken", {"attempts": 6})
    assert the(learned.engine, Job, "other").state == "waiting"


def test_a_full_server_touches_no_card(learned, clock):
    """A learned limit meets its server's edge now and then; a hundred cards have nothing new to say of that."""
    at_level(learned, 8)
    for number, name in enumerate(("runs", "asks", "waits")):
        in_line(learned.engine, id=name, requester=f"U{number}")
    assert claim(learned).job_id == "runs"
    for card in rows(learned.engine, Post, kind="card"):
        set_row(learned.engine, Post, card.id, state=PostState.SHOWN)
    run(learned, Model(BUSY))
    assert row(learned).trouble == "busy"
    clock.move(LEASE)
    run(learned, Model())
    assert row(learned).trouble is None
    [card] = rows(learned.engine, Post, job_id="waits", kind="card")
    assert card.state is PostState.SHOWN
