"""Packs: modules of Rego that belong together, shipped or from a folder beside the process file.

A pack NAME is the module `NAME.rego` of the package `phasegate.packs.NAME`, with the modules it imports from
`phasegate.lib`. It defines `deny`, a set of `{rule, place, message}`, and `passed`, the set of ids of rules
that hold; each rule is declared by an annotation with `custom.id` and `custom.remedy`. It is kept as one JSON
document of its texts, whose digest the process pins.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from phasegate.policies.errors import PolicyError
from phasegate.policies.rego.annotations import Annotation, annotations_of

FOLDER: Final = "packs"
LIBRARY: Final = "lib"
SUFFIX: Final = ".rego"
TEST_SUFFIX: Final = "_test.rego"
MODULE_BYTES_MAX: Final = 128 * 1024
MODULES_MAX: Final = 32
RULES_MAX: Final = 100

Reader = Callable[[str], bytes | None]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,63}(?:\.[a-z][a-z0-9_]{0,63}){1,3}")
_PACKAGE: Final = re.compile(r"^package\s+([\w.]+)\s*$", re.MULTILINE)
_IMPORT: Final = re.compile(r"^import\s+data\.phasegate\.lib\.(\w+)", re.MULTILINE)
_V1: Final = re.compile(r"^import\s+rego\.v1\s*$", re.MULTILINE)
_V0_BODY: Final = re.compile(
    r"^(?!default\b)[a-z_][\w.]*(?:\(.*\)|\[.*\])?\s*(?::?=\s*[^\s{](?:[^{]*[^\s{,(\[=:])?\s*)?\{\s*(?:#.*)?$"
)
_UNSTEADY: Final = re.compile(
    r"\b(?:time\.now_ns|rand\.intn|uuid\.rfc4122|opa\.runtime|http\.send|net\.lookup_ip_addr)\b"
)


class PackNotFound(PolicyError):
    """No pack of that name is shipped or stands beside the process file."""

    default_remedy = "name a shipped pack, or put NAME.rego into the folder `packs` beside the process file"


class PackInvalid(PolicyError):
    """A pack that is refused."""

    default_remedy = "correct the pack; `engine policy test` tries it"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a pack.

    Attributes:
        id: what it decides under.
        title: what it demands.
        remedy: what to do where it denies.
    """

    id: str
    title: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that was read and holds what a pack must.

    Attributes:
        name: its name.
        title: what it is about.
        about: its parameters, and what it looks at.
        modules: texts of its modules by file name.
        rules: its rules by id.
    """

    name: str
    title: str
    about: str
    modules: Mapping[str, str]
    rules: Mapping[str, Rule]

    @property
    def package(self) -> str:
        """Its package, as a path."""
        return f"phasegate/packs/{self.name}"

    @property
    def document(self) -> bytes:
        """Its texts as one JSON document, which `parse_pack` reads."""
        return json.dumps({"pack": self.name, "modules": dict(self.modules)}, sort_keys=True).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the document, in hex."""
        return hashlib.sha256(self.document).hexdigest()


@cache
def shipped_packs() -> tuple[str, ...]:
    """Names of the packs that come with the package."""
    names = (file.name for file in (resources.files("phasegate.policies") / FOLDER).iterdir())
    return tuple(
        sorted(
            name.removesuffix(SUFFIX)
            for name in names
            if name.endswith(SUFFIX) and not name.endswith(TEST_SUFFIX)
        )
    )


def load_pack(name: str, read: Reader | None = None) -> Pack:
    """Load a shipped pack, or one of one's own.

    Args:
        name: its name.
        read: bytes of a file of one's own, such as `NAME.rego`, None where it is not there; without it there
            are shipped packs alone.

    Raises:
        PackNotFound: there is none.
        PackInvalid: it is refused.
    """
    if not _NAME.fullmatch(name):
        raise PackNotFound(f"`{name[:80]}` is no pack's name", "name it with small letters, digits and `_`")
    if name in shipped_packs():
        if read is not None and read(f"{name}{SUFFIX}") is not None:
            raise PackInvalid(f"`{name}` is the name of a shipped pack", "give yours a name of its own")
        return _shipped(name)
    text = _text(f"{name}{SUFFIX}", read)
    if text is None:
        known = ", ".join(shipped_packs())
        raise PackNotFound(f"there is no pack `{name}`; shipped are {known}")
    return make_pack(name, {f"{name}{SUFFIX}": text, **_imported(text, read)})


@cache
def _shipped(name: str) -> Pack:
    text = _shipped_text(f"{name}{SUFFIX}") or ""
    return make_pack(name, {f"{name}{SUFFIX}": text, **_imported(text, None)})


def parse_pack(document: bytes) -> Pack:
    """The pack of a document.

    Raises:
        PackInvalid: it is none.
    """
    try:
        value = json.loads(document)
        name, modules = value["pack"], value["modules"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PackInvalid("the document is no pack") from error
    texts = modules.values() if isinstance(modules, dict) else [None]
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not all(isinstance(it, str) for it in texts):
        raise PackInvalid("the document is no pack")
    return make_pack(name, modules)


def make_pack(name: str, modules: Mapping[str, str]) -> Pack:
    """Check modules and make them a pack.

    Raises:
        PackInvalid: they are none, or use what would decide otherwise the next time.
    """
    main = f"{name}{SUFFIX}"
    if main not in modules or len(modules) > MODULES_MAX:
        raise PackInvalid(f"a pack has its rules in `{main}`, and at most {MODULES_MAX} modules")
    for file, text in modules.items():
        check_module(file, text)
    package = package_of(modules[main])
    if package != f"phasegate.packs.{name}":
        raise PackInvalid(
            f"`{main}` is of package `{package}`", f"begin it with `package phasegate.packs.{name}`"
        )
    found = list(annotations_of(modules[main], main))
    rules = dict(_rules(name, found))
    if not rules:
        raise PackInvalid(
            f"`{main}` declares no rule", "write `# METADATA` with `custom: {id, remedy}` over each"
        )
    of_package = next((it.said for it in found if "custom" not in it.said), {})
    title, about = (str(of_package.get(key) or "") for key in ("title", "description"))
    return Pack(name, title or name, about, dict(sorted(modules.items())), rules)


def check_module(file: str, text: str) -> None:
    """Refuse a module that is not Rego v1, or asks for the time, the net or chance.

    Raises:
        PackInvalid: it is refused.
    """
    if not _V1.search(text):
        raise PackInvalid(
            f"`{file}` does not say that it is Rego v1", "write `import rego.v1` below its package"
        )
    for number, line in enumerate(text.split("\n"), start=1):
        if line.lstrip().startswith("#"):
            continue
        unsteady = _UNSTEADY.search(line)
        if unsteady:
            remedy = "decide by the input alone, so that whoever looks later finds the same"
            raise PackInvalid(f"{file}:{number}: `{unsteady[0]}` answers otherwise each time", remedy)
        if _V0_BODY.match(line) and " if " not in line:
            raise PackInvalid(
                f"{file}:{number}: a body without `if` is Rego v0", "write `if` before the body"
            )


def package_of(text: str) -> str:
    """Name of a module's package; empty without one."""
    found = _PACKAGE.search(text)
    return found[1] if found else ""


def folder_reader(folder: Path) -> Reader:
    """Reads files of a folder."""

    def read(file: str) -> bytes | None:
        try:
            with (folder / file).open("rb") as opened:
                return opened.read(MODULE_BYTES_MAX + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise PackInvalid(f"cannot read `{file}`: {error.strerror}") from error

    return read


def decoded(file: str, data: bytes) -> str:
    """Text of a module.

    Raises:
        PackInvalid: it is no text, or too large.
    """
    if len(data) > MODULE_BYTES_MAX:
        raise PackInvalid(f"`{file}` has more than {MODULE_BYTES_MAX} bytes")
    try:
        return data.decode()
    except ValueError as error:
        raise PackInvalid(f"`{file}` is no UTF-8 text") from error


def _text(file: str, read: Reader | None) -> str | None:
    data = None if read is None else read(file)
    return None if data is None else decoded(file, data)


def _imported(text: str, read: Reader | None) -> dict[str, str]:
    """Modules of the library that a module imports, and those they import; the shipped ones come first."""
    found: dict[str, str] = {}
    to_read = _IMPORT.findall(text)
    while to_read:
        file = f"{LIBRARY}/{to_read.pop()}{SUFFIX}"
        if file in found:
            continue
        imported = _shipped_text(file) or _text(file, read)
        if imported is None:
            raise PackInvalid(f"there is no `{file}`", "import a shipped module, or put it beside the pack")
        found[file] = imported
        to_read += _IMPORT.findall(imported)
    return found


@cache
def shipped_library() -> Mapping[str, str]:
    """Texts of the shipped modules that packs import, by file name."""
    folder = resources.files("phasegate.policies") / FOLDER / LIBRARY
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(SUFFIX))
    return {f"{LIBRARY}/{name}": (folder / name).read_text(encoding="utf-8") for name in names}


def _shipped_text(file: str) -> str | None:
    place = resources.files("phasegate.policies").joinpath(FOLDER, *file.split("/"))
    return place.read_text(encoding="utf-8") if place.is_file() else None


def _rules(pack: str, found: list[Annotation]) -> list[tuple[str, Rule]]:
    rules: dict[str, Rule] = {}
    for annotation in found:
        custom: Any = annotation.said.get("custom")
        if custom is None:
            continue
        rule = _rule(pack, annotation, custom)
        if rule.id in rules:
            raise PackInvalid(f"{pack}{SUFFIX}:{annotation.line}: `{rule.id}` is declared twice")
        rules[rule.id] = rule
    if len(rules) > RULES_MAX:
        raise PackInvalid(f"`{pack}` has more than {RULES_MAX} rules")
    return list(rules.items())


def _rule(pack: str, annotation: Annotation, custom: Any) -> Rule:
    place = f"{pack}{SUFFIX}:{annotation.line}"
    fields = custom if isinstance(custom, dict) else {}
    name, remedy, title = fields.get("id"), fields.get("remedy"), annotation.said.get("title")
    if not isinstance(name, str) or not _ID.fullmatch(name) or not name.startswith(f"{pack}."):
        raise PackInvalid(f"{place}: a rule has no `custom.id`", f"write one such as `{pack}.too_large`")
    if not (isinstance(remedy, str) and remedy and isinstance(title, str) and title):
        raise PackInvalid(f"{place}: `{name}` has no title or no remedy", "say what to do where it denies")
    return Rule(name, title, remedy)
