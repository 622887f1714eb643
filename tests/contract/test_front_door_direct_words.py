"""The command's own words in a direct message, owners' orders, and presses on other people's buttons: in the newcomer's language."""

import json
from collections.abc import Iterator

import pytest

from tasks.catalogue import say
from tests import front_door_rig as front_door
from tests import playground_rig, services
from tests.front_door_rig import Door

migrated_sqlite, sqlite_url = front_door.migrated_sqlite, front_door.sqlite_url


@pytest.fixture
def in_slack(sqlite_url: str, rig: playground_rig.Rig) -> Iterator[Door]:
    """A door whose Slack is the stand-in."""
    slack = {"slack_api_url": f"{rig.running.url}/api/", "slack_bot_token": playground_rig.TOKEN}
    with front_door.opened(sqlite_url, admins="U0SOYEON", **slack) as door:
        yield door


def said(rig: playground_rig.Rig, channel: str) -> list[str]:
    return [message["text"] for message in rig.client.conversations_history(channel=channel)["messages"]]


@pytest.mark.parametrize(
    ("user", "channel", "word", "key", "language"),
    [
        ("U0ADA", "D0ADA", "help", "help.title", "en"),
        ("U0MINJI", "D0MINJI", "도움말", "help.title", "ko"),
        ("U0ADA", "D0ADA", "Status", "status.none", "en"),
        ("U0MINJI", "D0MINJI", "상태", "status.none", "ko"),
        ("U0ADA", "D0ADA", "cancel 0123456789ab", "intake.not_yours", "en"),
    ],
)
def test_a_word_is_answered_as_the_command_answers_it(
    in_slack: Door, rig: playground_rig.Rig, user: str, channel: str, word: str, key: str, language: str
) -> None:
    """And asks for nothing."""
    rig.client.conversations_open(users=user)
    assert in_slack.event(front_door.direct(word, user=user, channel=channel)).status_code == 200
    [told] = services.wait_for(lambda: said(rig, channel), 20)
    assert told.startswith(say(language, key, command="/analyze"))
    assert in_slack.jobs() == []


@pytest.mark.parametrize(("user", "key"), [("U0SOYEON", "admin.no_rules"), ("U0MINJI", "admin.not_yours")])
def test_an_order_is_answered_in_the_newcomer_s_language(in_slack: Door, user: str, key: str) -> None:
    """Orders are written in English by everybody, so they tell nothing of it."""
    assert in_slack.command(front_door.command("admin rules", user_id=user)).text == say("ko", key)


def test_a_word_with_more_beside_it_is_a_request(in_slack: Door) -> None:
    """Another word, or a file."""
    file = {"id": "F0123456789", "name": "a.txt"}
    for sent in (
        front_door.direct("status of the project: late"),
        front_door.direct("help", files=[file], subtype="file_share"),
    ):
        assert in_slack.event(sent).status_code == 200
    assert len(in_slack.jobs()) == 2


@pytest.mark.parametrize(
    ("action", "value", "key"),
    [
        ("cancel", "{}:1", "intake.not_yours"),
        ("retry", "{}:1", "intake.not_yours_to_retry"),
        ("confirm", "{}:1", "intake.not_yours_to_confirm"),
        ("save", "{}:1", "intake.not_yours_to_use"),
        ("again", "{}:1", "intake.not_yours_to_use"),
        ("feedback", "{}:1:down", "intake.not_yours_to_use"),
    ],
)
def test_a_newcomer_s_press_on_another_s_button_is_answered_in_their_language(
    in_slack: Door, action: str, value: str, key: str
) -> None:
    """Slack is asked who they are: they have written nothing yet."""
    assert in_slack.event(front_door.mention(user="U0ADA")).status_code == 200
    with playground_rig.receiving() as heard:
        press = front_door.press(
            value.format(in_slack.job().id), action=action, user="U0MINJI", response_url=heard.url
        )
        assert in_slack.interaction(press).status_code == 200
        assert json.loads(heard.next().body)["text"] == say("ko", key)
