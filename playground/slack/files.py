"""Files: the objects, their bytes, and who may read them. https://docs.slack.dev/reference/objects/file-object"""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from playground.slack import door, text
from playground.slack.state import BOT_USER, TEAM, Channel

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from playground.slack.stand_in import Slack

# Slack allows 1 GB; everything here is in memory.
LARGEST = 200_000_000
# The cookie of a browser that opened the page.
SIGNED_IN = "playground_person=1"
# What Slack answers to a download without the right token: status 200 and a page, not an error.
LOGIN_PAGE = (
    b'<!DOCTYPE html><html lang="en-US"><head><title>Sign in | Slack</title></head>'
    b'<body><form id="signin_form" action="/signin">Sign in to Playground</form></body></html>'
)
# Slack's own names for types where the ending is not the name.
_MIMETYPE = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,100}")
_TYPES = {"md": "markdown", "txt": "text", "py": "python", "jpeg": "jpg", "htm": "html", "js": "javascript"}


def begin(slack: Slack, user: str, name: str, size: int, mimetype: str | None = None) -> dict[str, Any]:
    """A file object whose bytes are still to come."""
    workspace = slack.workspace
    name = PurePosixPath(text.clean(name).replace("\\", "/")).name[:255] or "file"
    ending = PurePosixPath(name).suffix[1:].lower()
    file_id = workspace.new_id("F")
    link = f"{slack.config.url}/files/{TEAM}-{file_id}/{quote(name)}"
    now = int(workspace.clock())
    file: dict[str, Any] = {"id": file_id, "created": now, "timestamp": now, "name": name, "title": name}
    # What a browser claims goes into a header of the download, so only a well-formed type is believed.
    claimed = mimetype if mimetype and _MIMETYPE.fullmatch(mimetype) else None
    file["mimetype"] = claimed or mimetypes.guess_type(name)[0] or "application/octet-stream"
    file |= {"filetype": _TYPES.get(ending, ending or "binary"), "pretty_type": ending.upper() or "Binary"}
    file |= {"user": user, "user_team": TEAM, "editable": False, "size": size, "mode": "hosted"}
    file |= {"is_external": False, "external_type": "", "is_public": False, "public_url_shared": False}
    file |= {"display_as_bot": False, "username": "", "url_private": link, "url_private_download": link}
    file |= {"permalink": link, "has_rich_preview": False, "file_access": "visible"}
    file |= {"channels": [], "groups": [], "ims": [], "shares": {}}
    workspace.files[file_id] = file
    return file


def fill(slack: Slack, file: dict[str, Any], body: bytes) -> None:
    """Store a file's bytes."""
    file["size"] = len(body)
    slack.workspace.contents[file["id"]] = body
    slack.bus.publish("file", {"file": dict(file)})


def share(
    slack: Slack, channel: Channel, shared: list[dict[str, Any]], ts: str, thread_ts: str | None
) -> None:
    """Note where files were shown."""
    place = {"channel": "channels", "group": "groups", "im": "ims"}[channel.kind]
    for file in shared:
        if channel.id not in file[place]:
            file[place].append(channel.id)
        file["is_public"] = file["is_public"] or channel.kind == "channel"
        entry = {"ts": ts, **({"thread_ts": thread_ts} if thread_ts else {})}
        kind = "public" if channel.kind == "channel" else "private"
        file["shares"].setdefault(kind, {}).setdefault(channel.id, []).append(entry)


def visible(slack: Slack, file: dict[str, Any]) -> bool:
    """Whether the bot may read a file: its own, a public one, one shared where the bot is, or put into its form."""
    places = [*file["channels"], *file["groups"], *file["ims"]]
    channels = slack.workspace.channels
    inside = any(place in channels and BOT_USER in channels[place].members for place in places)
    handed = file["id"] in slack.workspace.handed
    return file["user"] == BOT_USER or file["is_public"] or inside or handed


class Download:
    """`/files/<team>-<file>/<name>`: a file's bytes for the bot's token or for a browser that is signed in.

    Everybody else gets a login page. The playground's page signs its browser in with a cookie, as Slack does.
    """

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one download."""
        slack = self._slack
        headers = dict(scope["headers"])
        token = headers.get(b"authorization", b"").decode("latin-1")
        person = SIGNED_IN in headers.get(b"cookie", b"").decode("latin-1").split("; ")
        file_id = scope["path_params"]["key"].partition("-")[2]
        await door.read(receive, 1_000_000)

        def work() -> tuple[door.Reply, dict[str, Any]]:
            file = slack.workspace.files.get(file_id)
            allowed = token == f"Bearer {slack.config.bot_token}" and "files:read" in slack.manifest.scopes
            if not allowed and not person:
                return door.Reply(LOGIN_PAGE, 200, "text/html; charset=utf-8"), {
                    "ok": False,
                    "error": "login_page",
                }
            body = slack.workspace.contents.get(file_id)
            if file is None or body is None or not (person or visible(slack, file)):
                return door.Reply(b"Not found", 404, "text/html"), {"ok": False, "error": "file_not_found"}
            # Bytes that people upload must not run as a page of this origin.
            named = f"attachment; filename*=UTF-8''{quote(file['name'])}"
            safe = {"content-disposition": named, "x-content-type-options": "nosniff"}
            return door.Reply(body, 200, file["mimetype"], safe), {"ok": True}

        await door.through(slack, (scope, receive, send), "files.download", {"file": file_id}, work)


class Upload:
    """`/files/upload/<file>`: takes the bytes, raw or as a form's first file."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one upload."""
        slack = self._slack
        file_id = scope["path_params"]["key"]
        try:
            body = await door.read(receive, LARGEST)
        except door.TooLarge:
            await door.send_reply(send, door.Reply(b"Too large", 413, "text/plain"))
            return
        content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")

        def work() -> tuple[door.Reply, dict[str, Any]]:
            file = slack.workspace.files.get(file_id)
            if file is None or scope["method"] != "POST":
                return door.Reply(b"Not found", 404, "text/plain"), {"ok": False, "error": "file_not_found"}
            if file_id in slack.workspace.contents:
                return door.Reply(b"Already uploaded", 409, "text/plain"), {"ok": False, "error": "uploaded"}
            fill(slack, file, _first_part(content_type, body))
            return door.Reply(f"OK - {file['size']}".encode(), 200, "text/plain"), {"ok": True}

        await door.through(slack, (scope, receive, send), "files.upload", {"file": file_id}, work)


def _first_part(content_type: str, body: bytes) -> bytes:
    """The bytes of the first part of a multipart form, or the body itself."""
    marker = content_type.partition("boundary=")[2].strip('"').encode()
    if not content_type.startswith("multipart/form-data") or not marker:
        return body
    part = body.partition(b"--" + marker + b"\r\n")[2].partition(b"\r\n--" + marker)[0]
    return part.partition(b"\r\n\r\n")[2]
