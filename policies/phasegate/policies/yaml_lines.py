"""YAML read strictly, with the line of every node.

Safe tags only, no duplicate keys, no aliases (a definition is read by people; an alias also lets a small
file expand without bound), bounded size and depth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from phasegate.policies.errors import ProcessInvalid

FILE_BYTES_MAX = 1_000_000
DEPTH_MAX = 24
INTEGER_MAX = 2**53 - 1

_TAG = "tag:yaml.org,2002:"
_TAGS: dict[type[yaml.Node], frozenset[str]] = {
    yaml.MappingNode: frozenset({f"{_TAG}map"}),
    yaml.SequenceNode: frozenset({f"{_TAG}seq"}),
    # Floats are let through to be refused with their own remedy.
    yaml.ScalarNode: frozenset(f"{_TAG}{kind}" for kind in ("str", "int", "bool", "null", "float")),
}

Path = tuple[str | int, ...]


@dataclass
class Lined:
    """Plain data and the one-based line of each path in it."""

    source: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Line of the nearest enclosing node of `path` that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: bytes, source: str) -> Lined:
    """Parse YAML and remember where everything stands.

    Raises:
        ProcessInvalid: bad syntax, a duplicate key, an alias, a float, or a file too large or too deep.
    """
    lined = Lined(source)
    if len(text) > FILE_BYTES_MAX:
        raise ProcessInvalid(source, 1, f"larger than {FILE_BYTES_MAX} bytes")
    try:
        _refuse_aliases(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ProcessInvalid(source, mark.line + 1 if mark else 1, str(error.problem)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProcessInvalid(source, 1, f"not readable as YAML: {error}") from error
    if node is None:
        raise ProcessInvalid(source, 1, "the file is empty")
    lined.data = _convert(node, (), lined)
    return lined


def _refuse_aliases(text: bytes, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        line = mark.line + 1 if mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise ProcessInvalid(source, line, "aliases are not allowed", "write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise ProcessInvalid(source, line, f"nested deeper than {DEPTH_MAX} levels")


def _convert(node: yaml.Node, path: Path, lined: Lined) -> Any:
    line = lined.lines[path] = node.start_mark.line + 1
    if node.tag not in _TAGS[type(node)]:
        shown = f"`{node.value}` has" if isinstance(node, yaml.ScalarNode) else "a node has"
        raise ProcessInvalid(lined.source, line, f"{shown} the tag `{node.tag}`, which is not allowed")
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(node, path, lined)
    if isinstance(node, yaml.SequenceNode):
        return [_convert(child, (*path, index), lined) for index, child in enumerate(node.value)]
    return _convert_scalar(node, lined)


def _convert_mapping(node: yaml.MappingNode, path: Path, lined: Lined) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key, str) or not isinstance(key_node, yaml.ScalarNode):
            raise ProcessInvalid(lined.source, line, "a key must be a plain string")
        if key_node.tag != f"{_TAG}str" or not key.isascii():
            raise ProcessInvalid(
                lined.source, line, f"key `{key}` must be an ASCII string", "put it in quotes"
            )
        if key in result:
            raise ProcessInvalid(lined.source, line, f"key `{key}` stands twice")
        result[key] = _convert(value_node, (*path, key), lined)
        lined.lines[(*path, key)] = line
    return result


def _convert_scalar(node: yaml.Node, lined: Lined) -> Any:
    line = node.start_mark.line + 1
    if node.tag == f"{_TAG}float":
        raise ProcessInvalid(
            lined.source,
            line,
            f"`{node.value}` is a decimal, and floats do not hash",
            f"put the decimal `{node.value}` in quotes",
        )
    loader = yaml.SafeLoader("")
    try:
        value = loader.construct_object(node)
    except (ValueError, KeyError, IndexError) as error:
        kind = node.tag.removeprefix(_TAG)
        raise ProcessInvalid(lined.source, line, f"`{node.value[:80]}` is not a valid {kind}") from error
    finally:
        loader.dispose()
    if isinstance(value, int) and abs(value) > INTEGER_MAX:
        raise ProcessInvalid(lined.source, line, "an integer beyond 2**53 does not hash", "put it in quotes")
    if isinstance(value, str) and any("\ud800" <= ch <= "\udfff" for ch in value):
        raise ProcessInvalid(lined.source, line, "a string holds a lone surrogate, which no file can keep")
    return value
