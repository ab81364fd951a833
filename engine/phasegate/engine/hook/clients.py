"""What each client hands its hooks, and what it reads from them.

Claude Code   https://code.claude.com/docs/en/hooks
Codex         https://developers.openai.com/codex/hooks
Cursor        https://cursor.com/docs/hooks
Gemini CLI    https://geminicli.com/docs/hooks/reference

All four refuse on exit code 2 and show what stands on standard error; all but the first let a call pass on
any other fault unless their settings say otherwise, see `docs/hooks.md`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLAUDE = "claude"
CODEX = "codex"
CURSOR = "cursor"
GEMINI = "gemini"
CLIENTS = (CLAUDE, CODEX, CURSOR, GEMINI)
PRE = "pre"
POST = "post"
PROMPT = "prompt"
STOP = "stop"
EVENTS = (PRE, POST, PROMPT, STOP)
_CLAUDE_NAMES: dict[str, tuple[str, ...]] = {
    PRE: ("PreToolUse",),
    POST: ("PostToolUse", "PostToolUseFailure"),
    PROMPT: ("UserPromptSubmit",),
    STOP: ("Stop", "SubagentStop"),
}
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    CLAUDE: _CLAUDE_NAMES,
    CODEX: _CLAUDE_NAMES,
    CURSOR: {
        PRE: ("preToolUse",),
        POST: ("postToolUse", "postToolUseFailure"),
        PROMPT: ("beforeSubmitPrompt",),
        STOP: ("stop", "subagentStop"),
    },
    GEMINI: {PRE: ("BeforeTool",), POST: ("AfterTool",), PROMPT: ("BeforeAgent",), STOP: ("AfterAgent",)},
}
"""What a client calls an event, by what the hook is started for."""


class Answer:
    """What the hook answers: exit code, standard output and standard error."""

    def __init__(self, code: int, out: str = "", err: str = "") -> None:
        self.code = code
        self.out = out
        self.err = err


def passes(client: str, event: str) -> Answer:
    """Nothing against it. It is no approval: what the client asks a person it still asks."""
    if client == CURSOR and event == PROMPT:
        return Answer(0, '{"continue": true}')
    # Cursor and Gemini CLI want JSON; what Claude Code and Codex read here would go to the model.
    return Answer(0, "{}" if client in {CURSOR, GEMINI} else "")


def refuses(client: str, event: str, reason: str) -> Answer:
    """A call or a prompt that is not let pass."""
    return Answer(2, _json(_refusal(client, event, reason)), reason)


def goes_on(client: str, reason: str) -> Answer:
    """The agent is to go on once more instead of stopping."""
    if client == CURSOR:
        return Answer(0, _json({"followup_message": reason}))
    return Answer(0, _json({"decision": "deny" if client == GEMINI else "block", "reason": reason}))


def session_of(said: dict[str, Any]) -> str:
    """What keeps this conversation apart from others."""
    return str(said.get("session_id") or said.get("conversation_id") or "")


def stopped_before(said: dict[str, Any]) -> bool:
    """Whether the client says that it went on once already because of such a hook."""
    return bool(said.get("stop_hook_active")) or bool(said.get("loop_count"))


def outcome_of(said: dict[str, Any]) -> str:
    """How a call ended, as its event tells: `ok`, `error` or `cancelled`."""
    if said.get("is_interrupt") is True:
        return "cancelled"
    if str(said.get("hook_event_name", "")).endswith("Failure"):
        return "error"
    answer = said.get("tool_response", said.get("tool_output"))
    if isinstance(answer, dict):
        if answer.get("interrupted") is True:
            return "cancelled"
        failed = answer.get("is_error") or answer.get("isError") or answer.get("error")
        if failed or answer.get("success") is False:
            return "error"
    return "ok"


def _refusal(client: str, event: str, reason: str) -> dict[str, Any]:
    if client == CURSOR:
        if event == PROMPT:
            return {"continue": False, "user_message": reason}
        return {"permission": "deny", "user_message": reason, "agent_message": reason}
    if client == GEMINI:
        return {"decision": "deny", "reason": reason}
    if event == PROMPT:
        return {"decision": "block", "reason": reason}
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }


def _json(value: dict[str, Any]) -> str:
    from json import dumps  # noqa: PLC0415 - after a failed import of it this is reached as well

    return dumps(value)
