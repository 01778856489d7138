"""TLS in front of a server that speaks none: the wheel's Valkey is built without it. One authority a test."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import trustme
from anyio.from_thread import start_blocking_portal


@dataclass(frozen=True)
class TlsProxy:
    """Listens with TLS on 127.0.0.1, asks for a client's certificate, and passes everything on."""

    port: int
    ca: Path
    cert: Path
    key: Path


@contextmanager
def tls_in_front_of(port: int, folder: Path, own_port: int = 0) -> Iterator[TlsProxy]:
    """For as long as the block runs; `own_port` 0 takes a free one."""
    authority = trustme.CA()
    ca, cert, key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    authority.cert_pem.write_to_path(str(ca))
    client = authority.issue_cert("offing")
    client.cert_chain_pems[0].write_to_path(str(cert))
    client.private_key_pem.write_to_path(str(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with start_blocking_portal() as portal:
        ends = _Ends(port, context)
        server = portal.call(asyncio.start_server, ends.meet, "127.0.0.1", own_port)
        try:
            yield TlsProxy(server.sockets[0].getsockname()[1], ca, cert, key)
        finally:
            portal.call(ends.close, server)


@dataclass
class _Ends:
    """Every connection of the proxy, known from its first moment: nothing is left open when its loop is closed."""

    port: int
    context: ssl.SSLContext
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: "list[asyncio.Task[None]]" = field(default_factory=list)

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.tasks.append(asyncio.get_running_loop().create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # of TLS too: whoever has no certificate
            await writer.start_tls(self.context)
            inner_reader, inner = await asyncio.open_connection("127.0.0.1", self.port)
            self.writers.append(inner)
            await asyncio.gather(_pass_on(reader, inner), _pass_on(inner_reader, writer))
        writer.close()

    async def close(self, server: asyncio.Server) -> None:
        server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
