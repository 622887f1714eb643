"""Slack's Web API: the client, and what its errors mean to us."""

import enum
import http.client
import urllib.error
from dataclasses import dataclass
from datetime import timedelta

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError, SlackRequestError

from tasks.settings import Settings

# Slack takes our token for nothing at all, whatever is asked and wherever.
TOKEN_REFUSED = frozenset(
    {"not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired"}
)

# Longer than Slack takes on a bad day, shorter than the lease that a post is sent under.
TIMEOUT = timedelta(seconds=5)

# What we let Slack ask for, at most.
LONGEST_WAIT = timedelta(hours=1)

# The event type of the metadata that each of our messages carries: {job, post, kind}. Anybody in the
# workspace can read it, so it holds ids alone.
METADATA = "threadline_post"


class Trouble(enum.Enum):
    """What an error asks of us."""

    WAIT = "wait"  # Slack did nothing and wants to be asked again later.
    UNCLEAR = "unclear"  # Slack may have done it; look before asking again.
    CHANNEL = "channel"  # Not in this channel, ever or for now: say so, and speak elsewhere.
    GONE = "gone"  # The message or thread was deleted.
    CONTENT = "content"  # This content will never be taken.
    ACCESS = "access"  # Our token or its scopes: operators must act.


@dataclass(frozen=True)
class Problem:
    """A failed call, in our words. `code` is Slack's, or the kind of a transport's failure."""

    trouble: Trouble
    code: str
    wait: timedelta = timedelta(0)


# docs.slack.dev/reference/methods/chat.postMessage and chat.update, "Errors".
_CODES = {
    **dict.fromkeys(
        ("not_in_channel", "channel_not_found", "is_archived", "restricted_action"), Trouble.CHANNEL
    ),
    **dict.fromkeys(
        (
            "restricted_action_read_only_channel",
            "restricted_action_thread_only_channel",
            "user_not_in_channel",
        ),
        Trouble.CHANNEL,
    ),
    **dict.fromkeys(
        ("message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"), Trouble.GONE
    ),
    **dict.fromkeys(
        ("msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "no_text"),
        Trouble.CONTENT,
    ),
    **dict.fromkeys(("too_many_attachments", "invalid_arguments", "metadata_too_large"), Trouble.CONTENT),
    **dict.fromkeys(
        ("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "missing_scope"),
        Trouble.ACCESS,
    ),
    **dict.fromkeys(
        ("no_permission", "org_login_required", "ekm_access_denied", "access_denied"), Trouble.ACCESS
    ),
    **dict.fromkeys(
        ("ratelimited", "rate_limited", "service_unavailable", "team_added_to_org"), Trouble.WAIT
    ),
}


def client(settings: Settings) -> WebClient:
    """A client that never tries again by itself: what to try again, and when, stands in the database."""
    return WebClient(
        token=settings.slack_bot_token.get_secret_value(),
        base_url=settings.slack_api_url,
        timeout=int(TIMEOUT.total_seconds()),
        retry_handlers=[],
    )


def problem(error: Exception) -> Problem:
    """Read an error of slack-sdk or of the transport below it; anything unknown counts as unclear."""
    if isinstance(error, SlackApiError):
        return _answered(error)
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ConnectionRefusedError):
        return Problem(Trouble.WAIT, "connection_refused", timedelta(seconds=2))
    return Problem(Trouble.UNCLEAR, type(cause).__name__, timedelta(seconds=2))


def refused(error: Exception) -> bool:
    """Whether Slack answered that it did nothing; of other errors, and of its own, nobody knows."""
    if not isinstance(error, SlackApiError):
        return False
    status = getattr(error.response, "status_code", 0)
    return status < 500 and error.response.get("error") not in {"internal_error", "fatal_error"}


# What a call to Slack can raise: the SDK's errors, and those of the standard library beneath it.
ERRORS = (SlackClientError, SlackApiError, SlackRequestError, OSError, http.client.HTTPException)


def _seconds(asked: str) -> timedelta:
    # Slack says whole seconds; what a proxy on the way makes of it counts as one.
    return min(timedelta(seconds=int(asked[:9])), LONGEST_WAIT) if asked.isdecimal() else timedelta(seconds=1)


def _answered(error: SlackApiError) -> Problem:
    response = error.response
    status = getattr(response, "status_code", 0)
    code = (response.get("error") if hasattr(response, "get") else None) or f"http_{status}"
    if status == 429:
        asked = response.headers.get("Retry-After") or response.headers.get("retry-after") or "1"
        return Problem(Trouble.WAIT, "ratelimited", _seconds(str(asked)))
    # 5xx, and internal_error or fatal_error: "some aspect of the operation may have succeeded" (Slack's words).
    trouble = Trouble.UNCLEAR if status >= 500 else _CODES.get(code, Trouble.UNCLEAR)
    return Problem(trouble, code, timedelta(seconds=2))
