"""Cancelling: the button on a card, and `/analyze cancel`."""

from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import payloads, voice
from db import jobs, posts, session
from db.models import Job
from tasks import actions
from tasks.resources import Resources


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
    """Cancel a person's job, or their latest open one; what to tell them, as a key, and the job."""
    try:
        with session.transaction(resources.engine) as transaction:
            # The id may be forged: the job must be this person's, in this workspace.
            mine = (
                [jobs.get(transaction, job_id, team, user)]
                if job_id
                else jobs.open_of(transaction, team, user, 1)
            )
            job = mine[0] if mine else None
            if job is None:
                return "intake.not_yours" if job_id else "intake.nothing_open", None
            if not jobs.cancel(transaction, job.id, resources.clock()):
                return "intake.ended_already", job
    except SQLAlchemyError as error:
        voice.log_not_saved(error)
        return "intake.not_saved", None
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
    return "intake.cancelled", job
