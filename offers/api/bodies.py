"""Request bodies, read in full or refused: bounded on the wire and after decompression, whatever the client claims."""

import zlib

from fastapi import Request
from starlette.requests import ClientDisconnect

from offers.api.incoming import Incoming
from streams.errors import InvalidInput

MAX_EVENTS_BYTES = 1 << 20
"""Of a body of events or outcomes, before and after decompression."""
MAX_DECISION_BYTES = 64 << 10
GZIP = frozenset({"gzip", "x-gzip"})
FORM = "application/x-www-form-urlencoded"
"""What curl says of --data unless it is told otherwise."""
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def read_body(request: Request | Incoming, limit: int) -> bytes:
    """The body, decompressed, of at most `limit` bytes; reading stops where the limit is passed.

    Raises InvalidInput MEDIA_TYPE, CONTENT_ENCODING, BODY_TOO_LARGE, BODY_ENCODING or BODY_TRUNCATED.
    """
    _check_media_type(request.headers.get("content-type", ""))
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity") and encoding not in GZIP:
        raise InvalidInput("CONTENT_ENCODING", f"Content-Encoding is {encoding[:60]!r}; send gzip or none")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise _too_large(limit)
    inflater = _Inflater(limit) if encoding in GZIP else None
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            parts.append(inflater.take(chunk) if inflater else chunk)
    except ClientDisconnect as error:
        raise InvalidInput("BODY_TRUNCATED", "the connection ended before the body did; send it again") from error
    if inflater:
        inflater.finish()
    return b"".join(parts)


def _check_media_type(header: str) -> None:
    """JSON in any dialect (application/cloudevents+json, ...), in UTF-8; a client may leave it unsaid."""
    media, _, parameters = header.lower().partition(";")
    kind = media.strip()
    is_json = kind in ("", "application/json") or (kind.startswith("application/") and kind.endswith("+json"))
    charset = parameters.replace(" ", "").replace('"', "")
    if not is_json or ("charset=" in charset and "charset=utf-8" not in charset):
        message = f"Content-Type is {header[:60]!r}; send 'application/json' in UTF-8"
        hint = "; with curl add -H 'Content-Type: application/json'" if kind == FORM else ""
        raise InvalidInput("MEDIA_TYPE", message + hint)


class _Inflater:
    """One gzip stream. A bomb is stopped one byte past the limit: no more than that is ever inflated."""

    def __init__(self, limit: int) -> None:
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._limit = limit
        self._left = limit

    def take(self, chunk: bytes) -> bytes:
        """What this chunk adds. Raises InvalidInput BODY_ENCODING or BODY_TOO_LARGE."""
        try:
            part = self._inflate.decompress(chunk, self._left + 1)
        except zlib.error as error:
            raise InvalidInput("BODY_ENCODING", f"the body is not gzip: {error}") from error
        self._left -= len(part)
        if self._left < 0:
            raise _too_large(self._limit)
        if self._inflate.unused_data:
            raise InvalidInput("BODY_ENCODING", "there are bytes after the end of the gzip stream; send one stream")
        return part

    def finish(self) -> None:
        """Raises InvalidInput BODY_ENCODING if the stream has not ended."""
        if not self._inflate.eof:
            raise InvalidInput("BODY_ENCODING", "the gzip stream ends too early; send it again, whole")


def _too_large(limit: int) -> InvalidInput:
    message = f"the body is larger than {limit >> 10} KiB, decompressed or not; send it in several requests"
    return InvalidInput("BODY_TOO_LARGE", message)
