"""The one error tree of Offing. A kind says what the caller does next; HTTP statuses live in offers/api only.

OffingError
├── Fix              the caller must change what it sent; sending it again as it is cannot help
│   ├── InvalidInput     a value, an event, a file or a request that is not what it should be
│   ├── NotAllowed       understood, but not with these credentials
│   │   └── NotAuthenticated    no credentials, or none that are ours
│   └── NotFound         no such thing
├── Retry            nothing was lost or half done; the same call may succeed later
│   └── NotYet           the thing exists but has not arrived where it is read
├── Skip             this one record cannot be used; the rest goes on (dead letters)
└── Stop             going on would lose or corrupt data; the process ends and says the mend
    ├── LogRestarted     a watermark lies beyond the end of the log
    └── DeadLetterLimit  too much of the stream is bad: likely a bad deploy, not bad events
"""


class OffingError(Exception):
    """Base of every error raised on purpose. `code` is stable and machine-read; the message is for a person."""

    retryable = False

    def __init__(self, code: str, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.after_s = after_s
        """For retryable errors: how long to wait, in seconds."""


class Fix(OffingError):
    """The caller must change what it sent."""


class InvalidInput(Fix):
    """Not what it should be; the message has the value found and what was expected."""


class NotAllowed(Fix):
    """Understood, but not with these credentials."""


class NotAuthenticated(NotAllowed):
    """No credentials, or none that are ours."""


class NotFound(Fix):
    """No such thing."""


class Retry(OffingError):
    """Nothing was half done; the same call may succeed later."""

    retryable = True


class NotYet(Retry):
    """It exists but has not arrived where it is read."""


class Skip(OffingError):
    """This one record cannot be used; it goes to the dead letters with its address."""


class Stop(OffingError):
    """Going on would lose or corrupt data."""


class LogRestarted(Stop):
    """A watermark lies beyond the end of the log: the log was replaced or emptied under the profiles."""


class DeadLetterLimit(Stop):
    """More dead letters than allowed in a row: likely a bad deploy, so the consumer stops instead of skipping all."""
