"""A connection to Kafka that is given up is closed there and then, whatever it was waiting for."""

import gc
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.inet import KafkaNetSocket
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from streams.kafka_address import KafkaAddress
from streams.kafka_client import made, options
from streams.kafka_sockets import DIRECT, Selector
from tests.log_makers import PATIENCE_S


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is closed by the garbage collector meanwhile."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def assert_left(far: socket.socket) -> None:
    """Whoever was at the other end has gone, whatever was said before."""
    with far:
        far.settimeout(PATIENCE_S)
        while far.recv(1 << 16):
            pass


@pytest.mark.usefixtures("uncollected")
def test_one_that_is_dropped_while_it_is_made(silent: socket.socket) -> None:
    sock = socket.socket()
    sock.setblocking(False)
    with closing(NetworkSelector(selector=Selector)) as net:
        making = KafkaNetSocket(DIRECT).sock_connect(net, sock, silent.getsockname())
        making.send(None)
        assert sock.fileno() > 0, "it waits"
        making.close()
    assert sock.fileno() == -1


@pytest.mark.usefixtures("uncollected")
def test_one_whose_server_says_nothing(silent: socket.socket) -> None:
    address = KafkaAddress((f"127.0.0.1:{silent.getsockname()[1]}",), answer_s=0.2)
    with pytest.raises(KafkaError):
        made(KafkaAdminClient, **options(address, "offing-test"))
    assert_left(silent.accept()[0])


@pytest.mark.usefixtures("uncollected")
def test_one_that_still_had_to_send_something_when_its_client_ended() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    net = NetworkSelector(selector=Selector)
    transport = KafkaTCPTransport(net, near)
    transport.write(b"last words")
    net.drain()
    transport.close()
    net.close()
    assert_left(far)


@pytest.mark.usefixtures("uncollected")
def test_one_that_shook_hands_when_its_client_ended() -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    net = NetworkSelector(selector=Selector)
    transport = KafkaSSLTransport(net, near, host="localhost")
    net.call_soon(transport.handshake)
    net.drain()
    net.close()
    assert_left(far)
