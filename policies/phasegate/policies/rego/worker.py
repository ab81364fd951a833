"""The process that evaluates Rego: requests in, answers out, one JSON document a line.

Apart from the engine because the interpreter is native code that no Python can interrupt: a policy that runs
too long is killed with it, one that breaks it takes nothing else along. Run as a file, with the folders to
import from as arguments and an empty environment; it imports nothing of ours.

    {"modules": {NAME: TEXT}, "entries": ["a/b/deny"], "input": {...}}   evaluate rules of a bundle
    {"modules": {NAME: TEXT}, "queries": ["data.a.test_x"]}              ask queries

It answers `{"values": [[VALUE], [], null]}`: one list for each entry or query, empty where it is undefined
and null where it could not be evaluated; or `{"error": TEXT}` where nothing could.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, Final

MEMORY_BYTES_MAX: Final = 1024**3
BUNDLES_MAX: Final = 64
ERROR_CHARS_MAX: Final = 400


def main() -> None:
    """Answer requests until there are no more."""
    sys.path.extend(sys.argv[1:])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # The interpreter writes its complaints to both of these.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    _limit()
    bundles: dict[str, Any] = {}
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line), bundles)) + "\n")
        answers.flush()


def _limit() -> None:
    """Bound what a policy may take: beyond it the process ends, and whoever asked hears that it did."""
    # Its allocator reserves hundreds of gigabytes when it is loaded, so the bound is on what comes after.
    import regopy  # noqa: F401, PLC0415

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError, StopIteration):
        status = Path("/proc/self/status").read_text(encoding="ascii").split("\n")
        reserved = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))
        limit = reserved + MEMORY_BYTES_MAX
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _answer(request: dict[str, Any], bundles: dict[str, Any]) -> dict[str, Any]:
    try:
        if "queries" in request:
            return {"values": _asked(request)}
        return {"values": _evaluated(request, bundles)}
    except Exception as error:  # noqa: BLE001
        # Whatever it is, whoever asked must hear of it, and take it for a denial.
        return {"error": " ".join(str(error).split())[:ERROR_CHARS_MAX] or type(error).__name__}


def _evaluated(request: dict[str, Any], bundles: dict[str, Any]) -> list[Any]:
    key = json.dumps([request["modules"], request["entries"]], sort_keys=True)
    if key not in bundles:
        if len(bundles) >= BUNDLES_MAX:
            bundles.clear()
        interpreter = _interpreter(request["modules"])
        bundle = interpreter.build(None, request["entries"])
        if not bundle.ok():
            raise ValueError("the pack does not compile")
        bundles[key] = interpreter, bundle
    interpreter, bundle = bundles[key]
    # As text: values that are given as such lose what stands behind a zero, and are not escaped.
    interpreter.set_input_term(json.dumps(request["input"], ensure_ascii=False))
    return [_value(interpreter.query_bundle_entrypoint(bundle, entry)) for entry in request["entries"]]


def _asked(request: dict[str, Any]) -> list[Any]:
    interpreter = _interpreter(request["modules"])
    return [_tried(interpreter, query) for query in request["queries"]]


def _tried(interpreter: Any, query: str) -> list[Any] | None:
    try:
        return _value(interpreter.query(query))
    except Exception:  # noqa: BLE001
        # An answer that cannot be read is none; the next query may do better.
        return None


def _interpreter(modules: dict[str, str]) -> Any:
    from regopy import Interpreter, LogLevel  # noqa: PLC0415 - found only once the path is set

    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    # Without this a builtin that fails is undefined, and a rule that denies would pass over it.
    interpreter.strict_built_in_errors = True
    for name, text in modules.items():
        interpreter.add_module(name, text)
    return interpreter


def _value(output: Any) -> list[Any] | None:
    """The value in a list, an empty list for undefined, None for an error."""
    if not output.ok():
        return None
    return list(output[0].expressions[:1]) if len(output) else []


if __name__ == "__main__":
    main()
