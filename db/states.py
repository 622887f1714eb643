"""The states that jobs, steps and posts pass through."""

from enum import StrEnum


class JobState(StrEnum):
    """received -> preparing -> waiting -> running -> answered -> done; or failed, or cancelled."""

    RECEIVED = "received"
    PREPARING = "preparing"
    WAITING = "waiting"
    RUNNING = "running"
    ANSWERED = "answered"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


# A job in one of these still has work ahead of it: it can be cancelled, and its deadline counts.
OPEN = (JobState.RECEIVED, JobState.PREPARING, JobState.WAITING, JobState.RUNNING)

# A job in one of these has its outcome; only `answered` still has posts to show.
ENDED = (JobState.ANSWERED, JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class StepState(StrEnum):
    """A step is one model call. It goes back from running to waiting when its worker or server fails it.

    Held steps wait for their person to confirm the plan; nobody claims them.
    """

    HELD = "held"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class PostState(StrEnum):
    """A post is one thing to show outside. A shown card becomes wanted again when its job moves on."""

    WANTED = "wanted"
    SHOWN = "shown"
    DROPPED = "dropped"


class PostKind(StrEnum):
    """What a post shows, and so how `deliver` renders it."""

    CARD = "card"
    STREAM = "stream"
    RESULT = "result"
    FAILURE = "failure"
    NOTICE = "notice"
    FILE = "file"
    SHARE = "share"
    CALLBACK = "callback"


class Origin(StrEnum):
    """The door a request came through."""

    COMMAND = "command"
    MENTION = "mention"
    DIRECT = "direct"
    SHORTCUT = "shortcut"
    API = "api"


class Way(StrEnum):
    """How operators are told."""

    SLACK = "slack"
    MAIL = "mail"


class Part(StrEnum):
    """An alert has two messages: one while it goes on, and one when it is over."""

    OPENED = "opened"
    OVER = "over"
