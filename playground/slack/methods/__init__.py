"""The Web API methods, a module for each noun. Each takes (slack, call) and returns the fields beside `ok`."""

from collections.abc import Callable
from typing import Any

from playground.slack.call import Call
from playground.slack.methods import (
    apps,
    assistant,
    chat,
    conversations,
    files,
    reactions,
    streaming,
    usergroups,
    users,
    views,
)
from playground.slack.stand_in import Slack

Method = Callable[[Slack, Call], dict[str, Any]]

METHODS: dict[str, Method] = {
    "api.test": apps.test,
    "apps.connections.open": apps.connections_open,
    "auth.test": apps.auth_test,
    "bots.info": apps.bots_info,
    "team.info": apps.team_info,
    "assistant.threads.setStatus": assistant.threads_set_status,
    "agents.sessions.setStatus": assistant.sessions_set_status,
    "chat.delete": chat.delete,
    "chat.getPermalink": chat.get_permalink,
    "chat.postEphemeral": chat.post_ephemeral,
    "chat.postMessage": chat.post_message,
    "chat.update": chat.update,
    "chat.startStream": streaming.start,
    "chat.appendStream": streaming.append,
    "chat.stopStream": streaming.stop,
    "conversations.history": conversations.history,
    "conversations.info": conversations.info,
    "conversations.join": conversations.join,
    "conversations.list": conversations.list_all,
    "conversations.members": conversations.members,
    "conversations.open": conversations.open_dm,
    "conversations.replies": conversations.replies,
    "files.completeUploadExternal": files.complete_upload,
    "files.getUploadURLExternal": files.get_upload_url,
    "files.info": files.info,
    "reactions.add": reactions.add,
    "reactions.remove": reactions.remove,
    "usergroups.users.list": usergroups.users_list,
    "users.conversations": conversations.of_user,
    "users.info": users.info,
    "users.list": users.list_all,
    "views.open": views.open_modal,
    "views.publish": views.publish,
    "views.push": views.push,
    "views.update": views.update,
}
