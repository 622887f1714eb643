"""The recipes that owners made, as the database has them."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import rules, session
from tasks.recipes import Recipes, own
from tasks.recipes.own import Own

log = structlog.get_logger()

MOST = 30
"""Recipes of one workspace, and as many for all: a choice in a form of Slack's has 100 options at most."""

FRESH = timedelta(seconds=2)
"""For so long at most another process does not know what was changed."""

PATIENCE = timedelta(seconds=0.5)
"""Slack waits 3 seconds for all that there is to do."""

_AFTER_TROUBLE = timedelta(seconds=30)

Found = tuple[str | None, Own]
"""For which workspace (None: for all) there is a recipe, and the recipe."""


def find(reading: Session, team: str, name: str) -> Found | None:
    """The recipe of a workspace by its name: its own goes before one for all."""
    for of in (team, None):
        value = rules.get(reading, rules.recipes(of), name)
        if value is not None and (found := own.kept(value)) is not None:
            return of, found
    return None


def every(reading: Session) -> list[Found]:
    """All of them."""
    kept = [(rules.team_of(rule.scope), own.kept(rule.value)) for rule in rules.of_recipes(reading)]
    return [(team, made) for team, made in kept if made is not None]


def of_team(found: list[Found], team: str) -> list[Own]:
    """A workspace's own, then those for all."""
    return [made for of, made in found if of == team] + [made for of, made in found if of is None]


class Kept:
    """What the front door offers to whom, looked at again after FRESH: a mention must not cost a question each.

    Nobody waits for it longer than `patience`, and while the database does not answer, what was known last holds.
    """

    def __init__(
        self,
        engine: Callable[[], sa.Engine],
        files: Recipes,
        clock: Callable[[], datetime],
        patience: timedelta = PATIENCE,
    ) -> None:
        self._engine = engine
        self._files = files
        self._clock = clock
        self._patience = patience
        self._found: list[Found] = []
        self._offered: dict[str, Recipes] = {}
        self._until: datetime | None = None
        self._looking = threading.Lock()

    def of(self, team: str) -> Recipes:
        """All recipes that people of a workspace can ask for."""
        if (self._until is None or self._clock() >= self._until) and self._looking.acquire(blocking=False):
            looking = threading.Thread(target=self._look_and_release, name="recipes", daemon=True)
            looking.start()
            looking.join(self._patience.total_seconds())
        offered = self._offered  # As it is now: another thread may put a new one in its place.
        if team not in offered:
            offered[team] = self._files.also(made.recipe() for made in of_team(self._found, team))
        return offered[team]

    def look(self) -> None:
        """Know what is there now: it was changed here a moment ago, so the database answers."""
        try:
            with session.reading(self._engine()) as reading:
                found = every(reading)
        except SQLAlchemyError as error:
            log.warning("recipes.unread", error=type(error).__name__)
            self._until = self._clock() + _AFTER_TROUBLE
            return
        if found != self._found:
            self._found, self._offered = found, {}
        self._until = self._clock() + FRESH

    def _look_and_release(self) -> None:
        try:
            self.look()
        except Exception:  # A door: the thread's.
            log.exception("recipes.broke")
        finally:
            self._looking.release()
