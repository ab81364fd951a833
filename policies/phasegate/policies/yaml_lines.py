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
            raise ProcessInvalid(source, line, "aliases are not allowed: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise ProcessInvalid(source, line, f"nested deeper than {DEPTH_MAX} levels")


def _convert(node: yaml.Node, path: Path, lined: Lined) -> Any:
    lined.lines[path] = node.start_mark.line + 1
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
        if key in result:
            raise ProcessInvalid(lined.source, line, f"key `{key}` stands twice")
        result[key] = _convert(value_node, (*path, key), lined)
        lined.lines[(*path, key)] = line
    return result


def _convert_scalar(node: yaml.Node, lined: Lined) -> Any:
    line = node.start_mark.line + 1
    if node.tag == "tag:yaml.org,2002:float":
        raise ProcessInvalid(
            lined.source, line, f"put the decimal `{node.value}` in quotes: floats do not hash"
        )
    if node.tag not in {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "bool", "null")}:
        raise ProcessInvalid(
            lined.source, line, f"`{node.value}` has the tag `{node.tag}`, which is not allowed"
        )
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except ValueError as error:
        raise ProcessInvalid(lined.source, line, f"`{node.value}` is not a valid {node.tag[18:]}") from error
    finally:
        loader.dispose()
