"""Proposes a corrected document, with a list of what it would change; applies nothing.

Only the form is corrected: what stands around the JSON, spelling of keys and of enumerated values, types that
can be read in one way only. Content that is missing is never made up; it stays as a finding. Whoever wants
the proposal hands it in as a new artifact, which is validated and recorded like any other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from phasegate.validators.contracts.catalog import contract_schema
from phasegate.validators.contracts.check import contract_findings
from phasegate.validators.errors import MalformedJsonError
from phasegate.validators.interface import Artifact, Finding
from phasegate.validators.markdown import section_key
from phasegate.validators.quoting import printable, quoted
from phasegate.validators.strict_json import parse, pointer

_FENCED = re.compile(r"\s*```[A-Za-z]{0,20}[ \t]*\n(?P<body>.*?)\n?```\s*", re.DOTALL)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing the proposal changes: where, what is done, and both values as short text."""

    place: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A corrected document, for a human or an agent to look at.

    Attributes:
        contract: the contract's name.
        document: the proposed bytes; None when the input cannot be read at all.
        edits: every difference to the input, in order; empty when there is nothing to correct.
        remaining: what the proposal does not cure.
    """

    contract: str
    document: bytes | None
    edits: tuple[Edit, ...]
    remaining: tuple[Finding, ...]

    @property
    def fulfils(self) -> bool:
        """Whether the proposed document fulfils the contract."""
        return self.document is not None and not self.remaining


def propose_repair(name: str, content: bytes) -> Proposal:
    """Propose a corrected document for the contract `name`; the input is not changed and nothing is written.

    Raises:
        BadParameterError: there is no such contract.
    """
    schema = contract_schema(name)
    if not contract_findings(name, Artifact(name, content)):
        return Proposal(name, content, (), ())
    mender = _Mender(schema.get("$defs", {}))
    bare = mender.unwrapped(content)
    try:
        value = parse(bare)
    except MalformedJsonError as error:
        found = Finding(error.code, name, error.place, str(error), error.remedy)
        return Proposal(name, None, (), (found,))
    mended = mender.mend(value, schema, [])
    if not mender.edits:
        return Proposal(name, content, (), contract_findings(name, Artifact(name, content)))
    document = json.dumps(mended, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"
    return Proposal(name, document, tuple(mender.edits), contract_findings(name, Artifact(name, document)))


@dataclass(slots=True)
class _Mender:
    """Walks a value along its schema; the depth is that of the schema, which is ours."""

    definitions: dict[str, Any]
    edits: list[Edit] = field(default_factory=list)

    def unwrapped(self, content: bytes) -> bytes:
        bare = content.removeprefix(_BOM)
        if bare != content:
            self._note([], "takes the byte order mark away", "byte order mark", "")
        fenced = _FENCED.fullmatch(bare.decode("utf-8", "replace"))
        if fenced is None:
            return bare
        self._note([], "takes the code fence away", "code fence", "")
        return fenced["body"].encode("utf-8")

    def mend(self, value: Any, schema: dict[str, Any], path: list[str | int]) -> Any:
        schema = self._resolved(schema, value)
        if "const" in schema or "enum" in schema:
            return self._choice(value, schema, path)
        match schema.get("type"):
            case "object":
                return self._object(value, schema, path)
            case "array":
                return self._array(value, schema, path)
            case "integer":
                return self._integer(value, path)
            case "string":
                return self._text(value, schema, path)
        return value

    def _resolved(self, schema: dict[str, Any], value: Any) -> dict[str, Any]:
        if "$ref" in schema:
            resolved: dict[str, Any] = self.definitions[schema["$ref"].rpartition("/")[2]]
            return resolved
        if "anyOf" in schema and value is not None:
            return self._resolved(schema["anyOf"][0], value)
        return schema

    def _object(self, value: Any, schema: dict[str, Any], path: list[str | int]) -> Any:
        if not isinstance(value, dict):
            return value
        known = schema.get("properties")
        if known is None:
            values = schema.get("additionalProperties", {})
            return {key: self.mend(member, values, [*path, key]) for key, member in value.items()}
        renamed = self._keys(value, known, path)
        result = {
            key: self.mend(member, known[key], [*path, key])
            for key, member in renamed.items()
            if key in known
        }
        for key in renamed:
            if key not in known:
                self._note([*path, key], "takes an unknown key out", renamed[key], "")
        for key, rule in known.items():
            # A constant can be said in one way only; anything else that is missing is content.
            if key not in result and "const" in rule:
                result[key] = rule["const"]
                self._note([*path, key], "adds what the contract fixes", "", rule["const"])
        return result

    def _keys(self, value: dict[str, Any], known: dict[str, Any], path: list[str | int]) -> dict[str, Any]:
        spelled = {section_key(key): key for key in known}
        result: dict[str, Any] = {}
        for key, member in value.items():
            right = key if key in known else spelled.get(section_key(key), key)
            if right != key and (right in value or right in result):
                right = key
            if right != key:
                self._note([*path, key], "spells the key as the contract does", key, right)
            result[right] = member
        return result

    def _array(self, value: Any, schema: dict[str, Any], path: list[str | int]) -> Any:
        if value is None:
            return value
        if not isinstance(value, list):
            self._note(path, "makes it a list of one", value, "list")
            value = [value]
        items = schema.get("items", {})
        return [self.mend(member, items, [*path, index]) for index, member in enumerate(value)]

    def _integer(self, value: Any, path: list[str | int]) -> Any:
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            self._note(path, "writes the number without quotes", value, int(value))
            return int(value)
        if isinstance(value, float) and value.is_integer():
            self._note(path, "writes the number without a fraction", value, int(value))
            return int(value)
        return value

    def _text(self, value: Any, schema: dict[str, Any], path: list[str | int]) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._note(path, "writes the number as text", value, str(value))
            return str(value)
        if not isinstance(value, str):
            return value
        right = value.strip()
        pattern = schema.get("pattern", "")
        if pattern and not re.search(pattern, right):
            right = next((form for form in _forms(right) if re.search(pattern, form)), right)
        if right != value:
            self._note(path, "writes the text in the form of the contract", value, right)
        return right

    def _choice(self, value: Any, schema: dict[str, Any], path: list[str | int]) -> Any:
        allowed = schema.get("enum", [schema["const"]] if "const" in schema else [])
        if value in allowed and not isinstance(value, bool):
            return value
        same = [one for one in allowed if isinstance(value, (str, int)) and _folded(one) == _folded(value)]
        if len(same) != 1:
            return value
        self._note(path, "spells the value as the contract does", value, same[0])
        return same[0]

    def _note(self, path: list[str | int], what: str, before: Any, after: Any) -> None:
        shown = [value if isinstance(value, str) else quoted(value).strip("`") for value in (before, after)]
        self.edits.append(Edit(pointer(path), what, printable(shown[0]), printable(shown[1])))


def _forms(text: str) -> tuple[str, ...]:
    """Other spellings of an id or a path: `w1` and `WI 1` for `W-1`, `./a` for `a`, `1,000` for `1000`."""
    named = re.fullmatch(r"(?P<letters>[A-Za-z]{1,4})[-_ ]?0{0,5}(?P<digits>[1-9][0-9]{0,5})", text)
    ids: tuple[str, ...] = ()
    if named:
        letters = {"WI": "W", "RISK": "R"}.get(named["letters"].upper(), named["letters"].upper())
        ids = (f"{letters}-{named['digits']}",)
    return (*ids, text.removeprefix("./"), text.lower(), text.replace(",", ""))


def _folded(value: Any) -> str:
    text = str(value).strip()
    return section_key(text) or text
