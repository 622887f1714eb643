"""`python -m bot`: the HTTP server, and Socket Mode when an app token is set; `python -m bot doctor`: what is wrong."""

import argparse
import ipaddress
import sys
from datetime import timedelta

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from bot.app import create_app
from bot.web import create_web
from db import session
from tasks import logs, settings
from tasks.linefile import BadLine
from tasks.recipes import RecipeError
from tasks.resources import Resources

# Slack waits 3 seconds for an answer; a database that takes longer than this has not answered in time.
PATIENCE = timedelta(seconds=2)


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop, or run a command; 2: a setting, a recipe or the line file is wrong, 1: no port."""
    asked = _parser().parse_args(argv)
    chosen = settings.load("slack_bot_token", "llm_url", "llm_model")
    resources = Resources(chosen, patience=PATIENCE)
    try:
        # Read before the first request: a broken file stops the start.
        _ = resources.line
    except (RecipeError, BadLine) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.command is not None:
        # A command's answer is all that it writes: log lines would stand between those of the answer.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    if asked.command == "doctor":
        from bot.doctor import command as doctor  # The server does without all that this loads.

        return doctor.main(resources, asked)
    if asked.command == "admin":
        from bot.owners import command as owners

        return owners.main(resources, asked.words)
    return _serve(resources)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Threadline's front door: Slack and the HTTP API. Without a command it serves until told to stop.",
        epilog=settings.WHERE,
    )
    commands = parser.add_subparsers(dest="command", metavar="[command]")
    doctor = commands.add_parser(
        "doctor", help="check everything that Threadline needs, and say what to mend"
    )
    doctor.add_argument("--json", action="store_true", help="a list of findings, for scripts")
    doctor.add_argument(
        "--channel", action="append", default=[], metavar="ID", help="a channel that the bot should be in"
    )
    admin = commands.add_parser("admin", help="the owners' orders, as `/analyze admin` takes them in Slack")
    admin.add_argument("words", nargs="*", help="such as: pause main Back at noon. Without any: all of them")
    return parser


def _serve(resources: Resources) -> int:
    chosen = resources.settings
    complaint = _complaint(chosen)
    if complaint:
        sys.stderr.write(f"{complaint}\nSee .env.example for what each setting means.\n")
        return 2
    logs.configure(chosen, "web")
    if session.has_one_writer(resources.engine):
        resources.deadman.start()
    web = create_web(resources, create_app(resources))
    try:
        uvicorn.run(
            web,
            host=chosen.host,
            port=chosen.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=10,
            server_header=False,
        )
    except SystemExit as ended:
        if ended.code != STARTUP_FAILURE:
            raise
        # Why is in the log, in the system's words.
        sys.stderr.write(
            f"web cannot listen on {chosen.host}, port {chosen.port}: see the reason above, and choose another "
            "HOST or PORT, or end what has the port.\n"
        )
        return 1
    return 0


def _complaint(chosen: settings.Settings) -> str | None:
    if not chosen.slack_signing_secret.get_secret_value() and not chosen.slack_app_token.get_secret_value():
        return "Neither SLACK_SIGNING_SECRET (events by HTTP) nor SLACK_APP_TOKEN (Socket Mode) is set."
    if not chosen.api_tokens and not _is_loopback(chosen.host):
        return "API_TOKENS is not set, and HOST is reachable from outside: set tokens, or bind to 127.0.0.1."
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    sys.exit(main())
