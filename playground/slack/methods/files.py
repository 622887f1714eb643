"""files.getUploadURLExternal, completeUploadExternal, info: https://docs.slack.dev/messaging/working-with-files"""

from typing import Any

from playground.slack import content, files, store
from playground.slack.call import Call
from playground.slack.errors import SlackError
from playground.slack.methods import find
from playground.slack.stand_in import Slack
from playground.slack.state import BOT_USER


def get_upload_url(slack: Slack, call: Call) -> dict[str, Any]:
    """Where to send the bytes of a file."""
    name = call.needed("filename")
    try:
        size = int(call.needed("length"))
    except ValueError as error:
        raise SlackError("invalid_arguments", ["`length` must be a number"]) from error
    if size <= 0:
        raise SlackError("invalid_arguments", ["`length` must be more than 0"])
    if size > files.LARGEST:
        raise SlackError("file_upload_size_restricted")
    file = files.begin(slack, BOT_USER, name, size)
    if alt := call.text("alt_txt"):
        file["alt_txt"] = alt[:1000]
    return {"upload_url": f"{slack.config.url}/files/upload/{file['id']}", "file_id": file["id"]}


def complete_upload(slack: Slack, call: Call) -> dict[str, Any]:
    """Finish an upload; with a channel, a message with the files appears there."""
    wanted = call.value("files")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(item, dict) for item in wanted):
        raise SlackError("invalid_arguments", ["missing required field: files"])
    uploaded = []
    for item in wanted:
        file = slack.workspace.files.get(str(item.get("id")))
        if file is None or file["id"] not in slack.workspace.contents or file["user"] != BOT_USER:
            raise SlackError("file_not_found")
        if item.get("title"):
            file["title"] = str(item["title"])
        uploaded.append(file)
    channels = [call.text("channel_id"), *(call.text("channels") or "").split(",")]
    for channel_id in dict.fromkeys(name for name in channels if name):
        _share(slack, call, channel_id, uploaded)
    return {"files": [dict(file) for file in uploaded]}


def info(slack: Slack, call: Call) -> dict[str, Any]:
    """One file that the bot can see."""
    file = slack.workspace.files.get(call.needed("file"))
    if file is None or not files.visible(slack, file):
        raise SlackError("file_not_found")
    return {"file": dict(file), "comments": [], "response_metadata": {"next_cursor": ""}}


def _share(slack: Slack, call: Call, channel_id: str, uploaded: list[dict[str, Any]]) -> None:
    channel = find.joined(slack, Call(call.method, {"channel": channel_id}))
    if channel.is_archived:
        raise SlackError("is_archived")
    fields: dict[str, Any] = {"text": call.text("initial_comment") or ""}
    if call.args.get("blocks"):
        fields, _ = content.read(call)
    thread_ts = find.thread(channel, call.text("thread_ts"))
    message = store.from_bot(slack, **fields, thread_ts=thread_ts, subtype="file_share", upload=True)
    message["files"] = [dict(file) for file in uploaded]
    files.share(slack, channel, uploaded, message["ts"], thread_ts)
    store.post(slack, channel, message)
