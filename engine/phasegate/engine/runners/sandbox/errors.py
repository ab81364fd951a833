"""Errors of the sandbox package; everything it raises on purpose is a `SandboxError`."""

from __future__ import annotations


class SandboxError(Exception):
    """Root of the errors this package raises."""


class SandboxUnavailableError(SandboxError):
    """This machine cannot give the isolation that was asked for; the message names what is missing."""


class SandboxUsageError(SandboxError):
    """The caller asked for something that makes no sense, such as two runs of one pool at once."""


class WorkerError(SandboxError):
    """A worker did not start or broke its protocol; a fault of the machine or of this package."""


class ChannelClosedError(SandboxError):
    """The other end of a channel is gone."""


class MalformedError(SandboxError):
    """Received bytes are not what the protocol allows."""


class TooLargeError(SandboxError):
    """A message would pass, or does pass, the limit on its size."""


class UnsupportedError(SandboxError):
    """A value of the trusted half has no encoding.

    Attributes:
        kind: the type that has none.
    """

    def __init__(self, kind: type) -> None:
        super().__init__(f"a value of type `{kind.__name__}` cannot be passed to a solution")
        self.kind = kind
