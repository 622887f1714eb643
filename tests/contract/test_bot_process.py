"""`python -m bot` as a real process: what it refuses to start with, and that it serves and ends."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from bot.__main__ import _is_loopback
from tests import front_door_rig as rig
from tests import services

migrated_sqlite, sqlite_url = rig.migrated_sqlite, rig.sqlite_url

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEE = "See .env.example for what each setting means."


def environment(**changed: str) -> dict[str, str]:
    """All that the process is told; nothing of the developer's own settings."""
    ours = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SLACK_SIGNING_SECRET": rig.SECRET,
        "SLACK_BOT_TOKEN": "xoxb-process-token",
        "SLACK_API_URL": f"http://{rig.NOWHERE}/api/",
        "LLM_URL": f"http://{rig.NOWHERE}/v1",
        "LLM_MODEL": "model",
        "BROKER_URL": f"redis://{rig.NOWHERE}/0",
        "LOG_FORMAT": "json",
    }
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {**ours, **coverage, **changed}


def refusal(
    folder: pathlib.Path, root: pathlib.Path = ROOT, command: tuple[str, ...] = ("bot",), **changed: str
) -> list[str]:
    """The lines with which it refuses to start; exit code 2, no traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**environment(**changed), "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    return ended.stderr.splitlines()


def test_without_tokens_it_listens_on_loopback_only(tmp_path: pathlib.Path) -> None:
    """An open API must not be reachable from outside."""
    assert refusal(tmp_path, HOST="0.0.0.0") == [
        "API_TOKENS is not set, and HOST is reachable from outside: set tokens, or bind to 127.0.0.1.",
        SEE,
    ]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost")),
        *(
            (host, False)
            for host in ("0.0.0.0", "::", "192.0.2.7", "threadline.example.com", "", "localhost.evil")
        ),
    ],
)
def test_what_counts_as_loopback(host: str, loopback: bool) -> None:
    """A name that is not `localhost` may lead anywhere."""
    assert _is_loopback(host) is loopback


def test_each_wrong_setting_gets_a_sentence(tmp_path: pathlib.Path) -> None:
    """All of them at once, and no secret's value."""
    lines = refusal(
        tmp_path, PORT="http", LLM_URL="gpu:8000", LLM_LIMIT="0", DATABASE_URL="mysql://x", BROKER_URL="x",
        API_TOKENS="alice:secretish", JOB_DEADLINE="soon", LANGUAGE="fr", SLACK_API_URL="slack.com",
    )  # fmt: skip

    names = "PORT LLM_URL LLM_LIMIT DATABASE_URL BROKER_URL API_TOKENS JOB_DEADLINE LANGUAGE SLACK_API_URL"
    assert {line.split()[0] for line in lines[:-1]} == set(names.split())
    assert len(lines) == 10
    assert all(line.endswith(".") for line in lines)
    assert "secretish" not in "\n".join(lines)


def test_the_settings_that_it_needs(tmp_path: pathlib.Path) -> None:
    """Named when they are not set, or empty."""
    needed = ["SLACK_BOT_TOKEN", "LLM_URL", "LLM_MODEL"]

    assert refusal(tmp_path, **dict.fromkeys(needed, "")) == [
        *(f"{name} is not set." for name in needed),
        SEE,
    ]


def test_one_of_the_two_ways_to_hear_slack(tmp_path: pathlib.Path) -> None:
    """Events by HTTP need a secret to be believed, Socket Mode its token."""
    (sentence, see) = refusal(tmp_path, SLACK_SIGNING_SECRET="")

    assert "SLACK_SIGNING_SECRET" in sentence
    assert "SLACK_APP_TOKEN" in sentence
    assert see == SEE


def test_a_broken_recipe_file_is_named_with_its_line(tmp_path: pathlib.Path) -> None:
    """Before the first request, not at the first use."""
    root = tmp_path / "root"
    for package in ("bot", "tasks", "db"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "tasks" / "recipes" / "broken.toml").write_text('name = "broken"\ninstructions = \n', "utf-8")

    (line, *_) = refusal(tmp_path, root)

    assert "broken.toml, line 2" in line


@pytest.mark.parametrize(
    "command", [("bot",), ("tasks", "infer"), ("tasks", "prepare"), ("tasks", "deliver")]
)
def test_a_broken_line_file_is_named_with_its_line(tmp_path: pathlib.Path, command: tuple[str, ...]) -> None:
    """By every process that reads it, before any work, and all that is wrong at once."""
    file = tmp_path / "line.toml"
    server = '[[backends]]\nname = "gpu"\nurl = "http://gpu:8000/v1"\nmodel = "m"\nlimit = 0\n'
    file.write_text(server + "[people.U1]\nweight = -1\n", "utf-8")
    unset = dict.fromkeys(("LLM_URL", "LLM_MODEL", "LLM_LIMIT"), "")

    lines = refusal(tmp_path, command=command, LINE_FILE=str(file), **unset)

    assert [line.partition(": ")[0] for line in lines] == [f"{file}:5", f"{file}:7"]


@contextlib.contextmanager
def serving(folder: pathlib.Path, **changed: str) -> Iterator[tuple[services.Server, str]]:
    """The process, ready to be asked, and its address."""
    port = services.free_port()
    url = f"http://127.0.0.1:{port}"
    server = services.Server(
        "bot",
        [sys.executable, "-m", "bot"],
        url,
        folder,
        ready=lambda: _answers(url),
        env=environment(PORT=str(port), **changed),
        start_limit=60,
    )
    with server.running():
        yield server, url


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz").status_code == 200
    return False


def test_it_serves_and_writes_no_words_into_its_log(tmp_path: pathlib.Path, sqlite_url: str) -> None:
    """Good and bad requests; then SIGTERM ends it, with the exit code that says so."""
    with serving(tmp_path, DATABASE_URL=sqlite_url) as (server, url):
        for body in (
            json.dumps(rig.mention("<@U0BOT> swordfish and other words")).encode(),
            json.dumps(rig.mention("<@U0BOT> swordfish")).encode(),
            b'{"swordfish": ',
            b'{"type": "event_callback", "event": {"type": "app_mention", "text": "swordfish"}}',
            b"[" * 100_000 + b'"swordfish"',
        ):
            headers = {"content-type": "application/json", **rig.signature(body)}
            assert httpx.post(f"{url}/slack/events", content=body, headers=headers).status_code in {200, 400}
        unsigned = httpx.post(f"{url}/slack/events", content=b"swordfish")
        assert unsigned.status_code == 401
        assert "server" not in unsigned.headers
        taken = httpx.post(f"{url}/api/analyses", json={"text": "swordfish"})
        assert taken.status_code == 202
        assert httpx.get(url + taken.headers["location"]).json()["state"] == "received"

        process = server.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        # Uvicorn ends cleanly and passes the signal on, so that its parent can tell.
        assert process.wait(20) in {0, -signal.SIGTERM}

    log = server.log.read_text("utf-8")
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events.count("request.accepted") == 3
    assert events.count("payload.malformed") == 3
    assert events.count("request.unverified") == 1
    for secret in ("swordfish", rig.SECRET, "xoxb-process-token"):
        assert secret not in log


def test_with_tokens_it_may_be_reached_from_outside(tmp_path: pathlib.Path, sqlite_url: str) -> None:
    """And asks for one."""
    tokens = {"API_TOKENS": "alice:alice-token-of-16", "HOST": "0.0.0.0"}
    with serving(tmp_path, DATABASE_URL=sqlite_url, **tokens) as (_, url):
        headers = {"authorization": "Bearer alice-token-of-16"}

        assert httpx.post(f"{url}/api/analyses", json={"text": "A text."}).status_code == 401
        taken = httpx.post(f"{url}/api/analyses", json={"text": "A text."}, headers=headers)
        assert taken.status_code == 202


def test_a_port_that_is_taken_is_named(tmp_path: pathlib.Path) -> None:
    """With what to do, beside the system's own words in the log."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "bot"],
            cwd=tmp_path,
            env=environment(PORT=port),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1, ended.stderr
    assert f"web cannot listen on 127.0.0.1, port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr
