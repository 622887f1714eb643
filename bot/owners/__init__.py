"""The owners' control: the same orders in Slack (`/analyze admin ...`) and at a terminal (`python -m bot admin ...`)."""
