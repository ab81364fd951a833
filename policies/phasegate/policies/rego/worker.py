"""The process that evaluates Rego: requests in, answers out, one JSON document a line.

Apart from the engine because the interpreter is native code that no Python can interrupt: a policy that runs
too long is killed with it, one that breaks it takes nothing else along. Run as a file, with the folders to
import from as arguments and an empty environment; it imports nothing of ours.

    {"modules": {NAME: TEXT}, "entries": ["a/b/deny"], "input": {...}}      rules over one input
    {"modules": {NAME: TEXT}, "entries": ["a/b/test_x"], "inputs": [{...}]} each rule over an input of its own

It answers `{"values": [[VALUE], [], null]}`: one list for each entry, empty where it is undefined and null
where it could not be evaluated; or `{"error": TEXT}` where nothing could. Modules are compiled once for their
entries, and kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any, Final

MEMORY_BYTES_MAX: Final = 1024**3
BUNDLES_MAX: Final = 64
ERROR_CHARS_MAX: Final = 400

# `(error 6:a.rego|59|262 (errormsg 12:Syntax error) ...`: file, offset and length; a length before each text.
_PLACE: Final = re.compile(r"\(error \d+:([^|\s]+)\|(\d+)\|")
_MESSAGE: Final = re.compile(r"\(errormsg \d+:([^)]*)\)")


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
        return {"values": _evaluated(request, bundles)}
    except Exception as error:  # noqa: BLE001
        # Whatever it is, whoever asked must hear of it, and take it for a denial.
        return {"error": _told(str(error), request["modules"]) or type(error).__name__}


def _told(text: str, modules: dict[str, str]) -> str:
    """An error's message and the place it is about, out of the syntax tree that it comes with."""
    message, place = _MESSAGE.search(text), _PLACE.search(text)
    if message is None:
        return " ".join(text.split())[:ERROR_CHARS_MAX]
    said = message[1][:ERROR_CHARS_MAX]
    if place is None or place[1] not in modules:
        return said
    line = modules[place[1]].encode()[: int(place[2])].count(b"\n") + 1
    return f"{place[1]}:{line}: {said}"


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
    if "inputs" not in request:
        _give(interpreter, request["input"])
        return [_value(interpreter, bundle, entry) for entry in request["entries"]]
    values = []
    for entry, given in zip(request["entries"], request["inputs"], strict=True):
        _give(interpreter, given)
        values.append(_value(interpreter, bundle, entry))
    return values


def _give(interpreter: Any, given: Any) -> None:
    # As text: values that are given as such lose what stands behind a zero, and are not escaped.
    interpreter.set_input_term(json.dumps(given, ensure_ascii=False))


def _interpreter(modules: dict[str, str]) -> Any:
    from regopy import Interpreter, LogLevel  # noqa: PLC0415 - found only once the path is set

    interpreter = Interpreter()
    interpreter.log_level = LogLevel.NONE
    # Without this a builtin that fails is undefined, and a rule that denies would pass over it.
    interpreter.strict_built_in_errors = True
    for name, text in modules.items():
        interpreter.add_module(name, text)
    return interpreter


def _value(interpreter: Any, bundle: Any, entry: str) -> list[Any] | None:
    """The value of a rule in a list, an empty list for undefined, None for an error."""
    output = interpreter.query_bundle_entrypoint(bundle, entry)
    if not output.ok():
        return None
    return list(output[0].expressions[:1]) if len(output) else []


if __name__ == "__main__":
    main()
