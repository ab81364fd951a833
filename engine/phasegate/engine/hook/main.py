"""What `engine-hook CLIENT EVENT --home DIR` does with one event. Nothing gets past a fault.

Before a call or a prompt every fault refuses; after a call and at a stop there is nothing left to refuse, so
a fault is only told.
"""

from __future__ import annotations

import os
import sys
import time

from phasegate.engine.hook import clients
from phasegate.engine.hook.clients import Answer
from phasegate.engine.hook.refusing import FAILED, UNREADABLE, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from phasegate.engine.hook.setup import Setup

INPUT_BYTES_MAX = 4 * 1024 * 1024
TIMEOUT_S = 5.0
HEADER_END = "<!-- phasegate:header-end -->"
_INSTALL = "install it anew: `engine hooks install CLIENT`"


class TimedOut(BaseException):
    """The hook took longer than `TIMEOUT_S`; no handler of exceptions catches it by chance."""


class Asked:
    """What the hook was started with.

    Raises:
        Refusal: it was started with something else.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.home = environ.get("PHASEGATE_HOME", "")
        self.task: str | None = environ.get("PHASEGATE_TASK")
        self.client, self.event = [*argv, "", ""][:2]
        options = list(argv[2:])
        while options:
            name = options.pop(0)
            if name not in {"--home", "--task"} or not options:
                raise Refusal(UNREADABLE, "hook", f"the hook has no option `{name[:40]}`", _INSTALL)
            value = options.pop(0)
            if name == "--home":
                self.home = value
            else:
                self.task = value
        if self.client not in clients.CLIENTS or self.event not in clients.EVENTS:
            raise Refusal(UNREADABLE, "hook", "the hook was started without client and event", _INSTALL)
        if not os.path.isabs(self.home):  # noqa: PTH117 - pathlib costs more than the whole decision
            raise Refusal(UNREADABLE, "hook", "the hook was started without the path of a home", _INSTALL)

    @property
    def folder(self) -> str:
        """Folder of the spool."""
        return f"{self.home}/hook"


def main(argv: Sequence[str], data: bytes, environ: Mapping[str, str]) -> Answer:
    """Answer one event.

    Args:
        argv: client, event, and options.
        data: what the client wrote.
        environ: environment variables.
    """
    client, event = [*argv, "", ""][:2]
    asked: Asked | None = None
    try:
        asked = Asked(argv, environ)
        return _answer(asked, data)
    except Refusal as refusal:
        return _refused(client, event, asked, refusal)
    except BaseException as error:  # noqa: BLE001 - whatever went wrong, nothing passes
        text = f"the hook failed: {type(error).__name__}: {error}"[:500]
        return _refused(
            client, event, asked, Refusal(FAILED, "hook", text, "report it; nothing passes meanwhile")
        )


def _refused(client: str, event: str, asked: Asked | None, refusal: Refusal) -> Answer:
    """Spool a refusal and tell it; where nothing can be refused any more it is only told."""
    reason = str(refusal)
    if asked is not None:
        try:
            from phasegate.engine.hook.spool import append  # noqa: PLC0415 - most calls pass

            append(asked.folder, {**refusal.record(), "client": client, "event": event})
        except Exception as error:  # noqa: BLE001 - it is refused, recorded or not
            reason += f" (not recorded: {error})"
    if event in {clients.POST, clients.STOP}:
        return Answer(1, "", reason)
    return clients.refuses(client, event, reason)


def _answer(asked: Asked, data: bytes) -> Answer:
    said = _read(asked, data)
    from phasegate.engine.hook.setup import read_setup  # noqa: PLC0415 - after what can be said without

    setup = read_setup(asked.home)
    if asked.event == clients.PRE:
        _decide(asked, setup, said)
    elif asked.event == clients.POST:
        _called(asked, setup, said)
    elif asked.event == clients.PROMPT:
        _prompted(asked, setup, said)
    else:
        from phasegate.engine.hook.stopping import reason_to_go_on  # noqa: PLC0415 - only here

        state, definition = _standing(asked, setup)
        reason = reason_to_go_on(asked.folder, said, state, definition)
        if reason:
            return clients.goes_on(asked.client, reason)
    return clients.passes(asked.client, asked.event)


def _read(asked: Asked, data: bytes) -> dict[str, Any]:
    """The event as the client wrote it; an object that names a thing twice is refused."""
    from json import loads  # noqa: PLC0415 - 8 ms, after the options were read

    if len(data) > INPUT_BYTES_MAX:
        raise _unreadable(f"the input has more than {INPUT_BYTES_MAX} bytes")
    try:
        said = loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"the input is no JSON: {error}"[:300]) from error
    if not isinstance(said, dict):
        raise _unreadable("the input is no object")
    name = said.get("hook_event_name")
    if name not in clients.NAMES[asked.client][asked.event]:
        raise _unreadable(f"the hook stands for `{asked.event}`, and the event is `{str(name)[:60]}`")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _unreadable(message: str) -> Refusal:
    return Refusal(UNREADABLE, "hook", message, "call the tool again with plain arguments")


def _tool(said: dict[str, Any]) -> tuple[str, Any]:
    tool = said.get("tool_name")
    if type(tool) is not str:
        raise _unreadable("the event names no tool")
    return tool, said.get("tool_input")


def _decide(asked: Asked, setup: Setup, said: dict[str, Any]) -> tuple[str, str, str, str]:
    """Task, phase, rule and policy of a call that passes; raises Refusal for one that does not."""
    from phasegate.engine.hook.arguments import Arguments  # noqa: PLC0415
    from phasegate.engine.hook.deciding import Context, route  # noqa: PLC0415
    from phasegate.engine.hook.ledger import lease_fault, read_object, read_task  # noqa: PLC0415
    from phasegate.engine.hook.places import Places  # noqa: PLC0415

    tool, given = _tool(said)
    named = setup.task if asked.task is None else asked.task
    task = read_task(asked.home, setup.ledger, named)
    state = task.state
    digest = state["process_digest"] if state else setup.without_task
    definition = read_object(asked.home, digest)
    lease = None
    if state:
        now_ms = time.time_ns() // 1_000_000
        lease = lease_fault(definition, task, _epoch(asked.environ), _holder(asked.environ), now_ms)
    personas = [read_object(asked.home, persona) for persona in _personas(setup, state)]
    context = Context(definition, digest, state, named, personas, lease)
    places = Places(state.get("repository", "") if state else "", asked.home)
    rule = route(context, tool, Arguments(given), places)
    return context.name, context.phase, rule, digest


def _personas(setup: Setup, state: dict[str, Any] | None) -> list[str]:
    """Digest of the persona of the phase's baseline, and of the one the hook was installed for."""
    found = [setup.persona] if setup.persona else []
    baseline = state.get("baselines", {}).get(state["phase"]) if state else None
    if baseline and baseline["persona_digest"]:
        found.insert(0, baseline["persona_digest"])
    return list(dict.fromkeys(found))


def _epoch(environ: Mapping[str, str]) -> int | None:
    text = environ.get("PHASEGATE_LEASE", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 17):  # noqa: PLR2004 - digits of 2**53
        raise Refusal(
            UNREADABLE, "hook", "PHASEGATE_LEASE is no epoch", "set it to what `engine lease` printed"
        )
    return int(text)


def _holder(environ: Mapping[str, str]) -> str:
    """Who calls, as the engine names the holder of a lease."""
    import pwd  # noqa: PLC0415

    uid = os.getuid()
    try:
        actor = f"user:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        actor = f"user:{uid}"
    label = environ.get("PHASEGATE_LEASE_LABEL", "")
    return f"{actor}#{label}" if label else actor


def _called(asked: Asked, setup: Setup, said: dict[str, Any]) -> None:
    """Spool that a call was made, the digest of its arguments, and how it ended."""
    from hashlib import sha256  # noqa: PLC0415

    from phasegate.engine.hook.arguments import Arguments, canonical  # noqa: PLC0415
    from phasegate.engine.hook.deciding import shown  # noqa: PLC0415
    from phasegate.engine.hook.spool import append  # noqa: PLC0415

    tool, given = _tool(said)
    if Arguments(given).unreadable:
        raise _unreadable("the arguments of a call that was made cannot be read")
    digest = sha256(canonical(given)).hexdigest()
    record = {"kind": "called", "tool": shown(tool), "arguments": digest, "outcome": clients.outcome_of(said)}
    try:
        task, phase, rule, policy = _decide(asked, setup, said)
    except Refusal as refusal:
        # The call was made: the phase may have ended with it, or nobody asked before.
        task, phase, policy = refusal.task, refusal.phase, refusal.policy
        rule = f"refused after the call: {refusal.code}"
    append(
        asked.folder,
        {**record, "task": task, "phase": phase, "rule": rule, "policy": policy, "client": asked.client},
    )


def _prompted(asked: Asked, setup: Setup, said: dict[str, Any]) -> None:
    """Spool a prompt's digest; of one that carries the engine's header, its text as well, to be compared."""
    from hashlib import sha256  # noqa: PLC0415

    from phasegate.engine.hook.spool import append, keep_prompt  # noqa: PLC0415

    prompt = said.get("prompt")
    if type(prompt) is not str:
        raise _unreadable("the event holds no prompt")
    text = prompt.encode("utf-8", "surrogatepass")
    whole = HEADER_END in prompt
    digest = keep_prompt(asked.folder, text) if whole else sha256(text).hexdigest()
    named = setup.task if asked.task is None else asked.task
    append(
        asked.folder,
        {
            "kind": "prompt",
            "digest": digest,
            "bytes": len(text),
            "whole": whole,
            "task": named[:64],
            "client": asked.client,
        },
    )


def _standing(asked: Asked, setup: Setup) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    from phasegate.engine.hook.ledger import read_object, read_task  # noqa: PLC0415

    state = read_task(asked.home, setup.ledger, setup.task if asked.task is None else asked.task).state
    return state, read_object(asked.home, state["process_digest"]) if state else {}


def run() -> None:
    """The executable: reads the event, answers, and ends the process with the answer's exit code."""
    code = 2
    try:
        _arm()
        answer = main(sys.argv[1:], _input(), os.environ)
        sys.stdout.write(answer.out)
        sys.stdout.flush()
        sys.stderr.write(answer.err and f"{answer.err}\n")
        sys.stderr.flush()
        code = answer.code
    except BaseException as error:  # noqa: BLE001 - whatever went wrong, nothing passes
        os.write(2, f"hook.failed: the hook failed: {type(error).__name__}\n".encode())
        code = 1 if clients.STOP in sys.argv[2:3] or clients.POST in sys.argv[2:3] else 2
    # Without the interpreter's farewell: nothing may change the exit code any more.
    os._exit(code)


def _input() -> bytes:
    data = b""
    while len(data) <= INPUT_BYTES_MAX and (part := os.read(0, 1 << 20)):
        data += part
    return data


def _arm() -> None:
    import signal  # noqa: PLC0415 - imports enum, which json needs anyway

    def late(*_: object) -> None:
        raise TimedOut(f"no answer within {TIMEOUT_S} s")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT_S)
