"""What Slack's errors mean to us: wait, look first, speak elsewhere, give up, or call the operators."""

import http.client
import ssl
import urllib.error
from datetime import timedelta

import pytest

from tasks import slack
from tasks.slack import Trouble
from tests import fakes
from tests.fakes import slack_error


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("not_in_channel", Trouble.CHANNEL),
        ("channel_not_found", Trouble.CHANNEL),
        ("is_archived", Trouble.CHANNEL),
        ("restricted_action", Trouble.CHANNEL),
        ("restricted_action_read_only_channel", Trouble.CHANNEL),
        ("message_not_found", Trouble.GONE),
        ("thread_not_found", Trouble.GONE),
        ("msg_too_long", Trouble.CONTENT),
        ("invalid_blocks", Trouble.CONTENT),
        ("token_revoked", Trouble.ACCESS),
        ("invalid_auth", Trouble.ACCESS),
        ("account_inactive", Trouble.ACCESS),
        ("missing_scope", Trouble.ACCESS),
        ("service_unavailable", Trouble.WAIT),
        # "Some aspect of the operation may have succeeded."
        ("internal_error", Trouble.UNCLEAR),
        ("fatal_error", Trouble.UNCLEAR),
        ("never_heard_of", Trouble.UNCLEAR),
    ],
)
def test_a_code_of_slacks_has_one_meaning(code, trouble):
    problem = slack.problem(slack_error(code))
    assert (problem.trouble, problem.code) == (trouble, code)
    assert problem.wait > timedelta(0)


@pytest.mark.parametrize("code", ["internal_error", "ratelimited", "service_unavailable"])
def test_an_error_of_the_server_may_have_had_its_effect(code):
    assert slack.problem(slack_error(code, 500)).trouble is Trouble.UNCLEAR


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30),
        ({"retry-after": "7"}, 7),
        ({}, 1),
        ({"Retry-After": "soon"}, 1),
        ({"Retry-After": "nan"}, 1),
        ({"Retry-After": "9" * 40}, 3600),
        ({"Retry-After": "-5"}, 1),
    ],
)
def test_retry_after_is_read_whatever_it_says(headers, seconds):
    problem = slack.problem(slack_error("ratelimited", 429, headers))
    assert (problem.trouble, problem.code) == (Trouble.WAIT, "ratelimited")
    assert problem.wait == timedelta(seconds=seconds)


def test_an_answer_without_a_code_is_named_by_its_status():
    error = slack_error("", 503)
    assert slack.problem(error).code == "http_503"
    assert slack.problem(error).trouble is Trouble.UNCLEAR


@pytest.mark.parametrize("error", [ConnectionRefusedError(), urllib.error.URLError(ConnectionRefusedError())])
def test_where_nobody_listened_nothing_was_done(error):
    problem = slack.problem(error)
    assert (problem.trouble, problem.code) == (Trouble.WAIT, "connection_refused")


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        urllib.error.URLError(TimeoutError()),
        ConnectionResetError(),
        http.client.RemoteDisconnected(),
        http.client.IncompleteRead(b""),
        ssl.SSLError(),
    ],
)
def test_a_connection_that_broke_may_have_had_its_effect(error):
    assert isinstance(error, slack.ERRORS)
    assert slack.problem(error).trouble is Trouble.UNCLEAR


def test_the_client_never_tries_again_by_itself():
    made = slack.client(fakes.settings(slack_api_url="http://127.0.0.1:9/api/"))
    assert made.retry_handlers == []
    assert made.base_url == "http://127.0.0.1:9/api/"
    assert made.timeout == slack.TIMEOUT.total_seconds()
