"""Which tests run one after the other in one process, and which begin."""

from xdist.scheduler import LoadFileScheduling

# Database, broker and transport of the two stacks that tests of acceptance share.
PAIRS = ("sqlite-valkey-http", "postgresql-rabbitmq-socket")


def pair(nodeid: str) -> str | None:
    """The shared stack that a test runs on, if it does."""
    return next((each for each in PAIRS if each in nodeid), None)


def place(nodeid: str) -> int:
    """Shared stacks first: they take longest."""
    found = pair(nodeid)
    return PAIRS.index(found) if found else len(PAIRS)


class ByStack(LoadFileScheduling):
    """All tests on a shared stack go to one process, so that it starts once; all others go there file by file."""

    def _split_scope(self, nodeid: str) -> str:
        return pair(nodeid) or str(super()._split_scope(nodeid))
