"""Promise: the API does what its own description says: no 500, no status or body that is not described.

`PHASEGATE_HTTP_EXAMPLES` says how many inputs are made for each operation and kind; `scripts/http-fuzz` asks for many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from guarded_homes import assert_sound
from http_service import Served, served
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from phasegate.engine.app.access.roles import TokenRole

EXAMPLES = int(os.environ.get("PHASEGATE_HTTP_EXAMPLES", "2"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
EXPECTED = {GenerationMode.POSITIVE: {200, 403, 404}, GenerationMode.NEGATIVE: {403, 422}}
"""What must come up among the answers, so that the requests are known to have reached the routes."""
LIVE = "/v1/ledger/events"
"""Its answer has no end; it has tests of its own."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a task in REVIEW."""
    with served(tmp_path_factory.mktemp("schema")) as running:
        running.bring_to_review()
        yield running
        assert_sound(running.engine)


def without_security(document: dict[str, Any]) -> dict[str, Any]:
    """The description without tokens: `send` gives a good one, so a spoilt one would be none."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


def send(place: Served, case: Any, role: TokenRole) -> Any:
    """A generated request, as this token's holder would send it."""
    kwargs = case.as_transport_kwargs(headers={"Authorization": f"Bearer {place.tokens[role]}"})
    content = kwargs.pop("data", None)
    if isinstance(content, str | bytes):
        kwargs["content"] = content
    kwargs.pop("cookies", None)
    return place.client.request(**kwargs)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_answers_as_it_says(place: Served, mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_dict(without_security(place.client.get("/openapi.json").json()))
    seen: set[int] = set()
    for found in described.get_all_operations():
        operation = found.ok()
        nothing_to_spoil = not operation.body and not list(operation.iter_parameters())
        if operation.path == LIVE or (mode is GenerationMode.NEGATIVE and nothing_to_spoil):
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        def answers(case: Any) -> None:
            for role in (TokenRole.OPERATOR, TokenRole.APPROVER):
                response = send(place, case, role)
                seen.add(response.status_code)
                case.validate_response(response, checks=CHECKS)

        answers()
    assert EXPECTED[mode] <= seen
