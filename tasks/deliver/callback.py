"""The outcome of a job that came by HTTP, sent to the address its service gave."""

from datetime import timedelta

import httpx

from db.posts import Work
from tasks import originals, slack
from tasks.deliver.outcome import Failed, Outcome, Shown
from tasks.resources import Resources
from tasks.slack import Problem, Trouble

WAIT = timedelta(seconds=2)


def send(resources: Resources, work: Work) -> Outcome:
    """POST the outcome as JSON. The same `Idempotency-Key` comes with every try of the same outcome."""
    job = work.job
    body = {
        "id": job.id,
        "state": "done" if job.state == "answered" else job.state,
        "recipe": job.recipe,
        "result": originals.answer(resources.settings, job),
        "truncated": job.truncated,
        "error": job.error,
    }
    key = f"{job.id}-{work.post.attempt}"
    timeout = slack.TIMEOUT.total_seconds()
    try:
        answer = resources.http.post(
            job.callback_url or "", json=body, headers={"Idempotency-Key": key}, timeout=timeout
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Failed(Problem(Trouble.WAIT, type(error).__name__, WAIT))
    if answer.is_success:
        return Shown(None, None)
    # Redirects are not followed: the service gave this address, and no other was agreed on.
    again = answer.status_code >= 500 or answer.status_code in {408, 425, 429}
    return Failed(Problem(Trouble.WAIT if again else Trouble.CONTENT, f"http_{answer.status_code}", WAIT))
