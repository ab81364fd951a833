"""Arguments of a tool call, read as `engine.core.arguments` reads them: same bounds, same digest."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPTH_MAX = 32
VALUES_MAX = 20_000
BYTES_MAX = 8 * 1024 * 1024
_INT_MIN = -(2**63)
_INT_MAX = 2**64 - 1
_NOT_JSON = "they hold text or numbers that JSON cannot carry"
_INFINITE = float("inf")
_PLAIN_FROM = -5
"""The one power of ten that Python writes as an exponent and orjson does not."""


class Arguments:
    """The arguments of one call.

    Attributes:
        leaves: every value that is no object and no list, after the names on the way to it.
        names: every name in them.
        unreadable: why they cannot be read; empty if they can.
    """

    def __init__(self, value: object) -> None:
        self.leaves: list[tuple[tuple[str, ...], Any]] = []
        self.names: list[str] = []
        self.unreadable = "they are no object"
        if type(value) is dict:
            self.unreadable = self._walk(value, ()) or self._beyond_json()

    def _walk(self, value: Any, path: tuple[str, ...]) -> str:
        """Collect leaves and names; what keeps them from being read, or nothing."""
        if len(self.leaves) + len(self.names) > VALUES_MAX:
            return f"they hold more than {VALUES_MAX} values"
        if len(path) > DEPTH_MAX:
            return f"they are more than {DEPTH_MAX} levels deep"
        kind = type(value)
        if kind is dict:
            return self._walk_object(value, path)
        if kind is list:
            # A list counts as a level, under a name that no argument has.
            return next((found for it in value if (found := self._walk(it, (*path, "")))), "")
        if kind is float and not -_INFINITE < value < _INFINITE:
            return "a number in them is none"
        if kind not in {str, int, float, bool, type(None)}:
            return "a value in them is nothing that JSON has"
        self.leaves.append((path, value))
        return ""

    def _walk_object(self, value: dict[Any, Any], path: tuple[str, ...]) -> str:
        for name, inner in value.items():
            if type(name) is not str:
                return "a name in them is no text"
            self.names.append(name)
            if type(inner) is str:
                self.leaves.append(((*path, name), inner))
            elif problem := self._walk(inner, (*path, name)):
                return problem
        return ""

    def _beyond_json(self) -> str:
        """Lone surrogates and integers of more than 64 bits."""
        for text in self.names:
            if not _encodes(text):
                return _NOT_JSON
        for _, value in self.leaves:
            if type(value) is str:
                if not _encodes(value):
                    return _NOT_JSON
            elif type(value) is int and not _INT_MIN <= value <= _INT_MAX:
                return _NOT_JSON
        return ""


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def canonical(value: Any) -> bytes:
    """Readable arguments as JSON with sorted names, byte for byte as the engine writes them."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts).encode()


def _write(value: Any, put: Any) -> None:
    from json.encoder import encode_basestring  # noqa: PLC0415 - only a call that was made is digested

    kind = type(value)
    if kind is str:
        put(encode_basestring(value))
    elif kind is dict:
        put("{")
        for index, name in enumerate(sorted(value)):
            put(("," if index else "") + encode_basestring(name) + ":")
            _write(value[name], put)
        put("}")
    elif kind is list:
        put("[")
        for index, inner in enumerate(value):
            if index:
                put(",")
            _write(inner, put)
        put("]")
    elif kind is float:
        put(_float(value))
    else:
        put(
            "null"
            if value is None
            else "true"
            if value is True
            else "false"
            if value is False
            else str(value)
        )


def _float(value: float) -> str:
    """Shortest digits as orjson prints them: no zeros in front of an exponent, and none at all from 1e-5."""
    text = repr(value)
    mantissa, sign, exponent = text.partition("e")
    if not sign:
        return text
    power = int(exponent)
    if power == _PLAIN_FROM:
        minus = "-" if mantissa.startswith("-") else ""
        return f"{minus}0.0000{mantissa.lstrip('-').replace('.', '')}"
    return f"{mantissa}e{power:+d}" if power > 0 else f"{mantissa}e{power}"
