"""The App Home: shown when it is opened, and again after whatever is pressed in it."""

from datetime import datetime
from typing import Any

import structlog
from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import intake, payloads, voice
from bot.aside import Aside
from bot.listeners import modal
from bot.payloads import forms, notices, presses
from bot.views import home as home_view
from db import jobs, people, posts, session
from tasks import actions, slack
from tasks.catalogue import LANGUAGES
from tasks.resources import Resources

log = structlog.get_logger()

# With somebody who presses on and on, the threads of the later presses look too.
MOST_LOOKS = 5


def register(app: App, resources: Resources) -> None:
    """Listen for openings and for the settings; Cancel and Retry have listeners of their own."""
    aside = Aside(resources)

    @app.event("app_home_opened")
    def opened(body: payloads.Payload) -> None:
        visitor = notices.visitor(body)
        if visitor is not None:
            # Publishing asks Slack, and must not delay the acknowledgement.
            aside.do(lambda: publish(resources, *visitor))

    @app.action(actions.OPEN_FORM)
    def ask(ack: Ack, body: payloads.Payload) -> None:
        modal.show_or_tell(resources, forms.opening(body), aside)
        ack()

    for action in (actions.SET_LANGUAGE, actions.SET_RECIPE, actions.SET_MENTION):

        @app.action(action)
        def set_one(ack: Ack, body: payloads.Payload) -> None:
            _set(resources, presses.choice(body))
            ack()
            refresh(resources, body, aside)

    @app.action(actions.DELETE_DATA)
    def delete_data(ack: Ack, body: payloads.Payload) -> None:
        press = presses.choice(body)
        # What is forgotten is not asked of Slack again only to say so.
        language = voice.language(resources, press.team, press.user)
        _forget(resources, press.team, press.user)
        ack()
        refresh(resources, body, aside, language)


def refresh(resources: Resources, body: payloads.Payload, aside: Aside, language: str | None = None) -> None:
    """Show the Home anew when the press came from there."""
    place = presses.home_of(body)
    if place is not None:
        aside.do(lambda: publish(resources, *place, language))


def publish(resources: Resources, team: str, user: str, language: str | None = None) -> None:
    """Show a person their Home as things stand; what goes wrong is logged, and the next opening shows it.

    Two presses are shown by two threads, or processes, and what was read first may be shown last: so whoever showed
    something looks again. `language` is theirs unless told.
    """
    now, shown = resources.clock(), None
    for _ in range(MOST_LOOKS):
        view = _view(resources, team, user, now, language)
        if view is None or view == shown:
            return
        try:
            resources.slack.views_publish(user_id=user, view=view)
        except slack.ERRORS as error:
            log.warning("home.unpublished", code=slack.problem(error).code)
            return
        shown = view


def _view(
    resources: Resources, team: str, user: str, now: datetime, language: str | None
) -> dict[str, Any] | None:
    """What the Home shows; None: the database does not say."""
    language = language or voice.language_of_newcomers_too(resources, team, user)
    try:
        with session.reading(resources.engine) as reading:
            facts = home_view.Facts(
                open=jobs.open_of(reading, team, user, 100),
                ended=jobs.ended_of(reading, team, user, home_view.MOST_ENDED_SHOWN),
                usage=people.usage(reading, team, user, now),
                most_open=resources.settings.most_open,
                preferences=people.preferences(reading, team, user),
                retention=resources.settings.retention,
            )
    except SQLAlchemyError as error:
        log.warning("home.unread", error=type(error).__name__)
        return None
    return home_view.home(
        language,
        resources.settings.slack_command,
        resources.recipes_of(team),
        facts,
        now,
    )


def _set(resources: Resources, choice: presses.Choice) -> None:
    value = home_view.chosen(choice.value)
    # What a press carries may be made up.
    language = value if value in LANGUAGES else None
    recipe = resources.recipes_of(choice.team).get(value) if value else None
    changed: dict[str, dict[str, str | bool | None]] = {
        actions.SET_LANGUAGE: {"language": language},
        actions.SET_RECIPE: {"recipe": recipe.name if recipe else None},
        actions.SET_MENTION: {"mention": value != "no"},
    }
    with intake.saving(), session.transaction(resources.engine) as transaction:
        people.prefer(transaction, choice.team, choice.user, changed[choice.action])


def _forget(resources: Resources, team: str, user: str) -> None:
    """Cancel what is open, and delete what is kept; the cards say that they are cancelled."""
    now = resources.clock()
    with intake.saving(), session.transaction(resources.engine) as transaction:
        cancelled = jobs.forget(transaction, team, user, now, gone_by=now - resources.settings.retention)
        people.forget(transaction, team, user)
    log.info("person.forgotten", cancelled=len(cancelled))
    for job in cancelled:
        for lane in posts.lanes(job):
            resources.bell.ring_deliver(lane)
