"""Links to messages of Slack's: what they point to, and whether the person who pasted one may read it."""

import re
from dataclasses import dataclass

from db.models import Job
from tasks import slack
from tasks.prepare.extract.problem import Problem
from tasks.prepare.impossible import Impossible
from tasks.resources import Resources
from tasks.slack import Trouble

MOST = 5
_PAGE = 1000
# Of a channel with more members than this, we cannot say who is in it.
_MOST_PAGES = 20

_LINK = re.compile(
    r"<?https://[a-z0-9.-]+\.slack\.com/archives/(?P<channel>[CGD][A-Z0-9]{1,20})/p(?P<ts>\d{11,20})"
    r"(?:\?[^\s>|]*?thread_ts=(?P<thread>\d{10}\.\d{6}))?[^\s>|]*(?:\|[^>]*)?>?"
)


@dataclass(frozen=True)
class Link:
    """A message; `thread_ts` is its thread's when it is a reply."""

    channel: str
    ts: str
    thread_ts: str | None


def take(text: str) -> tuple[str, list[Link]]:
    """`text` without the links that are followed, and these: the first few, each once."""
    found: list[Link] = []

    def taken(match: re.Match[str]) -> str:
        ts = f"{match['ts'][:-6]}.{match['ts'][-6:]}"
        link = Link(match["channel"], ts, match["thread"] if match["thread"] != ts else None)
        if link not in found:
            if len(found) == MOST:
                return match[0]
            found.append(link)
        return ""

    return _LINK.sub(taken, text).strip(), found


def check(resources: Resources, job: Job, link: Link) -> None:
    """Raise Problem unless the person is in the channel: we may be in channels that they cannot see."""
    if link.channel == job.channel:
        return
    cursor = ""
    try:
        for _ in range(_MOST_PAGES):
            page = resources.slack.conversations_members(channel=link.channel, limit=_PAGE, cursor=cursor)
            if job.requester in page["members"]:
                return
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
    except slack.ERRORS as error:
        problem = slack.problem(error)
        if problem.trouble is Trouble.WAIT:
            raise Impossible("slack_down", code=problem.code) from error
        raise Problem("link_unreadable", reason=problem.code) from error
    raise Problem("link_private")
