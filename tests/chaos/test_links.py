"""The links between the parts do to a connection what they say."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests import services
from tests.chaos.links import Network


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(10)
        yield made


@contextlib.contextmanager
def _connected(network: Network, listener: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    port = network.add("link", listener.getsockname()[:2]).port
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        server, _ = listener.accept()
        with server:
            server.settimeout(10)
            client.sendall(b"hello")
            assert server.recv(100) == b"hello"
            yield client, server


def test_a_held_link_keeps_bytes_and_their_order(network, listener):
    """Nothing comes through; after the heal, everything does."""
    with _connected(network, listener) as (client, server):
        network.fault("link", "hold")
        services.wait_for(lambda: network.links["link"].held)
        client.sendall(b"one ")
        server.settimeout(0.3)
        with pytest.raises(TimeoutError):
            server.recv(100)
        server.settimeout(10)
        client.sendall(b"two")
        network.heal("link")
        heard = b""
        while len(heard) < 7:
            heard += server.recv(100)
        assert heard == b"one two"


def test_a_held_link_passes_the_end_on(network, listener):
    """The model server sees that its client is gone, whatever else is held back."""
    with _connected(network, listener) as (client, server):
        network.fault("link", "hold")
        services.wait_for(lambda: network.links["link"].held)
        client.close()
        assert server.recv(100) == b""


@pytest.mark.parametrize("how", ["cut", "refuse"])
def test_a_cut_ends_both_sides(network, listener, how):
    """With a reset, as when a machine on the way lost its memory."""
    with _connected(network, listener) as (client, server):
        network.fault("link", how)
        for side in (client, server):
            with contextlib.suppress(ConnectionResetError):
                assert side.recv(100) == b""


def test_a_half_closed_link_still_carries_the_other_way(network, listener):
    """The client hears the end and nothing after it, and what it says arrives."""
    with _connected(network, listener) as (client, server):
        network.fault("link", "half_close")
        assert client.recv(100) == b""
        for _ in range(10):
            server.sendall(b"unheard")
            client.sendall(b"still here")
            assert server.recv(100) == b"still here"
        assert client.recv(100) == b""


def test_a_connection_goes_to_whoever_takes_it(network, listener):
    """Of two addresses one is dead: as a load balancer, the link finds the other, each time."""
    port = network.add("pair", ("127.0.0.1", services.free_port()), listener.getsockname()[:2]).port
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"hello")
            server, _ = listener.accept()
            with server:
                server.settimeout(10)
                assert server.recv(100) == b"hello"
