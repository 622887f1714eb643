"""What can be done with an answer that is there: saved as a file in its thread, or shared with its channel."""

from slack_bolt import Ack, App

from bot import intake, payloads, voice
from bot.payloads import presses
from db import jobs, posts, session
from db.states import PostKind
from tasks import actions
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for both buttons."""

    @app.action(actions.SAVE)
    def save(ack: Ack, body: payloads.Payload) -> None:
        _pressed(resources, presses.press(body), PostKind.FILE)
        ack()

    @app.action(actions.SHARE)
    def share(ack: Ack, body: payloads.Payload) -> None:
        _pressed(resources, presses.press(body), PostKind.SHARE)
        ack()


def _pressed(resources: Resources, press: presses.Press, kind: PostKind) -> None:
    if not want(resources, press, kind):
        language = voice.language_of_newcomers_too(resources, press.team, press.user)
        voice.whisper(press.response_url, voice.say(language, "intake.not_yours_to_use"))


def want(resources: Resources, press: presses.Press, kind: PostKind) -> bool:
    """Want a further post of an answer, once; False when the job is not this person's. Raises NotSaved."""
    with intake.saving(), session.transaction(resources.engine) as transaction:
        job = jobs.get(transaction, press.attempt.job_id, press.team, press.user)
        if job is None or job.result is None or job.channel is None:
            return False
        posts.want(transaction, job, kind, resources.clock())
    resources.bell.ring_deliver(posts.slack_lane(job.channel))
    return True
