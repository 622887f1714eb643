"""Events that are no messages."""

from bot.payloads import Payload, part, word


def held_back(body: Payload) -> str | None:
    """The workspace whose events Slack holds back; None: this is something else. Raises Malformed.

    https://docs.slack.dev/reference/events/app_rate_limited
    """
    return word(body, "team_id") if body.get("type") == "app_rate_limited" else None


def visitor(body: Payload) -> tuple[str, str] | None:
    """The (team, user) who opened the App Home's first tab; None: another tab. Raises Malformed."""
    event = part(body, "event")
    return (word(body, "team_id"), word(event, "user")) if event.get("tab", "home") == "home" else None
