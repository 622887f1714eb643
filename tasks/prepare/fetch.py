"""A file of Slack's, fetched with the bot's token: from Slack's hosts alone, and no further than its size allows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tasks import slack
from tasks.prepare.extract import limits
from tasks.prepare.extract.problem import Problem, too_large
from tasks.prepare.hold import Hold
from tasks.prepare.impossible import Impossible
from tasks.resources import Resources
from tasks.slack import Trouble

# Who may be shown the bot's token, beside the host of SLACK_API_URL.
_HOSTS = re.compile(r"(?:[a-z0-9-]+\.)*(?:slack\.com|slack-edge\.com)")
_MOST_REDIRECTS = 3
_TIMEOUT = httpx.Timeout(10.0)
_CHUNK = 64 * 1024

_GONE = frozenset({"file_not_found", "file_deleted", "access_denied"})
# Slack's own documents, by its names for them. A canvas comes as HTML, a post as the text that files.info holds.
_ENDINGS = {"quip": "html", "canvas": "html", "email": "eml", "text": "txt", "markdown": "md", "python": "py"}

# A token without files:read gets this page, with status 200, in place of the file (facts/slack.md 3.13).
_LOGIN = re.compile(
    rb"\A\s*<!doctype html>(?=.*slack)(?=.*(?:sign ?in|signin_form))", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Fetched:
    """A file on our disk; `hint` is an ending for names that have none."""

    path: Path
    name: str
    hint: str


def fetch(resources: Resources, file: Mapping[str, str], folder: Path, hold: Hold) -> Fetched:
    """Fetch the file of that id into `folder`. Raises Problem, Impossible when Slack is down, and Lost."""
    told = _told(resources, file["id"])
    name = str(told.get("name") or told.get("title") or file.get("name") or file["id"])
    said = str(told.get("filetype") or "")
    fetched = Fetched(folder / file["id"], name, _ENDINGS.get(said, said))
    url = told.get("url_private_download") or told.get("url_private")
    if told.get("plain_text") and (said in {"post", "space"} or not url):
        fetched.path.write_text(str(told["plain_text"]), "utf-8")
        return Fetched(fetched.path, name, "txt")
    if told.get("is_external") or told.get("mode") == "external":
        raise Problem("elsewhere")
    if not url or told.get("mode") in {"tombstone", "hidden_by_limit"} or told.get("file_access") in _GONE:
        raise Problem("gone")
    size = told.get("size")
    if isinstance(size, int) and size > limits.FILE_BYTES:
        raise too_large("too_large", size, limits.FILE_BYTES)
    _download(resources, str(url), fetched.path, hold)
    _refuse_login_page(fetched.path, told)
    return fetched


def _told(resources: Resources, file_id: str) -> Mapping[str, Any]:
    """What Slack says of the file now: of files from Slack Connect, a message carries no more than the id."""
    try:
        told: Mapping[str, Any] = resources.slack.files_info(file=file_id)["file"]
    except slack.ERRORS as error:
        problem = slack.problem(error)
        if problem.code in _GONE:
            raise Problem("gone") from error
        if problem.trouble is Trouble.ACCESS:
            raise Problem("scope") from error
        raise Impossible("slack_down", code=problem.code) from error
    return told


def _download(resources: Resources, url: str, path: Path, hold: Hold) -> None:
    for _ in range(_MOST_REDIRECTS + 1):
        if not _may_see_token(resources, url):
            raise Problem("elsewhere")
        token = resources.settings.slack_bot_token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"}
        try:
            with resources.http.stream("GET", url, headers=headers, timeout=_TIMEOUT) as answer:
                if not answer.has_redirect_location:
                    _judge(answer.status_code)
                    _save(answer, path, hold)
                    return
                url = urljoin(url, answer.headers["location"])
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Impossible("slack_down", code=type(error).__name__) from error
    raise Problem("elsewhere")


def _may_see_token(resources: Resources, url: str) -> bool:
    try:
        asked, api = httpx.URL(url), httpx.URL(resources.settings.slack_api_url)
    except httpx.InvalidURL:
        return False
    if (asked.scheme, asked.host, asked.port) == (api.scheme, api.host, api.port):
        return True
    return asked.scheme == "https" and asked.port is None and bool(_HOSTS.fullmatch(asked.host))


def _judge(status: int) -> None:
    if status in {401, 403}:
        raise Problem("scope")
    if status in {404, 410}:
        raise Problem("gone")
    if status != 200:
        raise Impossible("slack_down", code=f"http_{status}")


def _save(answer: httpx.Response, path: Path, hold: Hold) -> None:
    taken = 0
    with path.open("wb") as out:
        for chunk in answer.iter_bytes(_CHUNK):
            taken += len(chunk)
            if taken > limits.FILE_BYTES:
                raise too_large("too_large", taken, limits.FILE_BYTES)
            out.write(chunk)
            hold.keep()
            if hold.left() <= 0:
                raise Problem("time", limit=limits.SECONDS)


def _refuse_login_page(path: Path, told: Mapping[str, Any]) -> None:
    """Somebody may send a login page on purpose: that one has the size that Slack says."""
    with path.open("rb") as file:
        looks_so = _LOGIN.match(file.read(20_000)) is not None
    if looks_so and path.stat().st_size != told.get("size"):
        raise Problem("scope")
