"""Owners' orders while the whole product runs: by terminal and in Slack, as people see them."""

import subprocess
import sys

from playground.slack.state import BOT_USER
from tests.acceptance.stack import ADA, GENERAL, LEO, MINJI, ROOT, Stack

SOYEON = "U0SOYEON"


def at_terminal(stack: Stack, *words: str) -> tuple[int, str]:
    """An order at a terminal: its exit code, and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "admin", *words],
        cwd=ROOT,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout


def ask(stack: Stack, user: str, text: str) -> str:
    return stack.say(user, GENERAL, f"<@{BOT_USER}> {text}")


def card(stack: Stack, ts: str) -> str:
    """The card under a message, as it stands."""
    return "".join(reply["text"] for reply in stack.replies(GENERAL, ts, "card"))


def test_a_pause_tells_those_who_wait_and_resume_serves_them(stack: Stack) -> None:
    """The owners' words are on the card, nothing is called meanwhile, and the request keeps its place."""
    assert at_terminal(stack, "pause", "main", "Back", "at", "noon.")[0] == 0
    ts = ask(stack, ADA, "The meeting began late. It ended early.")
    stack.wait(lambda: "Back at noon." in card(stack, ts), "the card tells the owners' words")
    assert stack.replies(GENERAL, ts, "result") == []

    assert at_terminal(stack, "resume", "main")[0] == 0

    stack.answer(GENERAL, ts)
    stack.wait(lambda: "Back at noon." not in card(stack, ts), "the card is done")


def test_a_drain_turns_people_away_in_words(stack: Stack) -> None:
    """A mention that was not taken gets a word for its person's eyes only; afterwards all goes on."""
    stack.order("drain", "We", "are", "moving.")
    ask(stack, LEO, "Not now.")
    stack.wait(lambda: "We are moving." in str(stack.look("ephemerals", user=LEO)), "Leo is told")

    assert stack.order("drain", "off")[0] == 0

    stack.answer(GENERAL, ask(stack, LEO, "Now the text is taken. It is short."))


def test_an_admin_made_at_the_terminal_gives_orders_in_slack(stack: Stack) -> None:
    """Both share the rules and the audit; whoever is none is refused."""
    assert stack.order("admins", "add", ADA)[0] == 0
    command = {"channel": GENERAL, "command": "/analyze"}

    stack.act("command", user=ADA, text=f"admin ban {MINJI}", **command)
    refused = stack.act("command", user=LEO, text="admin audit", **command)

    assert "Only admins" in str(refused["ack"])
    assert f"ban {MINJI}" in stack.order("audit")[1]
    stack.act("command", user=ADA, text="admin stats", **command)
    stack.wait(
        lambda: "data_visualization" in str(stack.look("ephemerals", user=ADA)),
        "Ada sees the chart",
    )
    assert stack.order("unban", MINJI) == (0, f"{MINJI} may use Threadline again.\n")
    assert stack.order("admins", "remove", ADA)[0] == 0


def test_a_plain_reply_goes_on_where_the_owners_allow_it(stack: Stack) -> None:
    """In a thread that somebody was answered in, without a mention; elsewhere and by others it asks nothing."""
    ts = ask(stack, ADA, "The ferry sails on Monday. It returns on Friday.")
    stack.answer(GENERAL, ts)
    stack.say(ADA, GENERAL, "This is said before the order.", thread_ts=ts)
    stack.wait(lambda: not stack.look("state")["events_under_way"], "it was heard")
    code, told = stack.order("replies", "on", GENERAL)
    assert (code, GENERAL in told) == (0, True)

    stack.say(LEO, GENERAL, "Only the person who asked goes on.", thread_ts=ts)
    stack.say(ADA, GENERAL, "When does the ferry return?", thread_ts=ts)

    stack.answer(GENERAL, ts, 2)
    assert len(stack.replies(GENERAL, ts, "card")) == 2
    assert stack.order("replies", "off", GENERAL)[0] == 0


def test_groups_and_guests(stack: Stack) -> None:
    """Only members of a group are answered, and no guests; the others read why, under their message."""
    assert stack.order("allow", "S0RESEARCH")[0] == 0
    outside = ask(stack, LEO, "Leo is in no group. Nobody told him.")
    stack.wait(lambda: stack.replies(GENERAL, outside, "failure"), "Leo is told")
    inside = ask(stack, ADA, "Ada is in the group. She asks.")
    stack.answer(GENERAL, inside)
    assert stack.order("allow", "everyone")[0] == 0
    assert stack.order("allow", "S0NOBODY")[0] == 1

    assert stack.order("disallow", "guests")[0] == 0
    stack.act("user", user=SOYEON, guest=True)
    kept_out = ask(stack, SOYEON, "A guest asks. She is new.")
    stack.wait(lambda: stack.replies(GENERAL, kept_out, "failure"), "the guest is told")
    assert stack.order("allow", "guests")[0] == 0
    stack.act("user", user=SOYEON, guest=False)


def test_exit_codes_for_scripts(stack: Stack) -> None:
    """1: not possible, 2: no order."""
    assert at_terminal(stack, "resume", "main")[0] == 1
    assert at_terminal(stack, "replies", "on")[0] == 1
    assert at_terminal(stack, "pause")[0] == 2
    assert at_terminal(stack)[0] == 2
