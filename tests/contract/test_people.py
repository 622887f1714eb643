"""People on both databases: remembered for a while, by team, and by two stages at once."""

from datetime import timedelta

import sqlalchemy as sa

from db import people
from db.models import Person
from tests.fakes import NOW, SECOND, at_once, do, rows


def anna(**changes) -> Person:
    return Person(
        **{
            "team": "T1",
            "user": "UANNA",
            "locale": "ko-KR",
            "name": "Anna",
            "seen_at": NOW,
            "is_guest": False,
            **changes,
        }
    )


def test_a_person_is_known_in_their_team_since_they_were_seen(engine: sa.Engine):
    do(engine, people.remember, anna())
    do(engine, people.remember, anna(user="UBOB99", name="Bob"))
    known = do(engine, people.known, "T1", ["UANNA", "UNOBODY"], NOW)
    assert {user: person.name for user, person in known.items()} == {"UANNA": "Anna"}
    assert do(engine, people.known, "T1", ["UANNA"], NOW + SECOND) == {}
    assert do(engine, people.known, "T2", ["UANNA"], NOW) == {}
    assert do(engine, people.known, "T1", [], NOW) == {}


def test_what_slack_says_later_replaces_what_it_said(engine: sa.Engine):
    do(engine, people.remember, anna())
    later = NOW + timedelta(days=2)
    do(engine, people.remember, anna(locale="en-GB", name="Ann", seen_at=later))
    [person] = rows(engine, Person)
    assert (person.locale, person.name, person.seen_at) == ("en-GB", "Ann", later)


def test_a_locale_is_known_or_not(engine: sa.Engine):
    assert do(engine, people.locale, "T1", "UANNA") is None
    do(engine, people.remember, anna())
    assert do(engine, people.locale, "T1", "UANNA") == "ko-KR"
    assert do(engine, people.locale, "T2", "UANNA") is None


def test_a_newcomer_may_be_met_by_several_at_once(engine: sa.Engine):
    for race in range(5):
        at_once(8, lambda _, user=f"U{race}": do(engine, people.remember, anna(user=user)))
    assert len(rows(engine, Person)) == 5


def test_what_somebody_chooses_leaves_the_rest(engine: sa.Engine):
    """Two settings pressed at once are both kept."""
    chosen = ({"recipe": "ask"}, {"mention": False}, {"language": "ko"})
    at_once(3, lambda at: do(engine, people.prefer, "T1", "UANNA", chosen[at]))
    assert do(engine, people.preferences, "T1", "UANNA") == people.Preferences("ko", "ask", mention=False)
