"""Which scope each Web API method needs. Source: the "Required scopes" of each method's reference page.

Where several are named, any one of them will do (which one Slack asks for depends on the kind of channel).
"""

_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
_OPEN = ("im:write", "mpim:write", "channels:manage", "groups:write")

REQUIRED: dict[str, tuple[str, ...]] = {
    "agents.sessions.setStatus": ("assistant:write",),
    # Slack's changelog of 2026-03-05: chat:write is enough to set a thread's status.
    "assistant.threads.setStatus": ("chat:write", "assistant:write"),
    "chat.appendStream": ("chat:write",),
    "chat.delete": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.postMessage": ("chat:write",),
    "chat.startStream": ("chat:write",),
    "chat.stopStream": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": _HISTORY,
    "conversations.info": _READ,
    "conversations.join": ("channels:join",),
    "conversations.list": _READ,
    "conversations.members": _READ,
    "conversations.open": _OPEN,
    "conversations.replies": _HISTORY,
    "files.completeUploadExternal": ("files:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.info": ("files:read",),
    "reactions.add": ("reactions:write",),
    "reactions.remove": ("reactions:write",),
    "team.info": ("team:read",),
    "usergroups.users.list": ("usergroups:read",),
    "users.conversations": _READ,
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "bots.info": ("users:read",),
}
# chat:write.public lets a bot post in public channels it is not in.
ALL = frozenset(
    {scope for any_of in REQUIRED.values() for scope in any_of}
    | {"app_mentions:read", "commands", "chat:write.public", "connections:write"}
)
# The scope that history and listing need in each kind of channel.
HISTORY = {"channel": "channels:history", "group": "groups:history", "im": "im:history"}
READ = {"channel": "channels:read", "group": "groups:read", "im": "im:read"}


def missing(method: str, granted: frozenset[str]) -> str | None:
    """The scope that this method lacks, or None when it may go on."""
    needed = REQUIRED.get(method)
    if needed is None or any(scope in granted for scope in needed):
        return None
    return ",".join(needed)
