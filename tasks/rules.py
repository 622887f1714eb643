"""What the owners' rules say of a request: at the front door, before it is taken, and in prepare, before it costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from db import quotas, rules
from db.rules import EVERYONE
from db.turns import Rank
from tasks.text.kind import Kind

# Keys of rules. A recipe's is RECIPE with its name.
ADMIN, BAN, ALLOW, GUESTS, DRAIN, PRIORITY = "admin", "ban", "allow", "guests", "drain", "priority"
REPLIES = "replies"
QUOTAS = {"requests": "quota.requests", "tokens": "quota.tokens"}
RECIPE = "recipe."
REDACTION, STREAMING = "redaction", "streaming"

# The value of everybody's ALLOW while a list of those who may use it is kept.
LISTED = "listed"


class Refusal(Exception):
    """A request that the rules do not allow; the person is told `error.<code>` from the catalogue."""

    def __init__(self, code: str, /, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass(frozen=True)
class Rules:
    """The rules about one request."""

    team: str
    requester: str
    channel: str | None
    values: Mapping[tuple[str, str], Any]
    # Whether user groups are on the list, too: then it is not complete before Slack was asked (tasks.groups).
    lists_groups: bool = False

    def check(self, recipe: str) -> None:
        """Whether this person may ask for that here; raises Refusal."""
        if self.values.get((self._mine(), BAN)):
            raise Refusal("banned")
        if self.is_unlisted and not self.lists_groups:
            raise Refusal("not_allowed")
        if self._first(RECIPE + recipe, self._here(), rules.workspace(self.team), EVERYONE) is False:
            raise Refusal("recipe_off", recipe=recipe)

    def check_open(self) -> None:
        """Whether requests are taken at all; raises Refusal."""
        if (EVERYONE, DRAIN) in self.values:
            raise Refusal("draining", says=str(self.values[EVERYONE, DRAIN]))

    def check_requests(self, session: Session, now: datetime) -> None:
        """Whether this person and channel have a request left today; raises Refusal."""
        since = midnight(now)
        for in_channel, limit in self._quotas("requests"):
            used = quotas.requests(session, self.team, since, **self._of(in_channel=in_channel))
            if used >= limit:
                params = {"used": used, "limit": limit, "hours": hours_left(now)}
                raise Refusal("quota_channel" if in_channel else "quota", **params)

    def check_tokens(self, session: Session, tokens: int, now: datetime) -> None:
        """Whether this person and channel have so many tokens left today; raises Refusal."""
        for in_channel, limit in self._quotas("tokens"):
            used = quotas.tokens(session, self.team, midnight(now), **self._of(in_channel=in_channel))
            if used + tokens > limit:
                params = {"used": used, "tokens": tokens, "limit": limit, "hours": hours_left(now)}
                raise Refusal("tokens_channel" if in_channel else "tokens", **params)

    @property
    def is_unlisted(self) -> bool:
        """Whether there is a list of who may use it, and neither the person, the channel nor the workspace is on it."""
        listed = self.values.get((EVERYONE, ALLOW)) == LISTED
        return listed and not any(self.values.get((scope, ALLOW)) for scope in self._scopes())

    @property
    def no_guests(self) -> bool:
        """Whether guests are kept out."""
        return self.values.get((EVERYONE, GUESTS)) is False

    @property
    def is_admin(self) -> bool:
        """Whether the owners made this person an admin."""
        return bool(self.values.get((self._mine(), ADMIN)))

    def hides(self, usual: frozenset[Kind]) -> frozenset[Kind]:
        """What is hidden from the model: the setting's kinds, unless the workspace's owners said otherwise."""
        said = self._first(REDACTION, rules.workspace(self.team), EVERYONE)
        if said is None:
            return usual
        return (usual or frozenset(Kind)) if said else frozenset()

    @property
    def streams(self) -> bool:
        """Whether answers grow as Slack's own streams in this workspace, where Slack allows it."""
        return self._first(STREAMING, rules.workspace(self.team), EVERYONE) is True

    @property
    def takes_replies(self) -> bool:
        """Whether a plain reply in a thread may ask here; the channel's word goes first."""
        return self._first(REPLIES, self._here(), EVERYONE) is True

    def rank(self, usual: Rank) -> Rank:
        """A person's priority goes before their channel's, and both before the line file's."""
        said = self._first(PRIORITY, self._mine(), self._here())
        return usual if said is None else Rank(usual.weight, int(said))

    def _quotas(self, of: str) -> Iterator[tuple[bool, int]]:
        """The person's own limit, or everybody's; and with True the channel's."""
        person = self._first(QUOTAS[of], self._mine(), EVERYONE)
        if person is not None:
            yield False, int(person)
        if (channel := self._first(QUOTAS[of], self._here())) is not None:
            yield True, int(channel)

    def _of(self, *, in_channel: bool) -> dict[str, str | None]:
        return {"channel": self.channel} if in_channel else {"requester": self.requester}

    def _first(self, key: str, *scopes: str) -> Any:
        return next((self.values[scope, key] for scope in scopes if (scope, key) in self.values), None)

    def _mine(self) -> str:
        return rules.person(self.requester)

    def _here(self) -> str:
        return rules.channel(self.channel or "")

    def _scopes(self) -> tuple[str, ...]:
        return self._mine(), self._here(), rules.workspace(self.team)


def read(
    session: Session, team: str, requester: str, channel: str | None, *, has_groups: bool = True
) -> Rules:
    """The rules about a request, by one look at an index; services of the HTTP API are in no user group."""
    scopes = [EVERYONE, rules.person(requester), rules.workspace(team)]
    if channel:
        scopes.append(rules.channel(channel))
    ours = Rules(team, requester, channel, rules.about(session, scopes))
    if not ours.is_unlisted or not has_groups:
        return ours
    return replace(ours, lists_groups=bool(rules.of_groups(session, ALLOW)))


def midnight(now: datetime) -> datetime:
    """When the day of a quota began: days are UTC's, the same for everybody."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def hours_left(now: datetime) -> int:
    """Hours until a quota begins anew, rounded up."""
    left = midnight(now) + timedelta(days=1) - now
    return -(-int(left.total_seconds()) // 3600)
