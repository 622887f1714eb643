"""The same door by HTTP, for services that are not in Slack."""

import hmac
import json
import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from bot import intake
from bot.listeners import confirm as confirming
from bot.views import analysis as analysis_view
from bot.views import line as line_view
from bot.views.analysis import Analysis
from bot.views.line import Line
from db import backends, jobs, outcomes, posts, session
from db.models import Job
from db.states import Origin
from tasks import originals
from tasks.catalogue import say
from tasks.resources import Resources

VERSION = "0.1.0"

# Bytes. JSON may spell a character in 6 of them; far more than that is no text that we would take.
LONGEST_BODY = 7 * intake.LONGEST_TEXT

# A form: its files, which wait in the database until they are read, and a megabyte of fields.
LONGEST_FORM = 26_000_000
MOST_FILES = 10

# Jobs of the API belong to a workspace of their own, so that no Slack user can reach them, nor they Slack's.
TEAM = "api"

# Open analyses that the line lists for their owner.
MOST_LISTED = 100

# Seconds after which a service that has too many open may ask again: several calls have ended by then.
TRY_AGAIN = 30

# The status for a refusal that time will mend, and the seconds until a service may ask again; for others 403.
_REFUSALS = {
    "too_many": (429, TRY_AGAIN),
    "quota": (429, 3600),
    "quota_channel": (429, 3600),
    "draining": (503, 60),
}

# Who asks when no tokens are set; the server then listens on loopback only.
LOCAL = "local"


class Asking(BaseModel):
    """What to analyze, and how."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="The text, in Markdown or plain.", min_length=1)
    recipe: str | None = Field(
        default=None, max_length=64, description="A recipe's name or alias; the default one when left out."
    )
    callback_url: AnyHttpUrl | None = Field(
        default=None,
        description="Gets the outcome by POST, with an `Idempotency-Key` that stays over retries.",
    )
    slack_channel: str | None = Field(
        default=None,
        pattern=r"^[CGD][A-Z0-9]{2,20}$",
        description="A channel to post the card and the answer in.",
    )

    @field_validator("text")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("there is no text")
        return value


class Form(Asking):
    """The same beside files, where a text may be left out."""

    text: str = ""

    @field_validator("text")
    @classmethod
    def _says_something(cls, value: str) -> str:
        return value


# (name, content) of each file of a form.
Uploads = list[tuple[str, bytes]]

_TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {
        "description": "You have MOST_OPEN analyses open, or made as many requests today as the owners allow. "
        "An `Idempotency-Key` of one of them still finds it.",
        "headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}},
    },
    403: {"description": "The owners do not allow this: the recipe, or you."},
    503: {"description": "The database does not answer, or no new requests are taken for now."},
}

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Asking.model_json_schema()},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "maxItems": MOST_FILES,
                            "description": "PDF, office files, CSV, HTML, mails, pictures, text, or a ZIP of these.",
                        },
                        "text": {"type": "string", "description": "A question or wish about the files."},
                        "recipe": {"type": "string"},
                        "callback_url": {"type": "string", "format": "uri"},
                        "slack_channel": {"type": "string"},
                    },
                }
            },
        },
    }
}


def router(resources: Resources) -> APIRouter:
    """The endpoints under /api."""
    api = APIRouter(prefix="/api", tags=["analyses"])
    language = resources.settings.language
    bearer = HTTPBearer(auto_error=False, description="A token from API_TOKENS.")

    def owner(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
        name = _owner(resources, given.credentials if given else "")
        if name is None:
            raise HTTPException(
                401, "This needs `Authorization: Bearer <token>`.", {"WWW-Authenticate": "Bearer"}
            )
        return name

    @api.post("/analyses", status_code=202, responses=_TOO_MANY, openapi_extra=_BODY)
    async def create(
        request: Request,
        response: Response,
        who: Annotated[str, Depends(owner)],
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Analysis:
        """Commit the request and answer with its id at once. The same `Idempotency-Key` gives the same analysis."""
        asking, uploaded = await _read(request)
        job = await run_in_threadpool(_accept, resources, asking, uploaded, who, idempotency_key)
        response.headers["Location"] = f"/api/analyses/{job.id}"
        # The one that an earlier request with the same key made may be done.
        return analysis_view.analysis(language, job, originals.answer(resources.settings, job))

    @api.get("/analyses/{job_id}")
    def read(job_id: str, who: Annotated[str, Depends(owner)]) -> Analysis:
        """The state, the place in line while it waits or runs, and the result once there is one."""
        with _database(), session.reading(resources.engine) as reading:
            job = _mine(reading, job_id, who)
        return analysis_view.analysis(language, job, originals.answer(resources.settings, job))

    @api.delete("/analyses/{job_id}")
    def cancel(job_id: str, who: Annotated[str, Depends(owner)]) -> Analysis:
        """Cancel an analysis that has not ended: one that waits leaves the line, one that runs is stopped."""
        with _database(), session.transaction(resources.engine) as transaction:
            job = _mine(transaction, job_id, who)
            cancelled = outcomes.cancel(transaction, job_id, resources.clock())
        if not cancelled and job.state != "cancelled":
            raise HTTPException(409, f"The analysis has ended: it is {analysis_view.state(job)}.")
        for lane in posts.lanes(job):
            resources.bell.ring_deliver(lane)
        return analysis_view.analysis(language, job)

    @api.post("/analyses/{job_id}/confirm")
    def confirm(job_id: str, who: Annotated[str, Depends(owner)]) -> Analysis:
        """Let a plan of many calls begin, where `needs_confirmation` is true."""
        patience, now = resources.settings.job_deadline, resources.clock()
        with _database(), session.transaction(resources.engine) as transaction:
            mine = _mine(transaction, job_id, who)
            job = jobs.confirm(transaction, job_id, mine.attempt, now, patience, resources.line.rank(who))
        if job is None:
            raise HTTPException(409, f"The analysis waits for no word: it is {analysis_view.state(mine)}.")
        confirming.ring(resources, job)
        return analysis_view.analysis(language, job)

    @api.get("/line")
    def line(who: Annotated[str, Depends(owner)]) -> Line:
        """The model servers with everybody's calls counted, and where your own analyses stand."""
        with _database(), session.reading(resources.engine) as reading:
            return line_view.line(
                backends.every(reading, resources.line.names),
                backends.counts(reading, resources.clock()),
                jobs.open_of(reading, TEAM, who, MOST_LISTED),
            )

    return api


def _owner(resources: Resources, token: str) -> str | None:
    """Whose token it is; compared with all of them in constant time."""
    tokens = resources.settings.api_tokens
    if not tokens:
        return LOCAL
    matching = [
        name
        for name, secret in tokens.items()
        if hmac.compare_digest(secret.get_secret_value().encode(), token.encode())
    ]
    return matching[0] if matching else None


async def _read(request: Request) -> tuple[Asking, Uploads]:
    """The body, JSON or a form with files; raises HTTPException with what is wrong."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            fields, uploaded = await _form(request)
            return (Form if uploaded else Asking).model_validate(fields), uploaded
        if kind != "application/json":
            raise HTTPException(415, "Send application/json, or multipart/form-data with files.")
        body = b"".join([chunk async for chunk in _limited(request, LONGEST_BODY)])
        said = json.loads(body)
        if not isinstance(said, dict):
            raise HTTPException(422, 'The body is not a JSON object, such as {"text": "..."}.')
        return Asking.model_validate(said), []
    except _TooLong as error:
        raise HTTPException(413, error.message) from None
    except ValidationError as error:
        # Half a character may stand in a key, and cannot be sent back.
        named = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        problems = [{"loc": [name.encode("utf-8", "replace").decode()], "msg": says} for name, says in named]
        raise HTTPException(422, problems) from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None


class _TooLong(MultiPartException):
    """Raised in the middle of a form, this lets the parser close its files."""


async def _limited(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes; raises _TooLong after `most` bytes."""
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > most:
            raise _TooLong(f"The body is longer than {most} bytes.")
        yield chunk


async def _form(request: Request) -> tuple[dict[str, Any], Uploads]:
    stream = _limited(request, LONGEST_FORM)
    try:
        form = await MultiPartParser(request.headers, stream, max_files=MOST_FILES, max_fields=10).parse()
    except _TooLong:
        raise
    except (MultiPartException, ValueError):
        raise HTTPException(
            400, f"The form cannot be read: it has up to {MOST_FILES} files and a few fields."
        ) from None
    try:
        return await _fields(form)
    finally:
        await form.close()


async def _fields(form: FormData) -> tuple[dict[str, Any], Uploads]:
    fields: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str) and value}
    files = [file for file in form.getlist("file") if isinstance(file, UploadFile)]
    named = [(intake.storable(file.filename or "file")[:255], await file.read()) for file in files]
    return fields, named


def _accept(
    resources: Resources, asking: Asking, uploaded: Uploads, who: str, idempotency_key: str | None
) -> Job:
    recipes = resources.recipes_of(TEAM)
    recipe = recipes.get(asking.recipe) if asking.recipe else recipes.default
    if recipe is None:
        word = asking.recipe or ""
        raise HTTPException(422, say("en", "error.unknown_recipe", word=word, **recipes.alternatives(word)))
    if len(asking.text) > intake.LONGEST_TEXT:
        lengths = {"characters": len(asking.text), "limit": intake.LONGEST_TEXT}
        raise HTTPException(413, say("en", "intake.too_long", **lengths))
    request = intake.Request(
        source_key=f"api:{who}:{idempotency_key or secrets.token_hex(16)}",
        origin=Origin.API,
        team=TEAM,
        requester=who,
        channel=asking.slack_channel,
        recipe=recipe.name,
        text=asking.text,
        callback_url=str(asking.callback_url) if asking.callback_url else None,
    )
    try:
        with _database():
            return intake.accept(resources, request, uploaded)
    except intake.Refused as refusal:
        words = refusal.words("en", "DELETE /api/analyses/{id}")
        status, wait = _REFUSALS.get(refusal.code, (403, None))
        raise HTTPException(status, words, {"Retry-After": str(wait)} if wait else None) from None


@contextmanager
def _database() -> Iterator[None]:
    """Turn a database that does not answer into 503, so that the service tries again."""
    try:
        yield
    except (SQLAlchemyError, intake.NotSaved) as error:
        detail = "The database does not answer; nothing was saved."
        raise HTTPException(503, detail, {"Retry-After": "5"}) from error


def _mine(reading: Session, job_id: str, who: str) -> Job:
    # PostgreSQL takes no NUL, and the path may hold one.
    job = jobs.get(reading, job_id, TEAM, who) if job_id.isalnum() else None
    if job is None:
        raise HTTPException(404, "There is no such analysis of yours.")
    return job
