"""`python -m bot doctor` beside the running product: exit codes, and one thing down at a time."""

import json
import subprocess
import sys

from tests.acceptance.stack import GENERAL, ROOT, SECRET, Stack
from tests.services import free_port


def examined(stack: Stack, *options: str, **changed: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each check's state."""
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "doctor", "--json", *options],
        cwd=ROOT,
        env={**stack.environment, **changed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, {each["check"]: each["state"] for each in json.loads(ended.stdout)}


def problems(found: dict[str, str]) -> set[str]:
    return {check for check, state in found.items() if state == "problem"}


def test_with_all_running_there_is_nothing_to_mend(stack: Stack) -> None:
    """Every part was asked, and the exit code says so."""
    code, found = examined(stack, "--channel", GENERAL)

    assert (code, problems(found)) == (0, set())
    asked = (
        "slack.token",
        "slack.scopes",
        "clock",
        f"slack.channel.{GENERAL}",
        "database",
        "database.migrations",
    )
    parts = (
        "broker",
        "model.main.name",
        "model.main.answer",
        "model.main.gauges",
        "machine.disk",
        "machine.files",
    )
    assert {found[check] for check in (*asked, *parts)} == {"ok"}


def test_one_thing_down_is_one_problem(stack: Stack) -> None:
    """The rest of the report stands, whatever is down."""
    nowhere = f"127.0.0.1:{free_port()}"

    for changed, check in (
        ({"BROKER_URL": f"redis://{nowhere}/0"}, "broker"),
        ({"DATABASE_URL": f"postgresql://t@{nowhere}/t"}, "database"),
        ({"LLM_URL": f"http://{nowhere}/v1"}, "model.main"),
        ({"SLACK_API_URL": f"http://{nowhere}/api/", "SLACK_APP_TOKEN": ""}, "slack.token"),
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "slack.token"),
        ({"LLM_MODEL": "no-such-model"}, "model.main.name"),
    ):
        code, found = examined(stack, **changed)
        assert code == 1
        assert check in problems(found)
        assert problems(found) <= {check, "model.main.answer"}


def test_a_server_that_does_not_answer_in_time_ends_the_wait(stack: Stack) -> None:
    """A Slack that hangs is told, and the rest with it."""
    stack.act("faults/slack", kind="time_out_before", method="auth.test", times=1)

    code, found = examined(stack)

    assert (code, problems(found)) == (1, {"slack.token"})


def test_a_private_channel_without_the_bot(stack: Stack) -> None:
    """Exit code 1, and the channel is named."""
    code, found = examined(stack, "--channel", SECRET)

    assert (code, problems(found)) == (1, {f"slack.channel.{SECRET}"})


def test_the_report_for_people_speaks_their_language(stack: Stack) -> None:
    """LANGUAGE decides, and wrong usage is exit code 2."""
    command = [sys.executable, "-m", "bot", "doctor"]
    environment = {**stack.environment, "LANGUAGE": "ko"}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    wrong = subprocess.run([*command, "--loud"], cwd=ROOT, env=environment, capture_output=True, check=False)

    assert told.stdout.rstrip().endswith("고칠 것이 없습니다.")
    assert (told.returncode, wrong.returncode) == (0, 2)
