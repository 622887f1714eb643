"""`python -m playground up`: the whole product on one machine, with stand-ins for what is not configured."""

import argparse
import collections
import contextlib
import functools
import http.client
import os
import pathlib
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from types import FrameType

import dotenv

from playground.launcher import broker as brokers
from playground.launcher import plan as plans
from playground.launcher import procfile
from playground.launcher.data import DataDirectory
from playground.launcher.guardian import Guardian
from playground.launcher.plan import Plan, Refusal, Wish
from playground.launcher.processes import Child, Crew
from playground.launcher.terminal import Terminal

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / ".threadline"
READY_SECONDS = 90
# A process that ends is started again, unless it keeps ending.
RESTARTS, RESTART_WINDOW_SECONDS = 3, 60
# Together below the ten seconds that a person would wait after Ctrl-C.
STOP_SECONDS = {"procfile": 6, "playground": 1, "broker": 2}


class Interrupted(Exception):
    """The person, or the system, asks us to stop."""


class Ended(Exception):
    """A process that must run has ended."""

    def __init__(self, child: Child) -> None:
        super().__init__(child.name)
        self.child = child


def main(argv: list[str] | None = None) -> int:
    """0: stopped as asked. 1: could not start or go on. 2: a setting is wrong."""
    words = sys.argv[1:] if argv is None else argv
    arguments = parser().parse_args(words[1:] if words[:1] == ["up"] else words)
    terminal = Terminal()
    try:
        return Launch(arguments, terminal).run()
    except Refusal as refusal:
        terminal.say(f"threadline: {refusal}")
        return refusal.code


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m playground up", description=__doc__)
    made.add_argument(
        "--data", type=pathlib.Path, default=DATA, help="where the database and the logs lie (.threadline)"
    )
    made.add_argument(
        "--port-base", type=int, metavar="PORT", help="Threadline on PORT, the playground on PORT + 10"
    )
    made.add_argument(
        "--socket", action="store_true", help="let the Slack stand-in send events by Socket Mode"
    )
    made.add_argument("--verbose", action="store_true", help="show every line of every process")
    return made


class Launch:
    """One run, from the first look at the settings to the end of the last process."""

    def __init__(self, arguments: argparse.Namespace, terminal: Terminal) -> None:
        self.terminal = terminal
        self.verbose: bool = arguments.verbose
        self.processes = procfile.read(ROOT / "Procfile")
        self.data = DataDirectory(arguments.data.absolute())
        self.broker = brokers.place(self.data.path)
        wish = Wish(self.data.path, arguments.port_base, arguments.socket)
        given = settings()
        self.plan = plans.plan(given, wish, self.broker.url, plans.is_free)
        self.data.leave_env(plans.filled_in(given, self.plan))
        self.env = child_environment(self.plan)
        self.guardian = Guardian(keep_open=[self.data.lock])
        self.crew = Crew(ROOT, self.data.logs, self.guardian, terminal.line_of, verbose=self.verbose)
        self.signals = 0
        self.restarts: dict[str, collections.deque[float]] = {}

    def run(self) -> int:
        code = 0
        with self.heeding_signals():
            try:
                self.start()
                self.data.describe(self.plan.page_url or self.plan.bot_url)
                self.terminal.say(greeting(self.plan, self.data.path, self.terminal.strong))
                self.keep_running()
            except Interrupted:
                pass
            except Ended as ended:
                code = self.explain(ended.child)
            finally:
                self.stop()
        return code

    def start(self) -> None:
        self.terminal.say("Starting Threadline ...")
        for note in self.plan.notes:
            self.terminal.say(note)
        if self.plan.needs_broker:
            self.start_broker()
        if self.plan.page_url:
            self.spawn("playground")
        if "release" in self.processes:
            release = self.spawn("release")
            self.turn_until(lambda: release not in self.crew.running(), may_end=release)
            if release.process.returncode != 0:
                raise Ended(release)
        for name in self.processes:
            if name != "release":
                self.spawn(name)
        waiting_for = {f"{self.plan.bot_url}/readyz": "web"}
        if self.plan.page_url:
            waiting_for[self.plan.page_url] = "playground"
        for address, name in waiting_for.items():
            if not self.turn_until(functools.partial(answers, address), limit_seconds=READY_SECONDS):
                self.terminal.say(
                    f"threadline: {name} does not get ready: {address} gave no good answer in {READY_SECONDS} s."
                )
                raise Ended(self.crew.children[name])

    def start_broker(self) -> None:
        try:
            if self.broker.stop_stale():
                self.terminal.say("Stopped a broker that an earlier run had left behind.")
        except TimeoutError as error:
            raise Refusal(f"An earlier run's broker on {self.broker.socket} does not stop.") from error
        self.broker.socket.unlink(missing_ok=True)
        self.spawn("broker")
        self.turn_until(self.broker.answers, limit_seconds=10)

    def command(self, name: str) -> list[str]:
        if name == "broker":
            return self.broker.command
        if name == "playground":
            return [sys.executable, "-m", "playground"]
        return procfile.as_arguments(self.processes[name])

    def spawn(self, name: str) -> Child:
        env = self.env
        if name == "playground" and not self.plan.slack_stands_in:
            # It only serves the model then, and has no business with a real workspace's secrets.
            env = {key: value for key, value in env.items() if not key.startswith("SLACK_")}
        return self.crew.start(name, self.command(name), env)

    def turn(self, seconds: float = 0.2) -> list[Child]:
        ended = self.crew.turn(seconds)
        if self.signals or self.terminal.is_hung_up():
            raise Interrupted
        return ended

    def turn_until(
        self, condition: Callable[[], bool], limit_seconds: float = 600, may_end: Child | None = None
    ) -> bool:
        deadline = time.monotonic() + limit_seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            for child in self.turn():
                if child is not may_end:
                    raise Ended(child)
        return True

    def keep_running(self) -> None:
        while True:
            for child in self.turn():
                if child.process.returncode == 2 or self.keeps_ending(child):
                    raise Ended(child)
                self.terminal.say(f"{child.name} ended ({child.ending}) and is started again.")
                self.spawn(child.name)

    def keeps_ending(self, child: Child) -> bool:
        recent = self.restarts.setdefault(child.name, collections.deque(maxlen=RESTARTS))
        now = time.monotonic()
        too_often = len(recent) == RESTARTS and now - recent[0] < RESTART_WINDOW_SECONDS
        recent.append(now)
        return too_often

    def explain(self, child: Child) -> int:
        """Shows a process's last words and returns the launcher's own exit code."""
        wrong_setting = child.process.returncode == 2
        if not wrong_setting:
            ending = child.ending if child.process.returncode is not None else "not ready"
            self.terminal.say(f"threadline: {child.name} could not go on ({ending}).")
        for line in child.tail:
            self.terminal.say(line if wrong_setting else f"    {line}")
        if not wrong_setting:
            self.terminal.say(f"The whole log: {self.data.logs / child.name}.log")
        return 2 if wrong_setting else 1

    def stop(self) -> None:
        """Those that work first, then what they work with."""
        if self.signals:
            self.terminal.say("Stopping ...")
        enough = max(self.signals, 1)
        running = self.crew.running()
        groups = {
            "procfile": [child for child in running if child.name not in {"playground", "broker"}],
            "playground": [child for child in running if child.name == "playground"],
            "broker": [child for child in running if child.name == "broker"],
        }
        for group, children in groups.items():
            # A second Ctrl-C ends everything at once.
            self.crew.stop(children, STOP_SECONDS[group], hurry=lambda: self.signals > enough)
        self.guardian.dismiss()
        if self.signals:
            self.terminal.say("Stopped; nothing is left running.")

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        def note(number: int, frame: FrameType | None) -> None:
            self.signals += 1

        heeded = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def settings() -> dict[str, str]:
    """The environment, filled up from `.env`; raises Refusal."""
    try:
        from_file = dotenv.dotenv_values(ROOT / ".env")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f".env cannot be read: {error}.", code=2) from error
    set_in_environment = {name: value for name, value in os.environ.items() if value}
    return {name: value for name, value in from_file.items() if value} | set_in_environment


def child_environment(plan: Plan) -> dict[str, str]:
    # The Procfile's `python` is the one that runs this.
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), plan.env.get("PATH", os.defpath)])
    # A proxy for the outer world must not come between processes on this machine.
    direct = ",".join(
        filter(None, [plan.env.get("NO_PROXY") or plan.env.get("no_proxy"), "127.0.0.1,localhost"])
    )
    return {**plan.env, "PATH": path, "PYTHONUNBUFFERED": "1", "NO_PROXY": direct, "no_proxy": direct}


def answers(address: str) -> bool:
    """Whether a GET there succeeds now."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(address, timeout=2) as response:
            return bool(response.status < 400)
    except (OSError, http.client.HTTPException):
        return False


def greeting(plan: Plan, data: pathlib.Path, strong: Callable[[str], str]) -> str:
    """Where to go, what is real and what stands in, and how to stop."""
    sends = "Socket Mode" if "SLACK_APP_TOKEN" in plan.env else "HTTP events"
    if plan.slack_stands_in:
        slack = f"stand-in, by {sends} (SLACK_BOT_TOKEN in .env: the real one)"
    elif "SLACK_APP_TOKEN" in plan.env:
        slack = "the real one, by Socket Mode"
    else:
        slack = f"the real one; its Request URL must lead to {plan.bot_url}/slack/events"
    if plan.model_stands_in:
        model = "built in: quotes a text's own main sentences (LLM_URL in .env: a real one)"
    else:
        several = f"those of {plan.env.get('LINE_FILE')}"
        model = plans.without_password(plan.env["LLM_URL"]) if "LLM_URL" in plan.env else several
    lines = {
        "Slack": slack,
        "Model": model,
        "Broker": "embedded Valkey" if plan.needs_broker else plans.without_password(plan.env["BROKER_URL"]),
        "Database": plans.without_password(plan.env["DATABASE_URL"]),
        "HTTP API": f"{plan.bot_url}/docs",
        "Logs": str(data / "logs"),
    }
    if plan.slack_stands_in:
        headline = f"Threadline is running. Open {strong(plan.page_url or '')} in a browser."
    else:
        headline = "Threadline is running. Mention it in Slack."
    listing = "\n".join(f"  {name:<9} {value}" for name, value in lines.items())
    return f"\n{headline}\n\n{listing}\n\nCtrl-C stops everything."


if __name__ == "__main__":
    sys.exit(main())
