"""Whether the server lives and can serve; the only routes without a token."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from phasegate.engine.web.models import Health
from phasegate.engine.web.problems import Problem, problem_of
from phasegate.engine.web.service import Service

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process lives."""
    return Health(status="ok")


@router.get(
    "/readyz", response_model=Health, responses={503: {"model": Problem, "description": "Not available"}}
)
def readyz(request: Request) -> Health | Response:
    """The ledger can be read, and the server is not about to stop."""
    service: Service = request.app.state.service
    try:
        service.engine.store.head()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
        told = problem_of(error)
        told.status_code = 503
        return told
    if service.stopping.is_set():
        return Response(status_code=503)
    return Health(status="ready")
