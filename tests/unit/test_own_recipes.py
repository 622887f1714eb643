"""The recipes that owners made, as the front door knows them between two looks at the database."""

import threading
from datetime import timedelta

import sqlalchemy as sa

from db import rules, session
from tasks import recipes
from tasks.recipes import kept, own
from tasks.recipes.kept import Kept
from tasks.recipes.own import Own
from tests.fakes import MINUTE, NOW, SECOND, Clock, do, until

HAIKU = Own(name="haiku", korean_name="하이쿠", purpose_en="A haiku.", instructions="Write a haiku.")


def put(engine: sa.Engine, made: Own, team: str | None = "T1") -> None:
    do(engine, rules.put, rules.recipes(team), made.name, made.model_dump(), "U0OWNER", NOW)


def known(kept: Kept, team: str = "T1") -> bool:
    return kept.of(team).get("haiku") is not None


def test_what_another_process_changed_is_known_a_moment_later(sqlite_engine, clock: Clock):
    offers = Kept(lambda: sqlite_engine, recipes.load(), clock, MINUTE)
    assert not known(offers)
    put(sqlite_engine, HAIKU)
    assert not known(offers)
    clock.now += kept.FRESH
    assert known(offers)
    assert not known(offers, "T2")
    do(sqlite_engine, rules.take, "recipes:T1", "haiku")
    assert known(offers)
    clock.now += kept.FRESH
    assert not known(offers)


def test_what_this_process_changed_is_known_at_once(sqlite_engine, clock: Clock):
    offers = Kept(lambda: sqlite_engine, recipes.load(), clock, MINUTE)
    assert not known(offers)
    put(sqlite_engine, HAIKU)
    offers.look()
    assert known(offers)


def test_a_database_that_is_away_takes_no_recipe_away(sqlite_engine, clock: Clock, tmp_path):
    """What was known holds, and the next look comes later."""
    away = session.connect(f"sqlite:///{tmp_path}")
    engines = [sqlite_engine, away, sqlite_engine]
    offers = Kept(lambda: engines.pop(0), recipes.load(), clock, MINUTE)
    put(sqlite_engine, HAIKU)
    assert known(offers)
    do(sqlite_engine, rules.take, "recipes:T1", "haiku")
    clock.now += kept.FRESH
    assert known(offers)
    clock.now += kept.FRESH
    assert known(offers)
    assert len(engines) == 1
    clock.now += 30 * SECOND
    assert not known(offers)
    away.dispose()


def test_a_file_of_the_same_name_goes_first():
    """It came with a later version; and no alias takes a word away from anybody."""
    files = recipes.load()
    same = Own(name="ask", korean_name="하이쿠", purpose_en="Mine.", instructions="Mine.")
    other = Own(name="haiku", korean_name="요약", purpose_en="Mine.", instructions="Mine.")
    all_ = files.also([same.recipe(), other.recipe()])
    assert all_.get("ask") is files.get("ask")
    assert all_.get("하이쿠") is None
    assert all_.get("요약") is files.get("summarize")
    assert all_.get("haiku") is not None
    assert files.get("haiku") is None


def test_the_workspaces_own_goes_before_one_for_all(sqlite_engine):
    put(sqlite_engine, HAIKU, None)
    put(sqlite_engine, HAIKU.model_copy(update={"instructions": "Write two."}))
    with session.reading(sqlite_engine) as reading:
        mine, theirs = kept.find(reading, "T1", "haiku"), kept.find(reading, "T2", "haiku")
    assert mine is not None
    assert theirs is not None
    assert (mine[0], mine[1].instructions) == ("T1", "Write two.")
    assert (theirs[0], theirs[1].instructions) == (None, "Write a haiku.")


def test_its_name_in_korean_is_the_owners():
    assert HAIKU.recipe().called("ko") == "하이쿠"
    assert HAIKU.recipe().purpose.ko == "A haiku."
    assert own.kept({"name": "haiku"}) is None


def test_nobody_waits_for_a_database_that_says_nothing(clock: Clock):
    """What is known is given without it, and one look at a time goes on."""
    asked, answers = [], threading.Event()

    def engine() -> sa.Engine:
        asked.append(1)
        assert answers.wait(20)
        raise sa.exc.OperationalError("", {}, Exception())

    offers = Kept(engine, recipes.load(), clock, timedelta(0))
    assert offers.of("T1").get("summarize") is not None
    assert offers.of("T1").get("summarize") is not None
    assert len(asked) <= 1
    answers.set()
    until(lambda: not offers._looking.locked())
