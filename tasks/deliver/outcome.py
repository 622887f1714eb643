"""What became of a post that was to be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from db.states import PostKind
from tasks.deliver.agent import Session
from tasks.slack import Problem


@dataclass(frozen=True)
class Shown:
    """Slack holds it, as message `ts`; `further` posts of the same answer are wanted next."""

    ts: str | None
    channel: str | None
    digest: str | None = None
    further: Sequence[tuple[PostKind, int]] = ()
    session: Session | None = None
    """What stands beside a card."""
    apart: bool = False
    """The answer's message is another one than the stream that it was written in."""


@dataclass(frozen=True)
class Moved:
    """The channel takes nothing from us; the job speaks in `channel` from now on."""

    channel: str
    reason: str


@dataclass(frozen=True)
class InCard:
    """It may be there, and Slack does not let us look: the card says it from now on, since an edit is no post."""

    code: str
    further: Sequence[tuple[PostKind, int]] = ()


@dataclass(frozen=True)
class Failed:
    """It is not there, or we do not know."""

    problem: Problem
    plainer: dict[str, Any] | None = None
    """How a post may look that Slack refused: the body to show it by; None: there is no plainer way."""


Outcome = Shown | Moved | InCard | Failed
