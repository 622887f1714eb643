"""The sweep: every lost bell is a delay, every dead worker is followed, and what is old is forgotten."""

from datetime import timedelta

import pytest

from db import backends, line, outcomes, preparing, rules
from db.backends import Declared
from db.models import Backend, Job, Post, Step, Turn
from db.states import JobState, PostKind, PostState, StepState
from db.turns import Rank
from tasks import sweep as sweeping
from tasks.linefile import Line, Server
from tasks.sweep import sweep
from tests.fakes import LEASE, MINUTE, NOW, SECOND, accepted, declare, do, in_line, rows, set_row, the


def test_a_quiet_house_rings_for_nothing(resources, bell):
    sweep(resources)
    assert bell.rung == []


def test_a_sweep_leaves_its_time_but_does_not_write_it_every_second(resources, clock):
    sweep(resources)
    clock.move(SECOND)
    sweep(resources)
    assert the(resources.engine, Backend, "main").swept_at == NOW
    clock.move(SECOND)
    sweep(resources)
    assert the(resources.engine, Backend, "main").swept_at == NOW + 2 * SECOND


def test_a_process_sweeps_once_at_a_time(resources, clock):
    """Sweeps that wait for a lock would have all threads of `deliver` before long."""
    with resources.sweeping:
        sweep(resources)
    assert the(resources.engine, Backend, "main").swept_at is None
    sweep(resources)
    sweep(resources)
    assert the(resources.engine, Backend, "main").swept_at == NOW
    assert not resources.sweeping.locked()


def test_a_sweep_that_breaks_holds_up_no_other(resources, monkeypatch):
    monkeypatch.setattr(sweeping.outcomes, "end_overdue", None)
    with pytest.raises(TypeError):
        sweep(resources)
    assert not resources.sweeping.locked()


def test_a_sweep_that_nobody_asked_for_leaves_no_time(resources, clock):
    """It is to be seen that beat or the broker is away, though the dead are freed."""
    in_line(resources.engine, channel=None)
    claimed = do(resources.engine, line.claim, "main", NOW, LEASE)
    clock.move(LEASE)
    sweep(resources, asked=False)
    assert the(resources.engine, Step, claimed.step_id).state is StepState.WAITING
    assert the(resources.engine, Backend, "main").swept_at is None


def test_lost_bells_are_rung_again(resources, bell, clock):
    declare(resources.engine, limit=2)
    job = accepted(resources.engine, channel="C1")
    in_line(resources.engine, steps=3, channel="C2")
    clock.move(sweeping.UNHEARD + SECOND)
    sweep(resources)
    assert sorted(bell.rung) == [
        ("deliver", "slack/C1"),
        ("deliver", "slack/C2"),
        ("infer", "main"),
        ("infer", "main"),
        ("prepare", job.id),
    ]


def test_a_bell_just_rung_is_given_time_to_be_heard(resources, bell, clock):
    accepted(resources.engine, channel=None)
    clock.move(sweeping.UNHEARD)
    sweep(resources)
    assert bell.rung == []


def test_a_dead_call_goes_back_in_line_and_is_rung_for(resources, bell, clock):
    in_line(resources.engine, channel=None)
    do(resources.engine, line.claim, "main", NOW, LEASE)
    sweep(resources)
    assert bell.rung == []
    clock.move(LEASE)
    sweep(resources)
    [step] = rows(resources.engine, Step)
    assert step.state is StepState.WAITING
    assert bell.rung == [("infer", "main")]


def test_an_overdue_job_ends_with_words(resources, bell, clock):
    job = in_line(resources.engine)
    clock.move(timedelta(hours=1) + SECOND)
    sweep(resources)
    after = the(resources.engine, Job, job.id)
    assert (after.state, after.error) == (JobState.FAILED, "deadline")
    assert bell.rung == [("deliver", "slack/C1")]


def test_a_job_that_kills_its_preparer_is_not_tried_for_ever(resources, bell, clock):
    job = accepted(resources.engine)
    for _ in range(sweeping.MOST_CLAIMS):
        assert do(resources.engine, preparing.claim, job.id, clock.now, LEASE) is not None
        clock.move(LEASE + SECOND)
    sweep(resources)
    assert the(resources.engine, Job, job.id).error == "bug"
    assert ("prepare", job.id) not in bell.rung


def test_what_outlived_its_retention_is_forgotten(resources, clock):
    job = accepted(resources.engine)
    do(resources.engine, outcomes.cancel, job.id, NOW)
    clock.move(resources.settings.retention)
    sweep(resources)
    assert len(rows(resources.engine, Job)) == 1
    clock.move(MINUTE)
    sweep(resources)
    assert rows(resources.engine, Job) == []


def several(resources, *servers: Server) -> None:
    """The line's servers, declared."""
    resources.__dict__["line"] = Line(servers, 1.0, 2.0, {"UBOSS": Rank(2.0, 0)})
    declared = [Declared(server.name, server.limit or 1) for server in servers]
    do(resources.engine, backends.declare, declared)


def server(name: str, context: int = 8192, recipes: frozenset[str] | None = None) -> Server:
    return Server(name, f"http://{name}/v1", "", "m", 4, context, recipes)


def where(resources) -> list[str]:
    return [step.backend for step in rows(resources.engine, Step)]


def out(resources, name: str) -> None:
    """Down, as two calls found out."""
    set_row(resources.engine, Backend, name, trouble="down", failures=2, not_before=NOW + MINUTE)


def test_waiting_calls_go_to_the_fallback_while_their_server_is_out_and_come_back(resources, bell):
    several(resources, server("main"), server("cloud"))
    in_line(resources.engine, steps=2)
    sweep(resources)
    assert where(resources) == ["main", "main"]
    out(resources, "main")
    sweep(resources)
    assert where(resources) == ["cloud", "cloud"]
    assert bell.rung[-3:].count(("infer", "cloud")) == 2
    claimed = do(resources.engine, line.claim, "cloud", NOW, LEASE)
    assert claimed is not None
    # What runs stays where it is.
    do(resources.engine, backends.recovered, "main")
    set_row(resources.engine, Backend, "main", not_before=None)
    sweep(resources)
    assert where(resources) == ["cloud", "main"]


def test_one_failure_sends_nobody_away(resources):
    several(resources, server("main"), server("cloud"))
    in_line(resources.engine)
    set_row(resources.engine, Backend, "main", trouble="down", failures=1)
    sweep(resources)
    assert where(resources) == ["main"]


@pytest.mark.parametrize("trouble", ["busy", "out_of_memory"])
def test_a_server_that_is_only_full_keeps_its_line(resources, trouble: str):
    several(resources, server("main"), server("cloud"))
    in_line(resources.engine)
    set_row(resources.engine, Backend, "main", trouble=trouble, failures=5)
    sweep(resources)
    assert where(resources) == ["main"]


def test_a_fallback_takes_only_its_recipes_and_what_fits_it(resources):
    several(
        resources,
        server("main"),
        server("small", context=100),
        server("words", recipes=frozenset({"translate"})),
    )
    in_line(resources.engine, recipe="summarize")
    in_line(resources.engine, recipe="translate")
    out(resources, "main")
    # Ten tokens and an answer of a hundred are too much for the small one.
    sweep(resources)
    assert where(resources) == ["main", "main"]
    several(resources, server("main"), server("words", recipes=frozenset({"translate"})))
    sweep(resources)
    assert where(resources) == ["main", "words"]


def test_what_owners_made_goes_where_the_default_recipe_goes(resources):
    """A server that is kept for certain recipes stays theirs."""
    words = server("words", recipes=frozenset({"translate"}))
    several(resources, server("main"), words)
    in_line(resources.engine, recipe="haiku", own_recipe={"name": "haiku"})
    out(resources, "main")
    sweep(resources)
    assert where(resources) == ["main"]
    several(resources, server("main"), words, server("cloud"))
    sweep(resources)
    assert where(resources) == ["cloud"]
    [job] = rows(resources.engine, Job)
    assert [each.name for each in resources.serving(job)] == ["main", "cloud"]


def test_a_server_that_left_the_settings_leaves_its_line_to_others(resources):
    in_line(resources.engine)
    several(resources, server("new"))
    sweep(resources)
    assert where(resources) == ["new"]


def test_without_a_healthy_server_everybody_keeps_their_place(resources):
    several(resources, server("main"), server("cloud"))
    in_line(resources.engine)
    out(resources, "main")
    out(resources, "cloud")
    sweep(resources)
    assert where(resources) == ["main"]


def test_steps_of_code_before_turns_are_put_in_line_with_their_persons_rank(resources):
    several(resources, server("main"))
    in_line(resources.engine, requester="UBOSS")
    [step] = rows(resources.engine, Step)
    set_row(resources.engine, Step, step.id, turn_id=None, asked_at=None)
    assert do(resources.engine, line.claim, "main", NOW, LEASE) is None
    sweep(resources)
    claimed = do(resources.engine, line.claim, "main", NOW, LEASE)
    assert claimed is not None
    turn = the(resources.engine, Turn, claimed.turn_id)
    assert (turn.requester, turn.weight, turn.priority) == ("UBOSS", 2.0, 0)


def test_a_priority_that_the_owners_gave_holds_for_moved_steps_too(resources):
    """The person's own, else the channel's."""
    do(resources.engine, rules.put, rules.channel("C1"), "priority", 0, "UOWNER", NOW)
    job = in_line(resources.engine)
    [step] = rows(resources.engine, Step, job_id=job.id)
    set_row(resources.engine, Step, step.id, turn_id=None)
    sweep(resources)
    [step] = rows(resources.engine, Step, job_id=job.id)
    assert the(resources.engine, Turn, step.turn_id).priority == 0


def test_a_paused_server_sends_its_line_to_a_fallback(resources):
    """As one that is out does; without a fallback everybody keeps their place."""
    several(resources, server("main"), server("spare"))
    in_line(resources.engine)
    do(resources.engine, backends.hold, "main", None, NOW)
    sweep(resources)
    assert where(resources) == ["spare"]
    do(resources.engine, backends.hold, "spare", None, NOW)
    sweep(resources)
    assert where(resources) == ["spare"]


def test_cards_are_told_their_place_when_it_changes_and_then_no_more(resources, bell):
    declare(resources.engine, limit=1)
    jobs_in_line = [in_line(resources.engine, channel=f"C{number}") for number in range(3)]
    assert do(resources.engine, line.claim, "main", NOW, LEASE) is not None

    def wanted() -> set[str]:
        cards = rows(resources.engine, Post, kind=PostKind.CARD)
        found = {card.lane for card in cards if card.state is PostState.WANTED}
        for card in cards:
            set_row(resources.engine, Post, card.id, state=PostState.SHOWN)
        return found

    wanted()
    sweep(resources)
    assert [the(resources.engine, Job, job.id).ahead for job in jobs_in_line] == [None, 0, 1]
    assert ("deliver", "slack/C1") in bell.rung
    assert wanted() == {"slack/C1", "slack/C2"}
    sweep(resources)
    assert wanted() == set()
    do(resources.engine, outcomes.cancel, jobs_in_line[1].id, NOW)
    wanted()
    sweep(resources)
    assert wanted() == {"slack/C2"}
