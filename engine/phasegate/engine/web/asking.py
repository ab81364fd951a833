"""What routes take from a request beside its path and body, and how they tell of refusals."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from phasegate.engine.app.access.tokens import Grant
from phasegate.engine.app.engine import Engine
from phasegate.engine.app.results import Result
from phasegate.engine.core.errors import BadInput
from phasegate.engine.web.models import Done
from phasegate.engine.web.offering import KEY_CHARS_MAX
from phasegate.engine.web.orders import PHASE_PATTERN, TASK_PATTERN, Content
from phasegate.engine.web.problems import Declined
from phasegate.engine.web.service import Service
from phasegate.ledger.leases import LEASE_EPOCH_MAX

PAGE_MAX = 1_000
SEQ_MAX = 2**53 - 1

TaskPath = Annotated[str, Path(pattern=TASK_PATTERN, description="Task id, such as `IMP-27`.")]
TaskQuery = Annotated[str | None, Query(pattern=TASK_PATTERN, description="Only this task's.")]
PhaseQuery = Annotated[str | None, Query(pattern=PHASE_PATTERN)]
LimitQuery = Annotated[int, Query(ge=1, le=PAGE_MAX)]
SinceQuery = Annotated[int, Query(ge=0, le=SEQ_MAX, description="Only entries after this one.")]

_Lease = Annotated[
    int | None,
    Header(
        alias="Phasegate-Lease", ge=1, le=LEASE_EPOCH_MAX, description="Epoch of the lease it is done under."
    ),
]
_Label = Annotated[
    str,
    Header(
        alias="Phasegate-Label",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
        description="Keeps several workers of one actor apart.",
    ),
]
_IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        pattern=r'^(\*|"[0-9]{1,15}")$',
        description="The task's ETag; if the task has moved on, nothing is done (412).",
    ),
]
_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_CHARS_MAX,
        pattern=r"^[ -~]+$",
        description="The same request with the same key is done once, and answered alike, for 24 hours.",
    ),
]


async def service_of(request: Request) -> Service:
    """The server's service."""
    service: Service = request.app.state.service
    return service


async def grant_of(request: Request) -> Grant:
    """Whose token it is."""
    grant: Grant = request.state.grant
    return grant


async def _acting(request: Request, lease: _Lease = None, label: _Label = "") -> Engine:
    service = await service_of(request)
    return service.engine.acting(await grant_of(request), lease=lease, label=label)


async def _writing(request: Request, lease: _Lease = None, label: _Label = "", key: _Key = None) -> Engine:  # noqa: ARG001 - the key is read before
    return await _acting(request, lease, label)


async def _versioned(
    request: Request,
    lease: _Lease = None,
    label: _Label = "",
    if_match: _IfMatch = None,
    key: _Key = None,  # noqa: ARG001 - read before
) -> Engine:
    only_at = None if if_match in {None, "*"} else int(str(if_match).strip('"'))
    service = await service_of(request)
    return service.engine.acting(await grant_of(request), lease=lease, label=label, only_at=only_at)


TheService = Annotated[Service, Depends(service_of)]
TheGrant = Annotated[Grant, Depends(grant_of)]
Reading = Annotated[Engine, Depends(_acting)]
Writing = Annotated[Engine, Depends(_writing)]
Versioned = Annotated[Engine, Depends(_versioned)]


def done(result: Result) -> Done:
    """The outcome of a command that took effect.

    Raises:
        Declined: it was refused.
    """
    if result.violation is not None:
        raise Declined(result)
    return Done.of(result)


def content_of(name: str, content: Content) -> bytes:
    """The bytes of a document.

    Raises:
        BadInput: there are none, or two of them, or they are no base64.
    """
    if (content.text is None) == (content.base64 is None):
        raise BadInput(f"`{name}` has not exactly one content", "give `text` or `base64`")
    try:
        if content.text is not None:
            return content.text.encode()
        return base64.b64decode(content.base64 or "", validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"`{name}` is no base64, or no UTF-8", "encode its bytes as base64") from None


def contents_of(documents: Mapping[str, Content]) -> dict[str, bytes]:
    """The bytes of documents by name, as `content_of`."""
    return {name: content_of(name, content) for name, content in documents.items()}
