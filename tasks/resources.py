"""What the stages work with, opened on first use in the process that uses it."""

import functools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import sqlalchemy as sa
from slack_sdk import WebClient

from db import session
from tasks import linefile, recipes, slack
from tasks.app import make_celery
from tasks.bell import Bell
from tasks.deadman import Deadman
from tasks.recipes import Recipe, Recipes, kept, own
from tasks.settings import Settings
from tasks.stopping import Stopping

# A question may cost this three times: to find out that the connection is dead, to make another, to ask. With the
# 20 s after which a call that nobody confirms is given up (tasks.infer.hold), that is less than its lease of 30 s.
HEARTBEAT_PATIENCE = timedelta(seconds=2)


def utcnow() -> datetime:
    """The current time; an argument wherever time matters, so that tests can set the clock."""
    return datetime.now(UTC)


class Asked(Protocol):
    """A job, or a step of one."""

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        ...

    @property
    def own_recipe(self) -> dict[str, Any] | None:
        """The recipe itself, if owners made it."""
        ...


class Resources:
    """Nothing is opened before it is asked for: a worker's children, made by fork, open their own."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime] = utcnow,
        patience: timedelta = session.PATIENCE,
        asks_every: timedelta | None = None,
    ) -> None:
        self.settings = settings
        self.patience = patience
        # How often SQLite is asked for its write lock (db.session.connect).
        self.asks_every = asks_every
        self.stopping = Stopping(clock)
        # Ends the process when it is frozen in the middle of a claim, or with SQLite's write lock; what writes or claims
        # starts it.
        self.deadman = Deadman()
        # Held by a sweep of this process (tasks.sweep).
        self.sweeping = threading.Lock()
        # Until when not to ask which servers for their gauges (tasks.infer.learn).
        self.without_gauges: dict[str, datetime] = {}
        # Servers that refused a request for JSON and took the same one without (tasks.infer.stage).
        self.without_forms: set[str] = set()
        # Until when not to speak of sessions: Slack takes the app for no agent (tasks.deliver.agent).
        self.without_sessions: datetime | None = None
        # Until when to start no streams: Slack has none here, or asked for patience (tasks.deliver.stream).
        self.without_streams: datetime | None = None
        self.clock = clock

    @functools.cached_property
    def engine(self) -> sa.Engine:
        """The database."""
        return session.connect(
            self.settings.database_url, patience=self.patience, asks_every=self.asks_every, watch=self.deadman
        )

    @functools.cached_property
    def heartbeats(self) -> sa.Engine:
        """The database for renewing leases, in less time than a lease lasts: better no answer than a late one."""
        return session.connect(self.settings.database_url, patience=HEARTBEAT_PATIENCE, watch=self.deadman)

    @functools.cached_property
    def bell(self) -> Bell:
        """The way to wake the next stage."""
        return Bell(make_celery(self.settings))

    @functools.cached_property
    def recipes(self) -> Recipes:
        """The analyses that come with the product: its files."""
        return recipes.load()

    @functools.cached_property
    def own_recipes(self) -> kept.Kept:
        """With those that owners made."""
        return kept.Kept(lambda: self.engine, self.recipes, self.clock)

    def recipes_of(self, team: str) -> Recipes:
        """The analyses that people of a workspace can ask for, or of the HTTP API."""
        return self.own_recipes.of(team)

    def recipe_of(self, asked: Asked) -> Recipe | None:
        """What a job or its step asked for, as it was then if owners made it; None: it is gone, or never was."""
        if asked.own_recipe is None:
            return self.recipes.get(asked.recipe)
        made = own.kept(asked.own_recipe)
        return made.recipe() if made is not None else None

    def called(self, asked: Asked, language: str) -> str:
        """What to call that recipe when speaking with somebody."""
        recipe = self.recipe_of(asked)
        return recipe.called(language) if recipe else asked.recipe

    def serving(self, asked: Asked) -> list[linefile.Server]:
        """The model servers for it, in order of preference: what owners made goes where the default recipe goes."""
        return self.line.serving(asked.recipe if asked.own_recipe is None else self.recipes.default.name)

    @functools.cached_property
    def line(self) -> linefile.Line:
        """The model servers, and who is served how; raises BadLine."""
        return linefile.load(self.settings, self.recipes.names())

    @functools.cached_property
    def slack(self) -> WebClient:
        """Slack's Web API as the bot."""
        return slack.client(self.settings)

    @functools.cached_property
    def bot_user(self) -> str:
        """Our own user id, as Slack says; raises slack-sdk's errors."""
        return str(self.slack.auth_test()["user_id"])

    @functools.cached_property
    def http(self) -> httpx.Client:
        """Connections to model servers and callbacks; the line limits the calls, so the pool does not.

        None is kept open: closing a call's connection is what makes a model server stop (tasks.infer.client).
        """
        return httpx.Client(limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))
