"""Cancelling: the button on a card, and `/analyze cancel`."""

import structlog
from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import payloads, voice
from bot.owners import who
from db import jobs, posts, session
from db.models import Job
from tasks import actions
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for presses; the card itself then says that the job is cancelled."""

    @app.action(actions.CANCEL)
    def cancel(ack: Ack, body: payloads.Payload) -> None:
        press = payloads.press(body)
        said, _ = stop(resources, press.team, press.user, press.attempt.job_id)
        if said != "intake.cancelled":
            language = voice.language(resources, press.team, press.user)
            voice.whisper(press.response_url, voice.say(language, said))
        ack()


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
            if not jobs.cancel(transaction, job.id, resources.clock()):
                return "intake.ended_already", job
    except SQLAlchemyError as error:
        voice.log_not_saved(error)
        return "intake.not_saved", None
    log.info("request.cancelled", job_id=job.id, by_admin=job.requester != user)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
    return "intake.cancelled", job
