"""The tables. Indexes and constraints are named by hand, so that migrations can speak of them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from db.states import OPEN, JobState, Origin, Part, PostKind, PostState, StepState, Way


class Moment(sa.TypeDecorator[datetime]):
    """A point in time, always UTC; SQLite keeps no zone, so it is put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert to UTC; a time without a zone is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give back an aware time."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


_COLUMN_TYPES: dict[Any, Any] = {
    datetime: Moment(),
    dict[str, Any]: sa.JSON(),
    list[dict[str, str]]: sa.JSON(),
    list[str]: sa.JSON(),
    list[list[str]]: sa.JSON(),
    list[dict[str, Any]]: sa.JSON(none_as_null=True),
} | {
    states: sa.Enum(
        states, native_enum=False, length=16, values_callable=lambda enum: [one.value for one in enum]
    )
    for states in (JobState, StepState, PostState, PostKind, Origin, Way, Part)
}


_OPEN = ", ".join(f"'{state}'" for state in OPEN)


def _index(name: str, where: str, *columns: str) -> sa.Index:
    """A partial index; the condition stands in the SQL of both databases."""
    return sa.Index(name, *columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


class Base(MappedAsDataclass, DeclarativeBase):
    """Rows as dataclasses; enums are stored as their words, so that a row can be read by eye."""

    type_annotation_map = _COLUMN_TYPES


def table(kind: type[Base]) -> sa.Table:
    """The table under a model, for statements that are to be as quick as they can."""
    found = kind.__table__
    assert isinstance(found, sa.Table)
    return found


class Backend(Base, kw_only=True):
    """A model server. The row is also the lock that every claim of a step takes."""

    __tablename__ = "backends"

    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    limit: Mapped[int]
    # What a learned limit has seen (tasks.infer.limit); None: the limit is fixed.
    learned: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True), default=None)
    not_before: Mapped[datetime | None] = mapped_column(default=None)
    trouble: Mapped[str | None] = mapped_column(sa.String(32), default=None)
    failures: Mapped[int] = mapped_column(default=0)
    # What a token of input and of output costs its person in the line.
    input_weight: Mapped[float] = mapped_column(default=1.0, server_default="1")
    output_weight: Mapped[float] = mapped_column(default=2.0, server_default="2")
    # Since when each priority with work waiting has been passed over for a higher one: {"2": ISO time}.
    passed_over: Mapped[dict[str, Any]] = mapped_column(default_factory=dict, server_default="{}")
    # When a sweep that was asked for last freed dead leases here, to within a few seconds (db.backends.mark_swept).
    swept_at: Mapped[datetime | None] = mapped_column(default=None)
    # When a worker last took the turn to sweep though nobody asked (db.backends.take_sweep).
    stood_in_at: Mapped[datetime | None] = mapped_column(default=None)
    # Since when the owners keep it from being asked, and what they say to those who wait.
    paused_at: Mapped[datetime | None] = mapped_column(default=None)
    paused_words: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)


class Turn(Base, kw_only=True):
    """A person's place at a backend: what they have been served, which decides whose turn is next."""

    __tablename__ = "turns"
    __table_args__ = (
        sa.UniqueConstraint("backend", "team", "requester", "priority", name="turns_person_unique"),
        # The fairest turn is the first entry; the level for newcomers to an empty line is the last.
        sa.Index("turns_in_order", "backend", "in_line", "priority", "service"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    backend: Mapped[str] = mapped_column(sa.ForeignKey("backends.name", name="turns_backend"))
    team: Mapped[str] = mapped_column(sa.String(64))
    requester: Mapped[str] = mapped_column(sa.String(64))
    # 0 goes before 1, and 1 before 2.
    priority: Mapped[int]
    weight: Mapped[float]
    # Tokens served, times what they cost, divided by the weight: the counter of VTC (db.turns).
    service: Mapped[float] = mapped_column(default=0.0)
    in_line: Mapped[bool] = mapped_column(default=False)


class Job(Base, kw_only=True):
    """One request of one person, from the moment it was acknowledged."""

    __tablename__ = "jobs"
    __table_args__ = (
        sa.UniqueConstraint("source_key", name="jobs_source_key_unique"),
        sa.UniqueConstraint("message_key", name="jobs_message_key_unique"),
        sa.Index("jobs_by_state", "state", "created_at"),
        sa.Index("jobs_by_requester", "team", "requester", "created_at"),
        # What else is asked and answered in a thread: for follow-ups, and for "stop".
        sa.Index("jobs_by_thread", "channel", "thread_ts"),
        sa.Index("jobs_by_channel", "team", "channel", "created_at"),
        # A person's open jobs are counted with every request.
        _index("jobs_open", f"state IN ({_OPEN})", "team", "requester"),
    )

    id: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    source_key: Mapped[str] = mapped_column(sa.String(255))
    message_key: Mapped[str | None] = mapped_column(sa.String(255), default=None)
    origin: Mapped[Origin]
    team: Mapped[str] = mapped_column(sa.String(64))
    requester: Mapped[str] = mapped_column(sa.String(64))
    channel: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    thread_ts: Mapped[str | None] = mapped_column(sa.String(32), default=None)
    message_ts: Mapped[str | None] = mapped_column(sa.String(32), default=None)
    recipe: Mapped[str] = mapped_column(sa.String(64))
    # A recipe that owners made, as it was when it was asked for (tasks.recipes.own); None: one of the product's files.
    own_recipe: Mapped[dict[str, Any] | None] = mapped_column(
        sa.JSON(none_as_null=True), default=None, repr=False
    )
    text: Mapped[str] = mapped_column(sa.Text, repr=False)
    question: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)
    material_ts: Mapped[str | None] = mapped_column(sa.String(32), default=None)
    answer_language: Mapped[str | None] = mapped_column(sa.String(8), default=None)
    # Slack's files of the request: {id, name}. Where they lie is asked when they are fetched.
    files: Mapped[list[dict[str, str]]] = mapped_column(default_factory=list, server_default="[]", repr=False)
    # What preparing made of all that was sent, for the card (tasks.understood); None: not prepared yet.
    understood: Mapped[list[dict[str, Any]] | None] = mapped_column(default=None, repr=False)
    response_url: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)
    callback_url: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)

    state: Mapped[JobState] = mapped_column(default=JobState.RECEIVED)
    attempt: Mapped[int] = mapped_column(default=1)
    claims: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    deadline: Mapped[datetime]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)

    result: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)
    # What stands behind the placeholders in steps and result, encrypted (tasks.originals); gone once all is shown.
    originals: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)
    truncated: Mapped[bool] = mapped_column(default=False)
    # What its person thinks of it: 1 or -1, and in their words.
    feedback: Mapped[int | None] = mapped_column(default=None)
    feedback_note: Mapped[str | None] = mapped_column(sa.Text, default=None, repr=False)
    error: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    error_params: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)

    # Which calls it takes, in numbers (tasks.plan.outline), and whether they wait for its person's word.
    plan: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True), default=None)
    held: Mapped[bool] = mapped_column(default=False, server_default=sa.false())

    # Where the job stands, as its card says it (db.places): calls ahead of it, and the seconds left, from and to.
    ahead: Mapped[int | None] = mapped_column(default=None)
    left_from: Mapped[int | None] = mapped_column(default=None)
    left_to: Mapped[int | None] = mapped_column(default=None)


class Upload(Base, kw_only=True):
    """A file that came by HTTP, kept for `prepare`, which may run on another machine than `web`."""

    __tablename__ = "uploads"
    __table_args__ = (sa.UniqueConstraint("job_id", "ordinal", name="uploads_place_unique"),)

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE", name="uploads_job"))
    ordinal: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(255), repr=False)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary, repr=False)


class Step(Base, kw_only=True):
    """One model call of a job. `level` 0 reads the text; each further level joins the answers below it."""

    __tablename__ = "steps"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "attempt", "level", "ordinal", name="steps_place_unique"),
        # The claim takes the first of a turn's waiting steps and counts a backend's running ones; places and
        # learned limits look at those answered last. Each index holds no other rows.
        _index("steps_in_line", "state = 'waiting'", "turn_id", "asked_at", "id"),
        _index("steps_in_flight", "state = 'running'", "backend", "lease_until"),
        _index("steps_done", "state = 'done'", "backend", "ended_at"),
        # Those whose worker died: few, in a backlog of any length.
        _index("steps_died", "state = 'waiting' AND claims > 0", "claims"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE", name="steps_job"))
    backend: Mapped[str] = mapped_column(sa.ForeignKey("backends.name", name="steps_backend"))
    # None: not in line yet, as after a move to another backend (db.line.adopt).
    turn_id: Mapped[int | None] = mapped_column(sa.ForeignKey("turns.id", name="steps_turn"), default=None)
    # When the job was asked for: a person's jobs are served in this order.
    asked_at: Mapped[datetime | None] = mapped_column(default=None)
    attempt: Mapped[int]
    level: Mapped[int]
    ordinal: Mapped[int]
    kind: Mapped[str] = mapped_column(sa.String(16))
    messages: Mapped[list[dict[str, str]]] = mapped_column(repr=False)
    tokens_in: Mapped[int]
    max_tokens: Mapped[int]
    temperature: Mapped[float]
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    # How many items it answers, by their numbers in it; 0: it answers its text as a whole.
    items: Mapped[int] = mapped_column(default=0, server_default="0")
    # What it shows to a model that sees, until it is answered: {mark, url, tokens} each. `mark` stands in its text.
    pictures: Mapped[list[dict[str, Any]] | None] = mapped_column(
        sa.JSON(none_as_null=True), default=None, repr=False
    )

    state: Mapped[StepState] = mapped_column(default=StepState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    claims: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    answer: Mapped[str] = mapped_column(sa.Text, default="", repr=False)
    tokens_out: Mapped[int] = mapped_column(default=0)
    truncated: Mapped[bool] = mapped_column(default=False)
    # Calls in flight at the backend when this one began, itself included.
    in_flight: Mapped[int] = mapped_column(default=0, server_default="0")
    # What its turn has been charged for it so far: tokens times their cost.
    charged: Mapped[float] = mapped_column(default=0.0, server_default="0")


class Source(Base, kw_only=True):
    """A table whose rows are the items of a job: its answers go back beside them."""

    __tablename__ = "sources"

    job_id: Mapped[str] = mapped_column(
        sa.ForeignKey("jobs.id", ondelete="CASCADE", name="sources_job"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    # The file's name and ending; the sheet is a workbook's.
    name: Mapped[str] = mapped_column(sa.String(255), repr=False)
    kind: Mapped[str] = mapped_column(sa.String(16))
    sheet: Mapped[str | None] = mapped_column(sa.String(255), default=None, repr=False)
    header: Mapped[list[str]] = mapped_column(repr=False)
    rows: Mapped[list[list[str]]] = mapped_column(repr=False)


class Passage(Base, kw_only=True):
    """A piece of a long text, where it stands there, and the vector that it is found by."""

    __tablename__ = "passages"
    __table_args__ = (sa.Index("passages_by_digest", "model", "digest"),)

    job_id: Mapped[str] = mapped_column(
        sa.ForeignKey("jobs.id", ondelete="CASCADE", name="passages_job"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(255), repr=False)
    page: Mapped[int | None] = mapped_column(default=None)
    sheet: Mapped[str | None] = mapped_column(sa.String(255), default=None, repr=False)
    row: Mapped[int | None] = mapped_column(default=None)
    text: Mapped[str] = mapped_column(sa.Text, repr=False)
    # The number by which the model was given it; None: it was not.
    number: Mapped[int | None] = mapped_column(default=None)
    # What made the vector, of which text (SHA-256): the same text is not sent to a server twice.
    model: Mapped[str] = mapped_column(sa.String(128))
    digest: Mapped[str] = mapped_column(sa.String(64))
    vector: Mapped[bytes] = mapped_column(sa.LargeBinary, repr=False)


class Post(Base, kw_only=True):
    """One thing to show outside: the status card, a part of the result, a failure, a callback."""

    __tablename__ = "posts"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "attempt", "kind", "part", name="posts_place_unique"),
        _index("posts_due", "state = 'wanted'", "lane", "id"),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE", name="posts_job"))
    lane: Mapped[str] = mapped_column(sa.String(160))
    kind: Mapped[PostKind]
    attempt: Mapped[int]
    part: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(default_factory=dict, repr=False)

    state: Mapped[PostState] = mapped_column(default=PostState.WANTED)
    revision: Mapped[int] = mapped_column(default=1)
    shown: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    ts: Mapped[str | None] = mapped_column(sa.String(32), default=None)
    channel: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    sending_since: Mapped[datetime | None] = mapped_column(default=None)
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(sa.String(64), default=None)


class Lane(Base, kw_only=True):
    """A channel of a team, as seen by delivery: one worker at a time, in order, at Slack's pace."""

    __tablename__ = "lanes"

    name: Mapped[str] = mapped_column(sa.String(160), primary_key=True)
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    not_before: Mapped[datetime | None] = mapped_column(default=None)
    # When the channel's allowance would be whole again: the one number of the generic cell rate algorithm.
    paced_until: Mapped[datetime | None] = mapped_column(default=None)


class Person(Base, kw_only=True):
    """Somebody in a workspace: how to address them, and in which language."""

    __tablename__ = "people"

    team: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    locale: Mapped[str] = mapped_column(sa.String(16))
    name: Mapped[str] = mapped_column(sa.String(255), repr=False)
    seen_at: Mapped[datetime]
    # What they chose in the App Home; None: as Slack says, and the default recipe.
    language: Mapped[str | None] = mapped_column(sa.String(8), default=None)
    recipe: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    mention: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    # None: from before this was asked.
    is_guest: Mapped[bool | None] = mapped_column(default=None)


class Rule(Base, kw_only=True):
    """What the owners decided for a scope: `everyone`, or `person:`, `channel:`, `workspace:` with an id; and the recipes
    that they made, under `recipes:` with a workspace's id or `everyone`.
    """

    __tablename__ = "rules"

    scope: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    value: Mapped[Any] = mapped_column(sa.JSON())
    set_by: Mapped[str] = mapped_column(sa.String(64))
    set_at: Mapped[datetime]


class Change(Base, kw_only=True):
    """A line of the audit: an order of an owner's that was carried out, in their words."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(sa.String(64))
    words: Mapped[str] = mapped_column(sa.Text, repr=False)


class Event(Base, kw_only=True):
    """A line in a job's timeline: what happened when, with numbers and ids but never a person's words."""

    __tablename__ = "events"
    __table_args__ = (sa.Index("events_by_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id", ondelete="CASCADE", name="events_job"))
    at: Mapped[datetime]
    name: Mapped[str] = mapped_column(sa.String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(default_factory=dict)


class Incident(Base, kw_only=True):
    """Something for operators, written in the transaction in which it happened; the sweep groups it and forgets it."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    at: Mapped[datetime]
    cause: Mapped[str] = mapped_column(sa.String(32))
    subject: Mapped[str] = mapped_column(sa.String(64), default="")
    reference: Mapped[str | None] = mapped_column(sa.String(16), default=None)


class Alert(Base, kw_only=True):
    """All incidents of one cause, from the first until there were none for a while."""

    __tablename__ = "alerts"
    __table_args__ = (
        # Two sweeps that see the first incident of a cause open one alert.
        sa.Index(
            "alerts_open",
            "cause",
            "subject",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, init=False
    )
    cause: Mapped[str] = mapped_column(sa.String(32))
    # Which model server, or which of Slack's error codes.
    subject: Mapped[str] = mapped_column(sa.String(64))
    opened_at: Mapped[datetime]
    last_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    count: Mapped[int]
    reference: Mapped[str | None] = mapped_column(sa.String(16))
    # What is wrong with a model server, as it was seen last.
    trouble: Mapped[str | None] = mapped_column(sa.String(32))
    # Raised with every change that operators are told.
    revision: Mapped[int] = mapped_column(default=1)


class Telling(Base, kw_only=True):
    """One message about an alert, by one way: Slack and a mail server fail apart."""

    __tablename__ = "tellings"

    alert_id: Mapped[int] = mapped_column(
        sa.ForeignKey("alerts.id", ondelete="CASCADE", name="tellings_alert"), primary_key=True
    )
    way: Mapped[Way] = mapped_column(primary_key=True)
    part: Mapped[Part] = mapped_column(primary_key=True)
    # The alert's revision that was told; 0: none yet.
    told: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime]
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    sending_since: Mapped[datetime | None] = mapped_column(default=None)
    tries: Mapped[int] = mapped_column(default=0)
    ts: Mapped[str | None] = mapped_column(sa.String(32), default=None)
    channel: Mapped[str | None] = mapped_column(sa.String(64), default=None)
