"""TLS in front of a server that speaks none: the wheel's Valkey is built without it. One authority a test."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
        server = portal.call(_serve, port, own_port, context)
        try:
            yield TlsProxy(server.sockets[0].getsockname()[1], ca, cert, key)
        finally:
            portal.call(_end, server)


async def _serve(port: int, own_port: int, context: ssl.SSLContext) -> asyncio.Server:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    return await asyncio.start_server(meet, "127.0.0.1", own_port, ssl=context)


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and "meet" in repr(task)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()
