"""The button under a plan of many calls: its person lets it run."""

from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import payloads, voice
from bot.payloads import presses
from db import jobs, posts, session
from db.models import Job
from tasks import actions
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for presses; the card itself then says where the request stands."""

    @app.action(actions.CONFIRM)
    def confirm(ack: Ack, body: payloads.Payload) -> None:
        press = presses.press(body)
        refusal = run(resources, press)
        if refusal is not None:
            language = voice.language_of_newcomers_too(resources, press.team, press.user)
            voice.whisper(press.response_url, voice.say(language, refusal))
        ack()


def run(resources: Resources, press: presses.Press) -> str | None:
    """Put the plan's calls in line, once however often it is pressed; else the key of what to tell the person."""
    patience, now = resources.settings.job_deadline, resources.clock()
    try:
        with session.transaction(resources.engine) as transaction:
            # The id in a button can be forged: the job must be this person's, in this workspace.
            if jobs.get(transaction, press.attempt.job_id, press.team, press.user) is None:
                return "intake.not_yours_to_confirm"
            rank = resources.line.rank(press.user)
            attempt = press.attempt
            job = jobs.confirm(transaction, attempt.job_id, attempt.number, now, patience, rank)
    except SQLAlchemyError as error:
        voice.log_not_saved(error)
        return "intake.not_saved"
    if job is None:
        return "intake.confirmed_already"
    ring(resources, job)
    return None


def ring(resources: Resources, job: Job) -> None:
    """Wake whoever makes the first calls, and whoever changes the card; the sweep wakes for the others."""
    for server in resources.serving(job):
        resources.bell.ring_infer(server.name)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
