"""Backends on both databases: declared by the settings, paused by trouble, and recovered."""

import sqlalchemy as sa

from db import backends
from db.backends import Declared
from db.models import Backend
from tests.fakes import MINUTE, NOW, SECOND, at_once, declare, do, the


def pause(engine: sa.Engine, trouble: str = "down", asked=None, now=NOW) -> bool:
    return do(engine, backends.pause, "main", trouble, now, asked, 15 * SECOND)


def main(engine: sa.Engine) -> Backend:
    return the(engine, Backend, "main")


def test_settings_make_backends_and_change_their_limits(engine: sa.Engine):
    assert do(engine, backends.every) == []
    do(engine, backends.declare, [Declared("main", 4), Declared("other", 2)])
    do(engine, backends.declare, [Declared("main", 8)])
    assert [(one.name, one.limit) for one in do(engine, backends.every)] == [("main", 8), ("other", 2)]


def test_a_new_limit_leaves_trouble_as_it_is(engine: sa.Engine):
    declare(engine)
    pause(engine)
    declare(engine, limit=9)
    assert (main(engine).limit, main(engine).trouble, main(engine).failures) == (9, "down", 1)


def test_processes_that_start_at_once_declare_one_backend(engine: sa.Engine):
    at_once(8, lambda _: declare(engine))
    assert len(do(engine, backends.every)) == 1


def test_pauses_double_up_to_the_longest(engine: sa.Engine):
    declare(engine)
    pauses, now = [], NOW
    for _ in range(6):
        pause(engine, now=now)
        pauses.append((main(engine).not_before - now).total_seconds())
        now = main(engine).not_before
    assert pauses == [1, 2, 4, 8, 15, 15]


def test_a_pause_that_the_server_asks_for_is_given_in_full(engine: sa.Engine):
    declare(engine)
    pause(engine, "busy", asked=10 * MINUTE)
    assert main(engine).not_before == NOW + 10 * MINUTE


def test_trouble_is_news_once_and_again_when_it_changes(engine: sa.Engine):
    declare(engine)
    assert [pause(engine, trouble) for trouble in ("down", "down", "loading", "loading", "down")] == [
        *(True, False),
        *(True, False),
        True,
    ]


def test_recovery_is_news_once(engine: sa.Engine):
    declare(engine)
    assert not do(engine, backends.recovered, "main")
    pause(engine)
    pause(engine)
    assert do(engine, backends.recovered, "main")
    assert not do(engine, backends.recovered, "main")
    assert (main(engine).trouble, main(engine).failures) == (None, 0)
    assert pause(engine)
    assert main(engine).not_before == NOW + SECOND


def test_an_answer_does_not_cut_the_pause_that_the_server_asked_of_another_call(engine: sa.Engine):
    declare(engine)
    pause(engine, "busy", asked=MINUTE)
    do(engine, backends.recovered, "main")
    assert main(engine).not_before == NOW + MINUTE


def test_calls_that_fail_together_count_as_one_failure(engine: sa.Engine):
    declare(engine)
    for _ in range(4):
        pause(engine)
    assert (main(engine).failures, main(engine).not_before) == (1, NOW + SECOND)


def test_of_all_who_find_it_unswept_one_takes_the_turn(engine: sa.Engine):
    """As when a database comes back: all look at once. The next time as well."""
    declare(engine)
    declare(engine, name="another")
    for now in (NOW, NOW + MINUTE):
        assert do(engine, backends.is_unswept, now - SECOND)
        taken = at_once(8, lambda _, now=now: do(engine, backends.take_sweep, now - SECOND, now))
        assert taken.count(True) == 1
        assert not do(engine, backends.is_unswept, now - SECOND)
    assert do(engine, backends.last_swept) is None


def test_a_sweep_that_was_asked_for_leaves_no_turn_to_take(engine: sa.Engine):
    declare(engine)
    do(engine, backends.mark_swept, NOW)
    assert not do(engine, backends.is_unswept, NOW)
    assert not do(engine, backends.take_sweep, NOW, NOW + SECOND)


def test_without_a_backend_there_is_no_turn_to_take(engine: sa.Engine):
    """Nor anything that ran: a worker declares its backends before it looks."""
    assert not do(engine, backends.is_unswept, NOW)
    assert not do(engine, backends.take_sweep, NOW, NOW)
