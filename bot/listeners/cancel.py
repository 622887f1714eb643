"""Cancelling: the button on a card, and `/analyze cancel`; and what stopping and deleting do."""

from collections.abc import Callable, Iterable

import structlog
from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot import intake, payloads, voice
from bot.aside import Aside
from bot.listeners import home
from bot.owners import who
from bot.payloads import messages, presses
from db import jobs, outcomes, posts, session
from db.models import Job
from tasks import actions
from tasks.resources import Resources

log = structlog.get_logger()

# Of a person's open requests; MOST_OPEN is lower, unless somebody raised it.
_MOST_LOOKED_AT = 100


def register(app: App, resources: Resources) -> None:
    """Listen for presses; the card itself then says that the job is cancelled."""

    aside = Aside(resources)

    @app.action(actions.CANCEL)
    def cancel(ack: Ack, body: payloads.Payload) -> None:
        press = presses.press(body)
        said, _ = stop(resources, press.team, press.user, press.attempt.job_id)
        if said != "intake.cancelled":
            language = voice.language_of_newcomers_too(resources, press.team, press.user)
            voice.whisper(press.response_url, voice.say(language, said))
        ack()
        home.refresh(resources, body, aside)


def stop(resources: Resources, team: str, user: str, job_id: str | None) -> tuple[str, Job | None]:
    """Cancel a person's job, or their latest open one; what to tell them, as a key, and the job.

    An admin may name anybody's job of the same workspace.
    """
    try:
        with session.transaction(resources.engine) as transaction:
            owner = None if who.is_admin(resources, transaction, team, user) else user
            # The id may be forged: the job must be in this workspace, and this person's unless they are an admin.
            named = (
                [jobs.get(transaction, job_id, team, owner)]
                if job_id
                else jobs.open_of(transaction, team, user, 1)
            )
            job = named[0] if named else None
            if job is None:
                return "intake.not_yours" if job_id else "intake.nothing_open", None
            if not outcomes.cancel(transaction, job.id, resources.clock()):
                return "intake.ended_already", job
    except SQLAlchemyError as error:
        voice.log_not_saved(error)
        return "intake.not_saved", None
    _tell(resources, job, by_admin=job.requester != user)
    return "intake.cancelled", job


def stop_here(resources: Resources, stop: messages.Stop) -> bool:
    """Cancel what somebody has open in a thread, or their latest in a channel; whether there was anything.

    An admin stops everybody's in the thread. Raises NotSaved.
    """

    def here(transaction: Session) -> list[Job]:
        if stop.thread_ts is None:
            mine = jobs.open_of(transaction, stop.team, stop.user, _MOST_LOOKED_AT)
            return [job for job in mine if job.channel == stop.channel][:1]
        found = jobs.open_in_thread(transaction, stop.team, stop.channel, stop.thread_ts)
        everybody = who.is_admin(resources, transaction, stop.team, stop.user)
        return [job for job in found if everybody or job.requester == stop.user]

    return _cancel(resources, here)


def stop_deleted(resources: Resources, message_key: str) -> None:
    """Cancel the request that a deleted message made, if it made one. Raises NotSaved."""

    def asked(transaction: Session) -> list[Job]:
        job = jobs.of_message(transaction, message_key)
        return [job] if job is not None else []

    _cancel(resources, asked)


def _cancel(resources: Resources, which: Callable[[Session], Iterable[Job]]) -> bool:
    # What cannot be saved is not acknowledged: Slack sends the event again.
    with intake.saving():
        with session.reading(resources.engine) as reading:
            # Most such events concern no request, and a look takes no lock.
            if not list(which(reading)):
                return False
        with session.transaction(resources.engine) as transaction:
            found = sorted(which(transaction), key=lambda job: job.id)
            cancelled = [job for job in found if outcomes.cancel(transaction, job.id, resources.clock())]
    for job in cancelled:
        _tell(resources, job, by_admin=False)
    return bool(cancelled)


def _tell(resources: Resources, job: Job, *, by_admin: bool) -> None:
    log.info("request.cancelled", job_id=job.id, by_admin=by_admin)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
