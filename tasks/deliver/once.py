"""What keeps a message from being sent twice: looking for what an earlier try left, and holding the lane (I4)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from db import posts, session
from db.posts import Work
from tasks import slack
from tasks.resources import Resources
from tasks.slack import Problem, Trouble

# Longer than the calls of one post may take together, each within its time-out: a name, a look-up, and the three
# of a file's upload.
LEASE = 5 * slack.TIMEOUT + timedelta(seconds=5)

# The longest that sending takes: the three calls of a file's upload.
SENDING = 3 * slack.TIMEOUT

CLOCKS_DIFFER = timedelta(minutes=1)

# Slack: "we recommend no more than 200 results at a time" (docs.slack.dev, conversations.history).
PAGE = 200

# That Slack lets us post somewhere does not mean that we may read there: these stay until somebody acts.
_MAY_NOT_READ = frozenset({"missing_scope", "no_permission", "access_denied"})


class Unreadable(Exception):
    """Slack does not let us look there."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Unseen(Exception):
    """The look-up failed this time; nothing may be sent before one went through."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


class Lost(Exception):
    """Somebody else holds the lane by now, and may be sending the same post."""


def hold(resources: Resources, work: Work) -> None:
    """Before anything is sent: be sure of the lane until it has been. Raises Lost.

    A worker that was frozen, or whose look-up was slow, must not speak beside the one that followed it.
    """
    now = resources.clock()
    if work.unclear or now + SENDING > work.until:
        with session.transaction(resources.engine) as transaction:
            if not posts.renew(transaction, work, now + LEASE):
                raise Lost
        resources.deadman.hold(work, LEASE)


def find(
    resources: Resources, work: Work, channel: str, thread: str | None, file_name: str | None = None
) -> dict[str, Any] | None:
    """The message that an earlier try of this post left in its thread or channel, by its metadata.

    Raises Unreadable, Unseen and Lost.
    """
    assert work.post.sending_since is not None  # The claim has set it.
    for message in messages(
        resources, channel, thread, work.post.sending_since, lambda: hold(resources, work)
    ):
        metadata = message.get("metadata") or {}
        if (metadata.get("event_payload") or {}).get("post") == work.post.id:
            return message
        if file_name and any(file.get("name") == file_name for file in message.get("files", [])):
            return message
    return None


def messages(
    resources: Resources, channel: str, thread: str | None, sent: datetime, hold_on: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    """All messages since the first try at `sent`, however many pages a busy channel has of them.

    `hold_on` is called before each further page. Raises Unreadable and Unseen.
    """
    # Slack's clock and ours may differ.
    since = f"{(sent - CLOCKS_DIFFER).timestamp():.6f}"
    asked: dict[str, Any] = {
        "channel": channel,
        "oldest": since,
        "include_all_metadata": True,
        "limit": PAGE,
    }
    while True:
        found = _page(resources, asked, thread)
        yield from found["messages"]
        cursor = (found.get("response_metadata") or {}).get("next_cursor")
        if not cursor:
            return
        asked["cursor"] = cursor
        hold_on()


def _page(resources: Resources, asked: dict[str, Any], thread: str | None) -> Any:
    try:
        if thread is None:
            return resources.slack.conversations_history(**asked)
        return resources.slack.conversations_replies(ts=thread, **asked)
    except slack.ERRORS as error:
        problem = slack.problem(error)
    if problem.code == "thread_not_found":
        # Nothing is there; sending will be told the same, and ends the post.
        return {"messages": []}
    if problem.trouble is Trouble.CHANNEL or problem.code in _MAY_NOT_READ:
        raise Unreadable(problem.code)
    if problem.trouble is Trouble.WAIT:
        raise Unseen(problem)
    # Whatever it means for a look-up, it says nothing about the post.
    raise Unseen(Problem(Trouble.UNCLEAR, problem.code, problem.wait))
