"""How a route is offered: who may ask, what it can answer, and what every request goes through first.

A request is let in by its token, its role and its rate; its body is read within bounds; one that carries an
idempotency key is done once; an answer to a question carries an ETag; every error is a problem.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, Final, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from phasegate.engine.app.access.roles import Action, demand
from phasegate.engine.app.access.tokens import Grant, TokenRefused
from phasegate.engine.web.body import read_body
from phasegate.engine.web.idempotency import Answer, request_digest
from phasegate.engine.web.problems import TITLES, Problem, Refusal, problem_of
from phasegate.engine.web.service import Service, Turn

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Awaitable[Response]]

ACTION: Final = "x-action"
KEY_HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEY_CHARS_MAX: Final = 255
QUESTION: Final = "GET"
TOLD_APART_BY: Final = ("phasegate-lease", "phasegate-label", "if-match")
"""Headers that change what a request asks for."""
ALWAYS: Final = (400, 401, 403, 408, 413, 422, 429, 500, 503, 504)
NOTHING_DONE: Final = frozenset({400, 404, 412, 422})
"""Answers to requests that left nothing behind: their key may be used again."""


def offer(
    router: APIRouter,
    method: str,
    path: str,
    action: Action,
    *,
    statuses: Iterable[int] = (),
    slow: bool = False,
    status: int = 200,
    **more: Any,
) -> Callable[[Endpoint], Endpoint]:
    """Offer a route.

    Args:
        router: where.
        method: its method.
        path: its path.
        action: what a token must be allowed.
        statuses: what it can answer beside `ALWAYS` and its own.
        slow: whether it may take as long as a witnessed command.
        status: what it answers when all is well.
        more: further arguments of FastAPI's route.
    """
    known = sorted({*ALWAYS, *statuses})
    responses: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem, "description": TITLES[code]} for code in known
    }
    if method == QUESTION:
        responses[304] = {"description": "As the ETag says, nothing has changed"}
    responses.update(more.pop("responses", {}))
    extra = {ACTION: str(action), "x-slow": slow}
    made: Callable[[Endpoint], Endpoint] = router.api_route(
        path, methods=[method], status_code=status, responses=responses, openapi_extra=extra, **more
    )
    return made


class Guarded(APIRoute):
    """A route whose requests are let in one by one."""

    def get_route_handler(self) -> Any:
        """What is called for a request."""
        handler = super().get_route_handler()
        extra = self.openapi_extra or {}
        action, slow = Action(extra[ACTION]), bool(extra["x-slow"])
        known = {param.alias for param in self.dependant.query_params}

        async def guarded(request: Request) -> Response:
            service: Service = request.app.state.service
            try:
                grant = await _let_in(service, request, action)
                request.state.grant = grant
                _demand_known(request, known)
                await read_body(service, request)
                response = await _in_time(service, request, grant, handler, slow=slow)
            except Exception as error:  # noqa: BLE001 - every error is a problem
                return answer_to(service, error)
            return _tagged(request, response) if request.method == QUESTION else response

        return guarded


def answer_to(service: Service, error: Exception) -> Response:
    """The problem that an error is; what is our own bug is logged."""
    response = problem_of(error)
    if response.status_code == 500:  # noqa: PLR2004
        service.tell_bug(error)
    return response


# -- letting in -------------------------------------------------------------------------------------------


async def _let_in(service: Service, request: Request, action: Action) -> Grant:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        _slow_down(service.refused.wait_s(_address(request)))
        raise Refusal(
            401,
            "token_missing",
            "the request carries no bearer token",
            "send `Authorization: Bearer TOKEN`; an operator makes one with `engine token create`",
            {"WWW-Authenticate": "Bearer"},
        )
    try:
        grant = await run_in_threadpool(service.grant, token.strip())
    except TokenRefused:
        _slow_down(service.refused.wait_s(_address(request)))
        raise
    _slow_down(service.limiter.wait_s(grant.id))
    demand(grant.role, action)
    return grant


def _slow_down(wait_s: int) -> None:
    if wait_s:
        raise Refusal(
            429,
            "too_many_requests",
            "there were too many requests",
            f"try again in {wait_s} s",
            {"Retry-After": str(wait_s)},
        )


def _address(request: Request) -> str:
    return request.client.host if request.client else "local"


def _demand_known(request: Request, known: Collection[str]) -> None:
    """Refuse a parameter that would be passed over: a misspelt one asks for something else."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        text = f"there is no parameter {', '.join(ascii(name[:40]) for name in unknown[:5])} here"
        raise Refusal(422, "schema", text, f"there are: {', '.join(sorted(known)) or 'none'}")


# -- doing ------------------------------------------------------------------------------------------------


async def _in_time(
    service: Service, request: Request, grant: Grant, handler: Handler, *, slow: bool
) -> Response:
    """The answer, if it comes in time; what was begun goes on without its caller, and keeps its answer."""
    task = asyncio.create_task(_done(service, request, grant, handler))
    service.under_way.add(task)
    task.add_done_callback(service.under_way.discard)
    limit_s = service.settings.witness_timeout_s if slow else service.settings.timeout_s
    ready, _ = await asyncio.wait({task}, timeout=limit_s)
    if not ready:
        text = f"it takes longer than {limit_s:g} s, and goes on"
        remedy = f"ask again with the same `{KEY_HEADER}`, or look at the task"
        raise Refusal(504, "too_slow", text, remedy)
    return task.result()


async def _done(service: Service, request: Request, grant: Grant, handler: Handler) -> Response:
    key = request.headers.get(KEY_HEADER.lower())
    if key is None or request.method == QUESTION:
        return await _handled(service, request, handler)
    if not (0 < len(key) <= KEY_CHARS_MAX and key.isascii() and key.isprintable()):
        text = f"the `{KEY_HEADER}` is empty, too long or has other than printable characters"
        raise Refusal(400, "bad_idempotency_key", text, "use a fresh UUID for each thing to be done")
    turn = service.turns.setdefault((grant.id, key), Turn())
    turn.waiting += 1
    try:
        async with turn.lock:
            return await _once(service, request, (grant.id, key), handler)
    finally:
        turn.waiting -= 1
        if not turn.waiting:
            service.turns.pop((grant.id, key), None)


async def _once(service: Service, request: Request, known_as: tuple[str, str], handler: Handler) -> Response:
    target = f"{request.url.path}?{request.url.query}"
    headers = {name: request.headers.get(name, "") for name in TOLD_APART_BY}
    digest = request_digest(request.method, target, headers, await request.body())
    begun = await run_in_threadpool(service.answers.begin, *known_as, digest, service.now_s())
    if not begun.same:
        text = f"the `{KEY_HEADER}` was used for another request"
        raise Refusal(422, "idempotency_key_reused", text, "use a fresh key for each thing to be done")
    if begun.answer is not None:
        return Response(begun.answer.body, begun.answer.status, {**begun.answer.headers, REPLAYED: "true"})
    if not begun.new:
        text = "a request with this key was cut off, and nobody can tell here whether it was done"
        raise Refusal(
            409, "outcome_unknown", text, "look at the task, then ask with a fresh key if it was not"
        )
    response = await _handled(service, request, handler)
    if response.status_code in NOTHING_DONE or response.headers.get("retry-after"):
        await run_in_threadpool(service.answers.forget, *known_as)
    elif response.status_code < 500:  # noqa: PLR2004 - after our own errors nobody knows what was done
        kept = {name: response.headers[name] for name in ("content-type", "etag") if name in response.headers}
        answer = Answer(response.status_code, kept, bytes(response.body))
        await run_in_threadpool(service.answers.finish, *known_as, answer)
    return response


async def _handled(service: Service, request: Request, handler: Handler) -> Response:
    try:
        return await handler(request)
    except Exception as error:  # noqa: BLE001 - likewise
        return answer_to(service, error)


# -- answering --------------------------------------------------------------------------------------------


def _tagged(request: Request, response: Response) -> Response:
    """The answer with its ETag; without its body where the caller has it already."""
    body = getattr(response, "body", None)
    if response.status_code != 200 or body is None:  # noqa: PLR2004
        return response
    tag = response.headers.get("etag") or f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    response.headers["etag"] = tag
    asked = [item.strip().removeprefix("W/") for item in request.headers.get("if-none-match", "").split(",")]
    if tag in asked or "*" in asked:
        return Response(status_code=304, headers={"ETag": tag})
    return response
