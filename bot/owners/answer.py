"""An owner's words in, what they are told out; for Slack and the terminal."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot.owners import orders, words
from bot.owners.orders import Owner
from bot.owners.words import Order
from bot.views import owners as view
from db import activity, backends, rules, session
from tasks.catalogue import say
from tasks.resources import Resources

# Lines of the audit when nobody says how many.
_LATEST = 10

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Told:
    """`text` says everything; `blocks` show it better. `code` is a terminal's: 0 done, 1 not possible, 2 unclear."""

    text: str
    code: int = 0
    blocks: list[dict[str, Any]] = field(default_factory=list)


def answer(resources: Resources, language: str, text: str, owner: Owner, lead: str) -> Told:
    """Parse, do, tell; `lead` is what stands before the words."""
    try:
        order = words.parse(text)
        if order.verb in words.LOOKS:
            return _look(resources, language, order)
        done = orders.perform(resources, order, owner)
    except words.Unclear as unclear:
        return Told(_help(language, unclear.verb, lead), 2)
    except orders.CannotDo as why:
        return Told(say(language, why.key, **why.values), 1)
    except SQLAlchemyError:
        return Told(say(language, "admin.not_saved"), 1)
    return Told(say(language, done.key, **done.values))


def _look(resources: Resources, language: str, order: Order) -> Told:
    now = resources.clock()
    with session.reading(resources.engine) as reading:
        if order.verb == "rules":
            return Told(view.rules(language, rules.every(reading)))
        if order.verb == "audit":
            return Told(view.audit(language, rules.latest(reading, int(order.given.get("most", _LATEST)))))
        found, counts = activity.since(reading, now - _DAY), backends.counts(reading, now)
    text, blocks = view.stats(language, found, counts, now, order.given.get("of", "requests"))
    return Told(text, blocks=blocks)


def _help(language: str, verb: str | None, lead: str) -> str:
    """How to write one order, or all of them."""
    shown = [verb] if verb else words.VERBS
    lines = [f"`{lead} {each}{_use(language, each)}" for each in shown]
    return "\n".join([say(language, "admin.unclear" if verb else "admin.help"), *lines])


def _use(language: str, verb: str) -> str:
    return say(language, f"admin.use_{verb}")
