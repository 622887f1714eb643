"""Carries an order out: the change and its line in the audit in one commit.

No bell is rung: the sweep looks at everything within a second or two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot import intake, voice
from bot.owners import own
from bot.owners.words import LOOKS, Order
from db import backends, jobs, posts, rules, session
from db.rules import EVERYONE
from tasks import groups, slack
from tasks.resources import Resources
from tasks.rules import (
    ADMIN,
    ALLOW,
    BAN,
    DRAIN,
    GUESTS,
    LISTED,
    PRIORITY,
    QUOTAS,
    RECIPE,
    REDACTION,
    REPLIES,
    STREAMING,
)

log = structlog.get_logger()


class CannotDo(Exception):
    """An order that cannot be carried out, with the text that says why; nothing was changed."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(frozen=True)
class Owner:
    """Who orders, already known to be one, and from which workspace and channel; a terminal is in neither."""

    name: str
    team: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class Done:
    """What the owner is told."""

    key: str
    values: Mapping[str, Any]
    # It is about the workspace that they are in, whose id they need not know.
    here: bool = False


@dataclass(frozen=True)
class _Work:
    resources: Resources
    session: Session
    order: Order
    owner: Owner
    now: datetime
    # The members of the group that the order lets in, as Slack told them.
    members: Mapping[str, Any] | None = None

    def put(self, scope: str, key: str, value: Any) -> None:
        rules.put(self.session, scope, key, value, self.owner.name, self.now)

    def take(self, scope: str, key: str) -> None:
        """Take a rule away; raises CannotDo when there is none."""
        if not rules.take(self.session, scope, key):
            raise CannotDo("admin.no_rule")


def perform(resources: Resources, order: Order, owner: Owner) -> Done:
    """Do what is ordered; raises CannotDo, or the database's errors."""
    assert order.verb not in LOOKS
    members = _members(resources, order.group) if order.verb == "allow" and order.group else None
    with session.transaction(resources.engine) as transaction:
        now = resources.clock()
        work = _Work(resources, transaction, order, owner, now, members)
        done = _VERBS[order.verb](work)
        rules.record(transaction, order.words, owner.name, now)
    if order.verb == "recipe":
        resources.own_recipes.look()
    # What owners say to those who wait is theirs, and stays in the rows (I10).
    log.info("owners.order", verb=order.verb, by=owner.name)
    return done


def _members(resources: Resources, group_id: str) -> dict[str, Any]:
    """A group's members; raises CannotDo when Slack does not tell them. No transaction may be open (I9)."""
    try:
        return groups.ask(voice.quick(resources), group_id, resources.clock())
    except slack.ERRORS as error:
        code = slack.problem(error).code
        key = "admin.group_scope" if code == "missing_scope" else "admin.group_untold"
        raise CannotDo(key, group=named(rules.group(group_id)), code=code) from error


def named(scope: str) -> str:
    """A scope as Slack shows it: a person and a group by name, a channel as a link."""
    kind, _, name = scope.partition(":")
    if kind == "person" and name[:1] in {"U", "W"} and name.isupper():
        return f"<@{name}>"
    if kind == "group":
        return f"<!subteam^{name}>"
    return f"<#{name}>" if kind == "channel" else f"`{name or kind}`"


def _scope(order: Order) -> str:
    """Whom an order is about."""
    if order.person:
        return rules.person(order.person)
    if order.channel:
        return rules.channel(order.channel)
    if order.group:
        return rules.group(order.group)
    workspace = order.given.get("workspace")
    return rules.workspace(workspace) if workspace else EVERYONE


def _pause(work: _Work) -> Done:
    name = work.order.given["backend"]
    if not backends.hold(work.session, name, work.order.given.get("says"), work.now):
        # None before the first worker has started.
        known = ", ".join(each.name for each in backends.every(work.session)) or "-"
        raise CannotDo("admin.no_backend", backend=name, backends=known)
    posts.refresh_cards_in(work.session, name)
    waiting = backends.counts(work.session, work.now)[name].waiting
    return Done("admin.paused", {"backend": name, "waiting": waiting})


def _resume(work: _Work) -> Done:
    name = work.order.given["backend"]
    if not backends.release(work.session, name):
        raise CannotDo("admin.not_paused", backend=name)
    posts.refresh_cards_in(work.session, name)
    return Done("admin.resumed", {"backend": name})


def _drain(work: _Work) -> Done:
    if "off" in work.order.given:
        work.take(EVERYONE, DRAIN)
        return Done("admin.undrained", {})
    work.put(EVERYONE, DRAIN, work.order.given.get("says", ""))
    return Done("admin.drained", {})


def _requeue(work: _Work) -> Done:
    job_id = work.order.given["job"]
    job = jobs.any_of(work.session, job_id, work.owner.team)
    if job is None:
        raise CannotDo("admin.no_job", job=job_id)
    patience = work.resources.settings.job_deadline
    again = jobs.retry(work.session, job_id, job.attempt, work.now, patience)
    if not again:
        raise CannotDo("admin.not_failed", job=job_id, state=job.state.value)
    # As Retry does: the recipe as it is now; of one that is gone, prepare speaks.
    again.own_recipe = intake.own_recipe(work.resources, work.session, job.team, job.recipe)
    return Done("admin.requeued", {"job": job_id})


def _ban(work: _Work) -> Done:
    work.put(_scope(work.order), BAN, True)
    return Done("admin.banned", {"whom": named(_scope(work.order))})


def _unban(work: _Work) -> Done:
    work.take(_scope(work.order), BAN)
    return Done("admin.unbanned", {"whom": named(_scope(work.order))})


def _allow(work: _Work) -> Done:
    match work.order.given.get("whom"):
        case "everyone":
            rules.take_all(work.session, ALLOW)
            return Done("admin.open", {})
        case "guests":
            work.take(EVERYONE, GUESTS)
            return Done("admin.guests_in", {})
    scope = _scope(work.order)
    work.put(EVERYONE, ALLOW, LISTED)
    work.put(scope, ALLOW, dict(work.members) if work.members is not None else True)
    return Done("admin.allowed", {"whom": named(scope)})


def _disallow(work: _Work) -> Done:
    if work.order.given.get("whom") == "guests":
        work.put(EVERYONE, GUESTS, False)
        return Done("admin.guests_out", {})
    # The list stays, also when it is empty: then nobody may.
    work.take(_scope(work.order), ALLOW)
    return Done("admin.disallowed", {"whom": named(_scope(work.order))})


def _admins(work: _Work) -> Done:
    scope = _scope(work.order)
    if work.order.given["how"] == "add":
        work.put(scope, ADMIN, True)
        return Done("admin.admin_added", {"whom": named(scope)})
    if work.order.person in work.resources.settings.admins:
        raise CannotDo("admin.admin_by_setting", whom=named(scope))
    work.take(scope, ADMIN)
    return Done("admin.admin_removed", {"whom": named(scope)})


def _quota(work: _Work) -> Done:
    scope, of, most = _scope(work.order), work.order.given["of"], work.order.given["most"]
    if most == "none":
        work.take(scope, QUOTAS[of])
        return Done("admin.quota_none", {"whom": named(scope)})
    work.put(scope, QUOTAS[of], int(most))
    key = "admin.quota_requests" if of == "requests" else "admin.quota_tokens"
    return Done(key, {"whom": named(scope), "most": int(most)})


def _priority(work: _Work) -> Done:
    scope, priority = _scope(work.order), work.order.given["priority"]
    if priority == "none":
        work.take(scope, PRIORITY)
        return Done("admin.priority_none", {"whom": named(scope)})
    work.put(scope, PRIORITY, int(priority))
    return Done("admin.priority", {"whom": named(scope), "priority": priority})


def _recipe(work: _Work) -> Done:
    if "change" in work.order.given:
        return _delete_recipe(work)
    written, on = work.order.given["recipe"], work.order.given["how"] == "on"
    made = own.named(work.session, work.owner.team, written)
    recipe = made[1].recipe() if made else work.resources.recipes.get(written)
    if recipe is None:
        alternatives = work.resources.recipes_of(work.owner.team or "").alternatives(written)
        raise CannotDo("admin.no_recipe", word=written, **alternatives)
    scope = (
        rules.workspace(made[0]) if made and made[0] and work.order.channel is None else _scope(work.order)
    )
    work.put(scope, RECIPE + recipe.name, on)
    if work.order.channel is None:
        return Done("admin.recipe_on" if on else "admin.recipe_off", {"recipe": recipe.name})
    key = "admin.recipe_on_in" if on else "admin.recipe_off_in"
    return Done(key, {"recipe": recipe.name, "channel": named(_scope(work.order))})


def _delete_recipe(work: _Work) -> Done:
    word = work.order.given.get("own", "")
    found = own.named(work.session, work.order.given.get("workspace") or work.owner.team, word)
    if found is None:
        key = "own.of_the_product" if work.resources.recipes.get(word) else "own.gone"
        raise CannotDo(key, recipe=word)
    own.drop(work.session, found)
    return Done("own.deleted", {"recipe": found[1].name})


def _redaction(work: _Work) -> Done:
    return _of_workspace(work, REDACTION)


def _streaming(work: _Work) -> Done:
    return _of_workspace(work, STREAMING)


def _of_workspace(work: _Work, key: str) -> Done:
    """Of the workspace that is named, else of the owner's own; at a terminal, of all and of the HTTP API."""
    named_one = work.order.given.get("workspace") or work.owner.team
    scope = rules.workspace(named_one) if named_one else EVERYONE
    how = work.order.given["how"]
    if how == "none":
        work.take(scope, key)
    else:
        work.put(scope, key, how == "on")
    if named_one is not None and named_one == work.owner.team:
        return Done(f"admin.{key}_{how}", {}, here=True)
    return Done(f"admin.{key}_{how}", {"whom": named(scope)})


def _replies(work: _Work) -> Done:
    on, channel = work.order.given["how"] == "on", work.order.channel or work.owner.channel
    if "whom" in work.order.given:
        work.put(EVERYONE, REPLIES, on)
        return Done("admin.replies_on" if on else "admin.replies_off", {})
    if channel is None:
        raise CannotDo("admin.where")
    work.put(rules.channel(channel), REPLIES, on)
    key = "admin.replies_on_in" if on else "admin.replies_off_in"
    return Done(key, {"channel": named(rules.channel(channel))})


_VERBS: Mapping[str, Callable[[_Work], Done]] = {
    "pause": _pause,
    "resume": _resume,
    "drain": _drain,
    "requeue": _requeue,
    "ban": _ban,
    "unban": _unban,
    "allow": _allow,
    "disallow": _disallow,
    "admins": _admins,
    "quota": _quota,
    "priority": _priority,
    "recipe": _recipe,
    "redaction": _redaction,
    "streaming": _streaming,
    "replies": _replies,
}
