"""Slash commands, read."""

from dataclasses import dataclass

from bot.intake import Request
from bot.payloads import Payload, text_in, word
from bot.payloads.forms import Opening
from db.states import Origin
from tasks.recipes import Asked


@dataclass(frozen=True)
class Command:
    """A slash command, before it is known whether it asks for an analysis."""

    team: str
    user: str
    channel: str
    text: str
    trigger: str
    response_url: str

    def request(self, asked: Asked) -> Request:
        """The analysis it asks for: answered under a card, since a command leaves no message."""
        return Request(
            source_key=f"trigger:{self.trigger}",
            origin=Origin.COMMAND,
            team=self.team,
            requester=self.user,
            channel=self.channel,
            recipe=asked.recipe.name,
            text=asked.text,
            named=asked.named,
            response_url=self.response_url,
        )

    def opening(self) -> Opening:
        """What is needed to open a form on it."""
        return Opening(self.team, self.user, self.trigger, self.channel, self.response_url)


def command(body: Payload) -> Command:
    """Read a slash command; raises Malformed."""
    return Command(
        team=word(body, "team_id"),
        user=word(body, "user_id"),
        channel=word(body, "channel_id"),
        text=text_in(body).strip(),
        trigger=word(body, "trigger_id", 200),
        response_url=word(body, "response_url", 1000),
    )
