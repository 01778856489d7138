"""Connections to Kafka that are closed when they are given up.

kafka-python 3.0.12 leaves those to the garbage collector, in a cycle: in a process that collects seldom, an hour
without brokers would use up every descriptor.
"""

from selectors import DefaultSelector, SelectorKey
from socket import socket
from typing import Any
from weakref import WeakSet

from kafka.net.inet import KafkaNetSocket


class Direct(KafkaNetSocket):  # type: ignore[misc]  # kafka-python has no types
    """A connection without a proxy that is closed if it cannot be made."""

    SCHEMES = ("direct",)

    async def sock_connect(self, net: Any, sock: socket, *more: Any, **and_more: Any) -> socket:
        try:
            connected: socket = await super().sock_connect(net, sock, *more, **and_more)
        except BaseException:  # also a client closed meanwhile, whose coroutine is dropped with a GeneratorExit
            sock.close()
            raise
        return connected


DIRECT = f"{Direct.SCHEMES[0]}://"


class Selector(DefaultSelector):
    """A client's loop closes it last of all: whatever this client waited for and nobody closed ends with it.

    That is a connection whose TLS handshake was under way, and one that still had to send something.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sockets: WeakSet[socket] = WeakSet()

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        self._sockets.add(fileobj)
        return super().register(fileobj, events, data)

    def close(self) -> None:
        super().close()
        for each in list(self._sockets):
            each.close()
