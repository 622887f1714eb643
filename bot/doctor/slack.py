"""Slack: the tokens, what they allow, what the app declares, and whether anything has come in."""

import email.utils
import json
import pathlib
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

from slack_sdk import WebClient

from bot.doctor import rows
from bot.doctor.finding import Finding, Findings, note, ok, problem
from db import jobs
from db.states import Origin
from tasks import slack
from tasks.resources import Resources
from tasks.settings import Settings

MANIFEST = pathlib.Path(__file__).parents[2] / "manifest.json"

# Only apps that are declared as agents have it; others lack Slack's own Stop button, and nothing else.
AGENT = "assistant:write"

# Slack refuses nothing before 5 minutes, and we refuse its requests then (slack_sdk.signature); half a minute
# already makes times in cards look wrong.
MOST_OFF = timedelta(seconds=30)


def examine(resources: Resources, channels: Sequence[str]) -> Findings:
    """All that the bot's own token can see. Without a token that works the rest cannot be asked."""
    yield from manifest(resources.settings, declared())
    try:
        answer = resources.slack.auth_test()
    except slack.ERRORS as error:
        yield _unusable("slack.token", "SLACK_BOT_TOKEN", error)
        return
    headers = {str(name).lower(): str(value) for name, value in answer.headers.items()}
    yield ok("slack.token", "doctor.token", bot=answer["user"], team=answer["team"])
    yield scopes(headers.get("x-oauth-scopes", ""), declared())
    yield clock(resources, headers.get("date", ""))
    yield from events(resources)
    # SLACK_ALERT_CHANNEL, once it is set, belongs in this list.
    for channel in channels:
        yield membership(resources.slack, channel)


def socket(resources: Resources) -> Findings:
    """The app-level token, if events come by Socket Mode; else the secret that signs requests."""
    token = resources.settings.slack_app_token.get_secret_value()
    if token:
        try:
            resources.slack.apps_connections_open(app_token=token)
        except slack.ERRORS as error:
            yield _unusable("slack.socket", "SLACK_APP_TOKEN", error)
        else:
            yield ok("slack.socket", "doctor.socket")
    elif resources.settings.slack_signing_secret.get_secret_value():
        yield note("slack.http", "doctor.http")
    else:
        yield problem("slack.http", "doctor.no_door")


def declared() -> Mapping[str, Any]:
    """The manifest that this version comes with."""
    content: Mapping[str, Any] = json.loads(MANIFEST.read_text("utf-8"))
    return content


def scopes(granted: str, content: Mapping[str, Any]) -> Finding:
    """Whether the token has what the manifest asks for; `granted` is Slack's `x-oauth-scopes`."""
    if not granted:
        return note("slack.scopes", "doctor.scopes_untold")
    has = {scope.strip() for scope in granted.split(",")}
    wanted = set(content["oauth_config"]["scopes"]["bot"])
    if wanted - has == {AGENT}:
        return note("slack.scopes", "doctor.no_agent", scope=AGENT)
    if missing := wanted - has:
        return problem("slack.scopes", "doctor.scopes_missing", scopes=", ".join(sorted(missing)))
    if more := has - wanted:
        return note("slack.scopes", "doctor.scopes_more", scopes=", ".join(sorted(more)))
    return ok("slack.scopes", "doctor.scopes", count=len(wanted))


def clock(resources: Resources, date: str) -> Finding:
    """This machine's clock beside Slack's `Date`, which counts whole seconds."""
    try:
        theirs = email.utils.parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return note("clock", "doctor.clock_untold")
    off = abs(resources.clock() - theirs)
    if off > MOST_OFF:
        return problem("clock", "doctor.clock_off", seconds=round(off.total_seconds()))
    return ok("clock", "doctor.clock")


def manifest(settings: Settings, content: Mapping[str, Any]) -> Findings:
    """Our own settings beside the manifest; what Slack has of it can only be looked at there."""
    commands = [each["command"] for each in content["features"]["slash_commands"]]
    if settings.slack_command not in commands:
        yield note("slack.manifest", "doctor.command_differs", command=settings.slack_command)
    yield note("slack.manifest", "doctor.manifest_unseen")


def events(resources: Resources) -> Findings:
    """Whether each kind of request has ever come in: Slack tells nobody what an app subscribes to."""
    now = resources.clock()
    try:
        with rows.reading(resources) as reading:
            latest = jobs.latest_by_origin(reading)
    except rows.Unreadable:
        yield note("slack.events", "doctor.events_unknown")
        return
    for origin, check, silent in (
        (Origin.MENTION, "slack.events.app_mention", "doctor.no_mention"),
        (Origin.DIRECT, "slack.events.message_im", "doctor.no_direct"),
        (Origin.COMMAND, "slack.command", "doctor.no_command"),
    ):
        if origin in latest:
            minutes = max(0, int((now - latest[origin]).total_seconds() // 60))
            yield ok(check, "doctor.came", minutes=minutes)
        else:
            yield note(check, silent, command=resources.settings.slack_command)


def membership(client: WebClient, channel: str) -> Finding:
    """Whether the bot is in a channel: its latest message can be read by members alone."""
    check = f"slack.channel.{channel}"
    try:
        client.conversations_history(channel=channel, limit=1)
    except slack.ERRORS as error:
        code = slack.problem(error).code
        if code in {"not_in_channel", "channel_not_found"}:
            return problem(check, "doctor.not_in_channel", channel=channel)
        if code == "is_archived":
            return problem(check, "doctor.archived", channel=channel)
        return _unusable(check, channel, error)
    return ok(check, "doctor.in_channel", channel=channel)


def _unusable(check: str, name: str, error: Exception) -> Finding:
    found = slack.problem(error)
    refused = found.trouble is slack.Trouble.ACCESS or found.code == "not_allowed_token_type"
    return problem(
        check, "doctor.slack_refuses" if refused else "doctor.slack_away", name=name, code=found.code
    )
