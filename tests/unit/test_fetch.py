"""Files are fetched from Slack's hosts alone, no further than they may be, and a login page is no file."""

import httpx
import pytest

from db.models import Job
from playground.slack.files import LOGIN_PAGE
from tasks.prepare import fetch
from tasks.prepare.extract import limits
from tasks.prepare.extract.problem import Problem
from tasks.prepare.hold import Hold
from tasks.prepare.impossible import Impossible
from tests.fakes import Slack, accepted, slack_error

URL = "https://files.slack.com/files-pri/T1-F1/report.txt"


class Web:
    """Answers by address; keeps who asked for what, with which token."""

    def __init__(self, **pages: httpx.Response) -> None:
        self.pages: dict[str, httpx.Response] = pages
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((str(request.url), request.headers.get("authorization", "")))
        return self.pages[str(request.url)]


@pytest.fixture
def web(resources) -> Web:
    made = Web()
    resources.__dict__["http"] = httpx.Client(transport=httpx.MockTransport(made))
    return made


@pytest.fixture
def get(resources, tmp_path, slack: Slack):
    job: Job = accepted(resources.engine)
    slack.files["F1"] = {"id": "F1", "name": "report.txt", "size": 5, "filetype": "text"}

    def got(**told) -> fetch.Fetched:
        slack.files["F1"] |= {"url_private_download": URL, **told}
        return fetch.fetch(resources, {"id": "F1", "name": "?"}, tmp_path, Hold(resources, job))

    return got


def test_a_file_is_fetched_with_the_bot_s_token(get, web: Web):
    web.pages[URL] = httpx.Response(200, content=b"hello")
    fetched = get()
    assert (fetched.path.read_bytes(), fetched.name, fetched.hint) == (b"hello", "report.txt", "txt")
    assert web.asked == [(URL, "Bearer xoxb-1")]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/x",
        "https://files.slack.com.evil.example.com/x",
        "https://evilslack.com/x",
        "http://files.slack.com/x",
        "https://files.slack.com:8443/x",
        "https://slack.com@evil.example.com/x",
        "file:///etc/passwd",
        "https://[",
    ],
)
def test_no_other_host_is_asked(get, web: Web, url):
    with pytest.raises(Problem, match="elsewhere"):
        get(url_private_download=url)
    assert web.asked == []


def test_a_redirect_carries_the_token_to_no_other_host(get, web: Web):
    web.pages[URL] = httpx.Response(302, headers={"location": "https://evil.example.com/x"})
    with pytest.raises(Problem, match="elsewhere"):
        get()
    assert [url for url, _ in web.asked] == [URL]


def test_a_redirect_within_slack_is_followed_and_a_circle_is_not(get, web: Web):
    other = "https://a.slack-edge.com/x"
    web.pages |= {
        URL: httpx.Response(302, headers={"location": other}),
        other: httpx.Response(200, content=b"hello"),
    }
    assert get().path.read_bytes() == b"hello"
    web.pages[other] = httpx.Response(302, headers={"location": URL})
    with pytest.raises(Problem, match="elsewhere"):
        get()


def test_the_stand_in_s_own_address_counts_as_slack_s(get, web: Web, resources):
    resources.settings = resources.settings.model_copy(update={"slack_api_url": "http://127.0.0.1:9/api/"})
    web.pages["http://127.0.0.1:9/files/x"] = httpx.Response(200, content=b"hello")
    assert get(url_private_download="http://127.0.0.1:9/files/x").path.read_bytes() == b"hello"
    with pytest.raises(Problem, match="elsewhere"):
        get(url_private_download="http://127.0.0.1:10/files/x")


def test_a_login_page_names_the_missing_scope(get, web: Web):
    web.pages[URL] = httpx.Response(200, content=LOGIN_PAGE, headers={"content-type": "text/html"})
    with pytest.raises(Problem, match="scope"):
        get()


def test_a_login_page_that_somebody_sent_on_purpose_is_a_file(get, web: Web):
    web.pages[URL] = httpx.Response(200, content=LOGIN_PAGE)
    assert get(size=len(LOGIN_PAGE), name="login.html").path.read_bytes() == LOGIN_PAGE


def test_a_file_that_is_told_to_be_too_large_is_not_fetched(get, web: Web):
    with pytest.raises(Problem, match="too_large") as raised:
        get(size=73_200_000)
    assert raised.value.params == {"found": "73.2", "limit": "50"}
    assert web.asked == []


def test_a_file_that_lies_about_its_size_is_not_fetched_to_its_end(get, web: Web, monkeypatch):
    monkeypatch.setattr(limits, "FILE_BYTES", 1_000_000)
    taken = []

    def endless():
        while True:
            taken.append(1)
            assert len(taken) < 100
            yield bytes(100_000)

    web.pages[URL] = httpx.Response(200, content=endless())
    with pytest.raises(Problem, match="too_large"):
        get()


@pytest.mark.parametrize(
    "told",
    [
        {"mode": "tombstone"},
        {"mode": "hidden_by_limit"},
        {"file_access": "access_denied"},
        {"url_private_download": None},
    ],
)
def test_a_file_that_is_gone(get, web: Web, told):
    with pytest.raises(Problem, match="gone"):
        get(**told)


def test_a_file_that_lies_elsewhere(get, web: Web):
    with pytest.raises(Problem, match="elsewhere"):
        get(is_external=True, mode="external")


def test_a_post_is_taken_from_what_slack_says(get, web: Web):
    fetched = get(filetype="post", plain_text="A post of some words.")
    assert fetched.path.read_text() == "A post of some words."
    assert web.asked == []


def test_a_canvas_comes_as_a_page(get, web: Web):
    web.pages[URL] = httpx.Response(200, content=b"<h1>Plan</h1>")
    assert get(filetype="quip", name="Plan").hint == "html"


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (403, Problem, "scope"),
        (404, Problem, "gone"),
        (429, Impossible, "slack_down"),
        (503, Impossible, "slack_down"),
    ],
)
def test_what_a_refused_download_means(get, web: Web, status, error, says):
    web.pages[URL] = httpx.Response(status)
    with pytest.raises(error, match=says):
        get()


@pytest.mark.parametrize(
    ("told", "error", "says"),
    [
        (slack_error("missing_scope"), Problem, "scope"),
        (slack_error("file_not_found"), Problem, "gone"),
        (slack_error("ratelimited", 429), Impossible, "slack_down"),
        (TimeoutError(), Impossible, "slack_down"),
    ],
)
def test_what_slack_s_refusal_to_tell_means(get, slack: Slack, told, error, says):
    slack.fail("files_info", told)
    with pytest.raises(error, match=says):
        get()
