"""What operators are told, with real processes and the stand-in's Slack: once, kept up to date, and once it is over."""

import json
import pathlib
from typing import Any

import pytest

from tests.acceptance import stack as stacks
from tests.acceptance.stack import ADA, GENERAL, RANDOM, Stack

pytestmark = pytest.mark.timeout(180)

TEXT = "The quartermaster counted the barrels. It rained for nine days. The ship came on a Sunday."


def told(stack: Stack) -> list[dict[str, Any]]:
    """The alerts in the operators' channel."""
    found = stack.look("messages", channel=RANDOM)["messages"]
    return [one for one in found if "alert" in ((one.get("metadata") or {}).get("event_payload") or {})]


def is_over(stack: Stack) -> bool:
    return any("Over" in one["text"] for one in told(stack))


def test_a_model_server_that_is_away_is_told_once_and_its_return_too(
    valkey_url: str, tmp_path: pathlib.Path
) -> None:
    """However many requests meet it and however many workers deliver; with no word of what people wrote (I10)."""
    database = f"sqlite:///{tmp_path / 'threadline.db'}"
    settings = {"SLACK_ALERT_CHANNEL": RANDOM}
    with stacks.running(database, valkey_url, tmp_path, socket_mode=False, **settings) as stack:
        stack.clear()
        stack.start("deliver-2", "tasks", "deliver")
        stack.act("faults/model", kind="down", times=None, seconds=600)
        asked = [stack.say(ADA, GENERAL, f"<@U0BOT> {n} {TEXT}") for n in range(3)]
        (alert,) = stack.wait(lambda: told(stack), "the alert")
        assert "answers nobody" in alert["text"]
        assert stack.http.delete("/control/faults").status_code == 200
        for ts in asked:
            stack.answer(GENERAL, ts)

        stack.wait(lambda: is_over(stack), "operators hear that it is over", 60)
        # The alert itself, brought up to date, and the reply that is shown in the channel too.
        assert 1 <= len(told(stack)) <= 2
        assert "quartermaster" not in json.dumps(told(stack))


def test_operators_hear_that_nothing_sweeps_though_nobody_is_rung(
    valkey_url: str, tmp_path: pathlib.Path
) -> None:
    """`beat` is gone: workers of deliver see it, tell it once, and the sweep ends it when it is back."""
    database = f"sqlite:///{tmp_path / 'threadline.db'}"
    settings = {"SLACK_ALERT_CHANNEL": RANDOM, "SILENCE": "8"}
    with stacks.running(database, valkey_url, tmp_path, socket_mode=False, **settings) as stack:
        stack.clear()
        stack.stop("deliver")
        for name in ("deliver", "deliver-2"):
            stack.start(name, "tests.acceptance.unlucky", "deliver")
        stack.stop("beat")
        (alert,) = stack.wait(lambda: told(stack), "the alert")
        assert "Nobody asks for sweeps" in alert["text"]
        stack.start("beat", "tasks", "beat")
        stack.wait(lambda: is_over(stack), "operators hear that it is over", 90)
        assert 1 <= len(told(stack)) <= 2
