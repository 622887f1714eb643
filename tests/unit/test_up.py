"""The launcher decides what to start from the environment alone."""

import pathlib

import pytest

from playground import up
from playground.launcher import broker, plan, procfile
from playground.launcher.plan import Refusal, Wish
from playground.launcher.processes import Listener

WISH = Wish(data=pathlib.Path("/srv/threadline"))
BROKER = "redis+socket:///srv/threadline/broker/valkey.sock?virtual_host=0"
REAL_SLACK = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}


def planned(environment=None, wish=WISH, taken=()):
    return plan.plan(environment or {}, wish, BROKER, lambda _address, port: port not in taken)


def test_with_nothing_set_everything_stands_in() -> None:
    made = planned({"HOME": "/home/ada"})
    assert made.env == {
        "HOME": "/home/ada",
        "PORT": "8000",
        "PLAYGROUND_PORT": "8010",
        "PLAYGROUND_REQUEST_URL": "http://127.0.0.1:8000/slack/events",
        "DATABASE_URL": "sqlite:////srv/threadline/threadline.db",
        "BROKER_URL": BROKER,
        "SLACK_API_URL": "http://127.0.0.1:8010/api/",
        "SLACK_BOT_TOKEN": "xoxb-playground",
        "SLACK_SIGNING_SECRET": "playground-signing-secret",
        "LLM_URL": "http://127.0.0.1:8010/v1",
        "LLM_MODEL": "built-in",
    }
    assert (made.slack_stands_in, made.model_stands_in, made.needs_broker) == (True, True, True)


def test_what_was_filled_in_is_left_for_a_shell() -> None:
    """So that the doctor and the owners' orders work beside it; what was set, such as a password, is not repeated."""
    given = {"PATH": "/usr/bin", "BROKER_URL": "redis://:swordfish@host/0"}
    made = planned(given, Wish(pathlib.Path("/data of mine")))
    lines = plan.filled_in(given, made).splitlines()

    assert "SLACK_BOT_TOKEN=xoxb-playground" in lines
    assert "DATABASE_URL='sqlite:////data of mine/threadline.db'" in lines
    assert not any(line.startswith(("PATH=", "BROKER_URL=")) for line in lines)


def test_socket_mode_is_used_with_the_stand_in_only_when_asked_for() -> None:
    assert "SLACK_APP_TOKEN" not in planned().env
    assert planned(wish=Wish(WISH.data, socket=True)).env["SLACK_APP_TOKEN"] == "xapp-playground"


def test_with_real_tokens_the_playground_only_serves_the_model() -> None:
    made = planned(REAL_SLACK)
    assert not made.slack_stands_in
    assert "SLACK_API_URL" not in made.env
    assert made.env["LLM_URL"] == "http://127.0.0.1:8010/v1"
    assert made.page_url


def test_with_a_real_slack_and_a_real_model_there_is_no_playground() -> None:
    made = planned({**REAL_SLACK, "LLM_URL": "http://gpu:8000/v1", "LLM_MODEL": "qwen"})
    assert made.page_url is None
    assert made.env["LLM_MODEL"] == "qwen"


def test_what_is_set_is_taken_as_it_is() -> None:
    own = {
        "DATABASE_URL": "postgresql://db/threadline",
        "BROKER_URL": "amqp://mq",
        "LLM_URL": "http://gpu/v1",
    }
    made = planned(own)
    assert own.items() <= made.env.items()
    assert "LLM_MODEL" not in made.env
    assert not made.needs_broker


def test_an_empty_setting_counts_as_unset() -> None:
    made = planned({"SLACK_BOT_TOKEN": "", "BROKER_URL": "", "LLM_URL": ""})
    assert made.slack_stands_in
    assert made.needs_broker
    assert made.model_stands_in


@pytest.mark.parametrize("name", ["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL"])
def test_half_a_slack_is_refused_by_name(name: str) -> None:
    with pytest.raises(Refusal, match=f"{name} is set, but SLACK_BOT_TOKEN is not") as caught:
        planned({name: "something"})
    assert caught.value.code == 2


def test_a_default_port_gives_way_to_the_next_free_one_and_says_so() -> None:
    made = planned(taken={8000, 8001, 8010})
    assert (made.env["PORT"], made.env["PLAYGROUND_PORT"]) == ("8002", "8011")
    assert made.env["PLAYGROUND_REQUEST_URL"] == "http://127.0.0.1:8002/slack/events"
    assert made.env["SLACK_API_URL"] == "http://127.0.0.1:8011/api/"
    assert made.notes == (
        "Port 8000 is taken, so PORT is 8002.",
        "Port 8010 is taken, so PLAYGROUND_PORT is 8011.",
    )


def test_the_two_default_ports_never_meet() -> None:
    made = planned(taken=set(range(8000, 8010)))
    assert (made.env["PORT"], made.env["PLAYGROUND_PORT"]) == ("8010", "8011")


@pytest.mark.parametrize("name", ["PORT", "PLAYGROUND_PORT"])
def test_a_port_that_was_asked_for_is_refused_when_taken(name: str) -> None:
    with pytest.raises(Refusal, match=f"Port 9000 is taken .* with {name}"):
        planned({name: "9000"}, taken={9000})


def test_port_base_places_both() -> None:
    made = planned({"PORT": "1234"}, Wish(WISH.data, port_base=9000))
    assert (made.env["PORT"], made.env["PLAYGROUND_PORT"]) == ("9000", "9010")
    with pytest.raises(Refusal, match=r"Port 9010 is taken .* with --port-base"):
        planned(wish=Wish(WISH.data, port_base=9000), taken={9010})


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "８０００"])
def test_a_port_that_is_none_is_a_wrong_setting(value: str) -> None:
    with pytest.raises(Refusal, match="PORT must be a port number between 1 and 65535") as caught:
        planned({"PORT": value})
    assert caught.value.code == 2


@pytest.mark.parametrize("base", [0, -5, 65530])
def test_a_port_base_without_two_ports_is_a_wrong_setting(base: int) -> None:
    with pytest.raises(Refusal, match="--port-base must be a port number between 1 and 65525") as caught:
        planned(wish=Wish(WISH.data, port_base=base))
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("10.0.0.5", "10.0.0.5")],
)
def test_the_bot_is_reached_where_it_listens(host: str, address: str) -> None:
    assert planned({"HOST": host}).bot_url == f"http://{address}:8000"


def test_the_greeting_shows_no_password_and_no_token() -> None:
    secret = {
        **REAL_SLACK,
        "DATABASE_URL": "postgresql://ada:hidden@db/x",
        "BROKER_URL": "redis://:hidden@mq/0",
    }
    text = up.greeting(planned(secret), WISH.data, str)
    assert "postgresql://db/x" in text
    assert "redis://mq/0" in text
    assert not any(word in text for word in ("hidden", "xoxb-1", "xapp-1"))


def test_a_proxy_for_the_outer_world_does_not_come_between_the_processes() -> None:
    env = up.child_environment(planned({"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "example.org"}))
    assert env["NO_PROXY"] == env["no_proxy"] == "example.org,127.0.0.1,localhost"


def test_the_procfile_holds_the_names_of_the_contract() -> None:
    assert list(procfile.read(up.ROOT / "Procfile")) == [
        "release",
        "web",
        "prepare",
        "infer",
        "deliver",
        "beat",
    ]


def test_a_long_path_gets_a_short_socket(tmp_path: pathlib.Path) -> None:
    data = tmp_path / ("deep" * 30)
    placed = broker.place(data)
    assert len(str(placed.socket)) <= broker.LONGEST_SOCKET_PATH
    assert broker.place(data) == placed
    placed.socket.parent.rmdir()


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-22T19:00:00.0Z [warning  ] slack_slow   process=deliver",
        "[2026-11-22 19:00:00,000: ERROR/MainProcess] consumer: Cannot connect",
        "WARNING:  Invalid HTTP request received.",
        '{"event": "x", "level": "critical"}',
        "Traceback (most recent call last):",
    ],
)
def test_warnings_are_shown_with_the_lines_that_follow_them(line: str) -> None:
    listener = Listener()
    assert listener.wants(line)
    assert listener.wants('  File "x.py", line 1')
    assert not listener.wants("2026-11-22T19:00:00.0Z [info     ] job_done")


def test_other_lines_are_not_shown() -> None:
    listener = Listener()
    assert not listener.wants("INFO:     Uvicorn running")
    assert not listener.wants(" -------------- celery@host v5.7.0")
    assert not listener.wants('{"event": "warning", "level": "info"}')
