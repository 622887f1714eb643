"""Recipes that owners make, change and take back: with a form in Slack, from a file at a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy.orm import Session

from db import rules, session
from tasks import tomlfile
from tasks.recipes import kept, own
from tasks.recipes.kept import Found
from tasks.recipes.own import Own
from tasks.recipes.recipe import key
from tasks.resources import Resources
from tasks.rules import RECIPE

log = structlog.get_logger()

Says = tuple[str, Mapping[str, Any]]
"""A text's key in the catalogue, and its values."""

_LONGEST = {"name": 32, "korean_name": 32, "purpose_en": 150, "purpose_ko": 150}
_LONGEST_OF_OTHERS = own.LONGEST_INSTRUCTIONS


class Wrong(Exception):
    """A recipe that cannot be kept: what is wrong with which field. Nothing was changed."""

    def __init__(self, fields: Mapping[str, Says]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


def drafted(said: Mapping[str, Any]) -> Own:
    """A recipe from what somebody filled in, field by field; raises Wrong."""
    try:
        return Own.model_validate({field: value for field, value in said.items() if value not in (None, "")})
    except ValidationError as error:
        raise Wrong({field: _words(field, how, said) for field, how in own.wrong(error).items()}) from None


def read(file: Path) -> Own:
    """A recipe from a file at a terminal, with the keys of Own; raises tomlfile.Broken."""
    source, values = tomlfile.read(file)
    try:
        return Own.model_validate(values)
    except ValidationError as error:
        raise tomlfile.Broken(tomlfile.problems(file, source, error, "such a recipe")) from error


def make(resources: Resources, made: Own, team: str | None, by: str) -> None:
    """Keep a new recipe for a workspace (None: for every one, and for the HTTP API); raises Wrong."""
    with session.transaction(resources.engine) as transaction:
        found = kept.every(transaction)
        _check_free(resources, found, made, team)
        if sum(of == team for of, _ in found) >= kept.MOST:
            raise Wrong({"name": ("own.full", {"limit": kept.MOST})})
        _put(resources, transaction, made, team, by, "new")
    resources.own_recipes.look()


def change(resources: Resources, made: Own, team: str | None, by: str) -> None:
    """Put a recipe in the place of the one with its name; raises Wrong."""
    with session.transaction(resources.engine) as transaction:
        found = kept.every(transaction)
        others = [(of, each) for of, each in found if (of, each.name) != (team, made.name)]
        if len(others) == len(found):
            raise Wrong({"instructions": ("own.gone", {"recipe": made.name})})
        _check_free(resources, others, made, team)
        _put(resources, transaction, made, team, by, "edit")
    resources.own_recipes.look()


def drop(transaction: Session, found: Found) -> None:
    """Take a recipe back, with what was said of where it is on; its jobs keep their own copy."""
    team, made = found
    rules.take(transaction, rules.recipes(team), made.name)
    if not any(each.name == made.name for _, each in kept.every(transaction)):
        rules.take_all(transaction, RECIPE + made.name)


def named(reading: Session, team: str | None, word: str) -> Found | None:
    """The recipe that a word names, of a workspace or for all of them; a terminal (None) sees those for all."""
    ours = [(of, made) for of, made in kept.every(reading) if of in (team, None)]
    same = [each for each in ours if key(word) in {key(each[1].name), key(each[1].korean_name or "")}]
    return next((each for each in same if each[0] == team), next(iter(same), None))


def _check_free(resources: Resources, found: list[Found], made: Own, team: str | None) -> None:
    """No word of it may be taken: by the product's recipes, nor by any that the same people see."""
    seen = [each.recipe() for of, each in found if team is None or of in (team, None)]
    taken = {
        key(word): recipe.name
        for recipe in [*resources.recipes, *seen]
        for word in (recipe.name, *recipe.aliases)
    }
    words = {"name": made.name, "korean_name": made.korean_name}
    clash = {
        field: ("own.taken", {"word": word, "recipe": taken[key(word)]})
        for field, word in words.items()
        if word is not None and key(word) in taken
    }
    if clash:
        raise Wrong(clash)


def _put(resources: Resources, transaction: Session, made: Own, team: str | None, by: str, how: str) -> None:
    now = resources.clock()
    rules.put(transaction, rules.recipes(team), made.name, made.model_dump(), by, now)
    rules.record(transaction, f"recipe {how} {made.name} {team or rules.EVERYONE}", by, now)
    log.info("owners.order", verb="recipe", by=by)


def _words(field: str, how: str, said: Mapping[str, Any]) -> Says:
    if how == "long":
        return "own.long", {"length": len(said[field]), "limit": _LONGEST.get(field, _LONGEST_OF_OTHERS)}
    if how == "missing":
        return "own.missing", {}
    return f"own.bad_{field}", {
        "least": own.LEAST_CHOICES if field == "choices" else own.LEAST_ANSWER,
        "most": own.MOST_CHOICES if field == "choices" else own.MOST_ANSWER,
        "longest": own.LONGEST_CHOICE,
    }
