"""The Slack stand-in: Web API, events over signed HTTP and Socket Mode, limits and faults, all in memory."""
