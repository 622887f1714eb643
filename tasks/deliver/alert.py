"""Alerts on their way to operators: in Slack a message that is kept up to date, by mail one at each end (I4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime
from typing import Any

import structlog

from db import alerts, incidents, session
from db.alerts import Task
from db.models import Alert
from db.states import Part, Way
from tasks import mailserver, slack
from tasks.catalogue import say
from tasks.deliver import blocks, once
from tasks.deliver.blocks import Message
from tasks.resources import Resources
from tasks.slack import Trouble

log = structlog.get_logger()

# Longer than the calls for one message may take together: a look-up and a post in Slack, or the answers of a mail
# server.
LEASE = 10 * mailserver.TIMEOUT

# What goes on is brought up to date this often.
EDIT_EVERY = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=5)


@dataclass(frozen=True)
class Sent:
    """Operators have it; in Slack as message `ts`."""

    ts: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class NotSent:
    """They do not have it, or, unless `sure`, we do not know."""

    code: str
    wait: timedelta
    sure: bool
    # Our token: where operators must act, this cannot be told in Slack.
    refused: bool = False


Outcome = Sent | NotSent


def tell(resources: Resources) -> None:
    """Tell all that is due. A message that cannot be sent waits, and holds up no other."""
    while not resources.stopping.is_set():
        with session.transaction(resources.engine) as transaction:
            task = alerts.claim(transaction, resources.clock(), LEASE)
        if task is None:
            return
        resources.deadman.hold(task, LEASE)
        try:
            outcome = (_by_slack if task.telling.way is Way.SLACK else _by_mail)(resources, task)
        finally:
            resources.deadman.release(task)
        with session.transaction(resources.engine) as transaction:
            now = resources.clock()
            if isinstance(outcome, Sent):
                alerts.told(transaction, task, outcome.ts, outcome.channel, now + EDIT_EVERY)
                continue
            wait = max(outcome.wait, min(LONGEST_WAIT, timedelta(seconds=2 ** min(task.telling.tries, 10))))
            alerts.not_told(transaction, task, now + wait, sure=outcome.sure and not task.unclear)
            if outcome.refused:
                incidents.report(transaction, "slack_refused", now, subject=outcome.code)
        log.error("alert.untold", cause=task.alert.cause, way=task.telling.way, code=outcome.code)


def _by_slack(resources: Resources, task: Task) -> Outcome:
    try:
        return _post(resources, task)
    except once.Unreadable as error:
        return NotSent(error.code, timedelta(0), sure=False)
    except once.Unseen as error:
        return NotSent(error.problem.code, error.problem.wait, sure=False)
    except slack.ERRORS as error:
        problem = slack.problem(error)
    if problem.trouble is Trouble.GONE and task.telling.ts is not None:
        # Somebody deleted it: they have read it.
        return Sent(task.telling.ts, task.telling.channel)
    sure = problem.trouble is not Trouble.UNCLEAR
    return NotSent(problem.code, problem.wait, sure, refused=problem.trouble is Trouble.ACCESS)


def _post(resources: Resources, task: Task) -> Sent:
    message, telling = in_slack(resources.settings.language, task), task.telling
    channel = telling.channel or resources.settings.slack_alert_channel
    thread = task.opened_ts if telling.part is Part.OVER else None
    ts = telling.ts
    if ts is None and task.unclear:
        assert telling.sending_since is not None  # The claim has set it.
        # The lease is long enough for a few pages.
        found = once.messages(resources, channel, thread, telling.sending_since, lambda: None)
        ts = next((message["ts"] for message in found if _is_of(task, message)), None)
    content: dict[str, Any] = {
        "channel": channel,
        "text": message.text,
        "blocks": message.blocks,
        "metadata": {"event_type": slack.METADATA, "event_payload": _payload(task)},
    }
    if ts is not None:
        resources.slack.chat_update(ts=ts, **content)
        return Sent(ts, channel)
    posted = resources.slack.chat_postMessage(
        # The end is for the channel too: a reply alone would notify nobody.
        thread_ts=thread,
        reply_broadcast=thread is not None,
        unfurl_links=False,
        unfurl_media=False,
        **content,
    )
    return Sent(posted["ts"], posted["channel"])


def _by_mail(resources: Resources, task: Task) -> Outcome:
    server = mailserver.parse(resources.settings.alert_smtp_url.get_secret_value())
    try:
        refused = mailserver.send(server, by_mail(resources.settings.language, task, server))
    except mailserver.NotSent as error:
        return NotSent(str(error), timedelta(0), error.sure)
    if refused:
        log.warning("alert.mail_refused", recipients=refused)
    return Sent()


def in_slack(language: str, task: Task) -> Message:
    """What the alert's channel shows."""
    alert = task.alert
    title = say(
        language,
        "alert.opened" if alert.ended_at is None else "alert.ended",
        what=blocks.escape(_what(language, alert)),
    )
    return blocks.card([title, *(blocks.escape(line) for line in _lines(language, alert))])


def by_mail(language: str, task: Task, server: mailserver.MailServer) -> MIMEText:
    """The mail. Sent twice after an unclear outcome it has the same id, by which mail programs show it once."""
    alert, over = task.alert, task.telling.part is Part.OVER
    what = _what(language, alert)
    lines = [say(language, "alert.over", what=what) if over else what, *_lines(language, alert)]
    mail = MIMEText("\n\n".join(lines))
    # One line, whatever a server calls its error.
    subject = say(language, "alert.mail_over" if over else "alert.mail", what=" ".join(what.split()))
    # An EmailMessage of Python 3.11 loses the space at which it breaks a line that is not ASCII.
    mail["Subject"] = Header(subject, None if subject.isascii() else "utf-8", header_name="Subject").encode()
    mail["Message-ID"] = _mail_id(task, task.telling.part, server)
    if over:
        mail["In-Reply-To"] = mail["References"] = _mail_id(task, Part.OPENED, server)
    mail["Date"] = format_datetime((alert.ended_at if over else None) or alert.opened_at)
    # RFC 3834: nobody's absence is to be answered to us.
    mail["Auto-Submitted"] = "auto-generated"
    return mail


def _what(language: str, alert: Alert) -> str:
    return say(language, f"alert_what.{alert.cause}", subject=alert.subject, trouble=alert.trouble)


def _lines(language: str, alert: Alert) -> list[str]:
    key = "alert.since" if alert.ended_at is None else "alert.lasted"
    since, last = _moment(alert.opened_at), _moment(alert.last_at)
    lines = [say(language, key, since=since, last=last, count=alert.count)]
    if alert.reference:
        lines.append(say(language, "alert.reference", reference=alert.reference))
    if alert.ended_at is None:
        lines.append(say(language, f"alert_todo.{alert.cause}"))
    return lines


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _mail_id(task: Task, part: Part, server: mailserver.MailServer) -> str:
    opened = int(task.alert.opened_at.timestamp())
    return f"<threadline.{opened}.{task.alert.id}.{part}@{server.sender.rpartition('@')[2]}>"


def _payload(task: Task) -> dict[str, Any]:
    return {"alert": task.alert.id, "part": task.telling.part.value}


def _is_of(task: Task, message: dict[str, Any]) -> bool:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.items() >= _payload(task).items()
