"""An owner's words in, what they are told out; for Slack and the terminal."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot.owners import orders, own, words
from bot.owners.orders import Done, Owner
from bot.owners.words import Order
from bot.views import owners as view
from db import activity, backends, rules, session
from tasks import tomlfile
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
        if order.verb in words.LOOKS or "all" in order.given:
            return _look(resources, language, order, owner)
        if order.given.get("change") in {"new", "edit"}:
            done = _from_file(resources, order, owner)
        else:
            done = orders.perform(resources, order, owner)
    except words.Unclear as unclear:
        return Told(_help(language, unclear.verb, lead), 2)
    except orders.CannotDo as why:
        return Told(say(language, why.key, **why.values), 1)
    except SQLAlchemyError:
        # At a terminal stands whoever can mend it.
        return Told(say(language, "admin.not_saved" if owner.team is not None else "admin.no_database"), 1)
    here = {"whom": say(language, "admin.here")} if done.here else {}
    return Told(say(language, done.key, **done.values, **here))


def _from_file(resources: Resources, order: Order, owner: Owner) -> Done:
    """A recipe made or changed by a terminal's file; Slack has a form for that, and names no file of ours."""
    file = order.given.get("own", "")
    if owner.team is not None or not file.endswith(".toml"):
        raise words.Unclear(order.verb)
    team = order.given.get("workspace")
    is_new = order.given["change"] == "new"
    try:
        made = own.read(Path(file))
        (own.make if is_new else own.change)(resources, made, team, owner.name)
    except tomlfile.Broken as broken:
        raise orders.CannotDo("own.broken", problems=str(broken)) from broken
    except own.Wrong as wrong:
        key, values = next(iter(wrong.fields.values()))
        raise orders.CannotDo(key, **values) from wrong
    command = resources.settings.slack_command
    return Done("own.made" if is_new else "own.changed", {"recipe": made.name, "command": command})


def _look(resources: Resources, language: str, order: Order, owner: Owner) -> Told:
    now = resources.clock()
    with session.reading(resources.engine) as reading:
        if "all" in order.given:
            made = [rule for rule in rules.of_recipes(reading) if _is_shown(rule.scope, owner)]
            return Told(view.own_recipes(language, made, owner.team))
        if order.verb == "rules":
            counts = backends.counts(reading, now)
            every = rules.every(reading), backends.every(reading), counts
            return Told(view.rules(language, *every, owner.team))
        if order.verb == "audit":
            return Told(view.audit(language, rules.latest(reading, int(order.given.get("most", _LATEST)))))
        found, counts = activity.since(reading, now - _DAY), backends.counts(reading, now)
    text, blocks = view.stats(language, found, counts, now, order.given.get("of", "requests"))
    return Told(text, blocks=blocks)


def _is_shown(scope: str, owner: Owner) -> bool:
    """A terminal sees the recipes of all workspaces, people in Slack those of their own."""
    return owner.team is None or rules.team_of(scope) in (owner.team, None)


def _help(language: str, verb: str | None, lead: str) -> str:
    """How to write one order, or all of them."""
    shown = [verb] if verb else words.VERBS
    lines = [f"`{lead} {each}{_use(language, each)}" for each in shown]
    return "\n".join([say(language, "admin.unclear" if verb else "admin.help"), *lines])


def _use(language: str, verb: str) -> str:
    use = say(language, f"admin.use_{verb}")
    return use if use.startswith("`") else f" {use}"
