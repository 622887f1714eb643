"""The order of the test run (tests.order): the shared stacks come first, and each in one process."""

from types import SimpleNamespace

from tests import order

FIRST, SECOND = order.PAIRS
COLLECTED = [
    "tests/unit/test_b.py::test_one",
    "tests/unit/test_b.py::test_two",
    f"tests/acceptance/test_c.py::test_one[{SECOND}]",
    f"tests/acceptance/test_c.py::test_one[{FIRST}]",
    "tests/acceptance/test_c.py::test_alone",
    f"tests/acceptance/test_d.py::test_one[{FIRST}]",
    f"tests/acceptance/test_d.py::test_one[{SECOND}]",
]


class Node:
    """A process of a test run, which writes down what it is to run."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.given: list[list[int]] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given.append(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


def given(collected: list[str], processes: int) -> list[list[str]]:
    """What each process runs first, in a test run as the Makefile starts it."""
    config = SimpleNamespace(
        getvalue=lambda _name: ["popen"] * processes, option=SimpleNamespace(loadscopereorder=False)
    )
    scheduler = order.ByStack(config)
    nodes = [Node(f"gw{number}") for number in range(processes)]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, collected)
    scheduler.schedule()
    return [[collected[index] for index in node.given[0]] for node in nodes]


def test_shared_stacks_come_first_and_all_else_stays_as_it_was():
    came = sorted(COLLECTED, key=order.place)
    assert [order.pair(nodeid) for nodeid in came] == [FIRST, FIRST, SECOND, SECOND, None, None, None]
    assert came[4:] == [nodeid for nodeid in COLLECTED if order.pair(nodeid) is None]


def test_all_tests_on_a_shared_stack_go_to_one_process_and_the_others_file_by_file():
    came = sorted(COLLECTED, key=order.place)
    assert given(came, processes=4) == [
        [nodeid for nodeid in COLLECTED if FIRST in nodeid],
        [nodeid for nodeid in COLLECTED if SECOND in nodeid],
        COLLECTED[:2],
        ["tests/acceptance/test_c.py::test_alone"],
    ]
