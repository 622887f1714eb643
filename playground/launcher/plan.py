"""What to start: from the environment to a plan, without touching anything."""

import dataclasses
import itertools
import pathlib
import shlex
import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

BOT_PORT = 8000
PLAYGROUND_PORT = 8010

BOT_TOKEN = "xoxb-playground"  # noqa: S105 - the stand-in's own, of no use anywhere else
APP_TOKEN = "xapp-playground"  # noqa: S105 - the same
SIGNING_SECRET = "playground-signing-secret"  # noqa: S105 - the same


class Refusal(Exception):
    """Nothing was started; the message is a sentence for the person at the terminal."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the command line asks for."""

    data: pathlib.Path
    port_base: int | None = None
    socket: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    env: dict[str, str]
    """For every child; whole."""
    bot_url: str
    page_url: str | None
    """None: nothing is left for the playground to stand in for."""
    slack_stands_in: bool
    model_stands_in: bool
    needs_broker: bool
    notes: tuple[str, ...] = ()


def plan(
    environment: Mapping[str, str], wish: Wish, broker_url: str, is_free: Callable[[str, int], bool]
) -> Plan:
    """Fills in what `environment` leaves out; whatever it sets is taken as it is. Raises Refusal."""
    # An empty setting counts as unset, here as in the product.
    env = {name: value for name, value in environment.items() if value}
    slack_stands_in = "SLACK_BOT_TOKEN" not in env
    model_stands_in = "LLM_URL" not in env and "LINE_FILE" not in env
    if slack_stands_in:
        refuse_half_a_slack(env)
    ports = choose_ports(env, wish, is_free, with_playground=slack_stands_in or model_stands_in)
    bot_url = f"http://{reachable(env.get('HOST', '127.0.0.1'))}:{ports.bot}"
    page_url = f"http://127.0.0.1:{ports.playground}"

    env["PORT"] = str(ports.bot)
    env["PLAYGROUND_PORT"] = str(ports.playground)
    env.setdefault("PLAYGROUND_REQUEST_URL", f"{bot_url}/slack/events")
    env.setdefault("DATABASE_URL", f"sqlite:///{wish.data.absolute() / 'threadline.db'}")
    if slack_stands_in:
        env |= {
            "SLACK_API_URL": f"{page_url}/api/",
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
        }
        if wish.socket:
            env["SLACK_APP_TOKEN"] = APP_TOKEN
    if model_stands_in:
        env["LLM_URL"] = f"{page_url}/v1"
        env["LLM_MODEL"] = "built-in"
    needs_broker = "BROKER_URL" not in env
    if needs_broker:
        env["BROKER_URL"] = broker_url
    return Plan(
        env=env,
        bot_url=bot_url,
        page_url=page_url if slack_stands_in or model_stands_in else None,
        slack_stands_in=slack_stands_in,
        model_stands_in=model_stands_in,
        needs_broker=needs_broker,
        notes=ports.notes,
    )


def filled_in(environment: Mapping[str, str], made: Plan) -> str:
    """What the plan sets and `environment` did not, as lines that a shell reads; so it holds no secret of anybody's."""
    new = {name: value for name, value in made.env.items() if environment.get(name) != value}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(new.items()))


def refuse_half_a_slack(env: Mapping[str, str]) -> None:
    for name in ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL"):
        if name in env:
            raise Refusal(
                f"{name} is set, but SLACK_BOT_TOKEN is not: set both for the real Slack, or neither for the stand-in.",
                code=2,
            )


@dataclasses.dataclass(frozen=True)
class Ports:
    bot: int
    playground: int
    notes: tuple[str, ...]


def choose_ports(
    env: Mapping[str, str], wish: Wish, is_free: Callable[[str, int], bool], *, with_playground: bool
) -> Ports:
    """A port that somebody asked for is used or refused; a default one gives way to the next free port."""
    host = env.get("HOST", "127.0.0.1")
    chosen: list[int] = []
    notes = []
    asked_for = [("PORT", host, BOT_PORT, 0), ("PLAYGROUND_PORT", "127.0.0.1", PLAYGROUND_PORT, 10)]
    for name, address, default, offset in asked_for if with_playground else asked_for[:1]:
        if wish.port_base is not None:
            if not 1 <= wish.port_base <= 65525:
                raise Refusal("--port-base must be a port number between 1 and 65525.", code=2)
            asked, setting = wish.port_base + offset, "--port-base"
        elif name in env:
            asked, setting = port_number(name, env[name]), name
        else:
            asked, setting = None, ""
        if asked is None:
            port = next(n for n in itertools.count(default) if n not in chosen and is_free(address, n))
            if port != default:
                notes.append(f"Port {default} is taken, so {name} is {port}.")
        elif asked in chosen or not is_free(address, asked):
            raise Refusal(
                f"Port {asked} is taken by another program: end that one, or choose another port with {setting}."
            )
        else:
            port = asked
        chosen.append(port)
    return Ports(chosen[0], chosen[-1] if with_playground else PLAYGROUND_PORT, tuple(notes))


def port_number(name: str, value: str) -> int:
    if value.isascii() and value.isdecimal() and 1 <= int(value) <= 65535:
        return int(value)
    raise Refusal(f"{name} must be a port number between 1 and 65535.", code=2)


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        # As servers do: a port whose last connections are still closing is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except (OSError, OverflowError):
            return False
    return True


def reachable(host: str) -> str:
    """The address at which this machine reaches a server bound to `host`."""
    if host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def without_password(url: str) -> str:
    """A URL that may be shown: scheme, host and path only."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
