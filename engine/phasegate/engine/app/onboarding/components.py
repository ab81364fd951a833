"""A repository divided into components: a folder, its language, and the files that are its own. Pure."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from phasegate.engine.app.onboarding.manifests import Manifest, Place, Unreadable, read_manifest
from phasegate.engine.app.onboarding.tables import Language, Sources
from phasegate.validators.globs import Globs

COMPONENTS_MAX: Final = 12
"""How many components a profile has room for."""
SAMPLES: Final = Globs(
    ("**/fixtures/**", "**/testdata/**", "**/test-data/**", "**/__fixtures__/**", "**/examples/**",
     "**/samples/**", "**/templates/**", "**/snapshots/**")
)  # fmt: skip
"""Where projects lie that are no part of this one."""


@dataclass(frozen=True, slots=True)
class Component:
    """A folder that is worked on with one language's tools.

    Attributes:
        language: the language.
        folder: from the repository's root; empty for the root itself.
        sources: what its signs are sought in.
        shown: the file that makes it one.
        apart: folders of other components inside it, from the repository's root.
        broken: manifests that could not be read, each with the reason.
    """

    language: Language
    folder: str
    sources: Sources
    shown: Place
    apart: tuple[str, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()

    @property
    def has_runner(self) -> bool:
        """Whether anything shows how its tests are run."""
        return self.sources.first(self.language.runners) is not None


def components_of(
    paths: Sequence[str], texts: Mapping[str, str], languages: Sequence[Language]
) -> tuple[Component, ...]:
    """Every component, those that lie highest first.

    Args:
        paths: the repository's files, sorted.
        texts: texts of those that were read.
        languages: what is known.
    """
    own = [path for path in paths if not SAMPLES.matches(path)]
    found = [one for language in languages for one in _of_language(own, texts, language)]
    return tuple(sorted(found, key=lambda one: (one.folder.count("/") + bool(one.folder), one.folder)))


def _of_language(own: Sequence[str], texts: Mapping[str, str], language: Language) -> Iterator[Component]:
    folders = _folders(own, texts, language)
    if not folders and (bare := _bare(own, language)):
        folders = {"": bare}
    alone = {folder: _component(own, texts, language, folder, ()) for folder in folders}
    kept = [
        folder
        for folder, one in alone.items()
        if not _outer(folder, folders) or (not language.unites and one.has_runner)
    ]
    inner = {
        folder: tuple(other for other in kept if other != folder and _is_below(other, folder))
        for folder in kept
    }
    for folder in kept:
        one = _component(own, texts, language, folder, inner[folder])
        if one.has_runner or not inner[folder]:
            yield one


def _folders(paths: Sequence[str], texts: Mapping[str, str], language: Language) -> dict[str, str]:
    """Folders with a manifest of the language, each with the best of them."""
    found: dict[str, tuple[int, str]] = {}
    rank = {name: index for index, name in enumerate(language.manifests)}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in rank and path in texts:
            found[folder] = min(found.get(folder, (len(rank), "")), (rank[name], path))
    return {folder: path for folder, (_, path) in sorted(found.items())}


def _bare(paths: Sequence[str], language: Language) -> str:
    """The first source of a language whose manifests the repository has none of; only few need one."""
    if not language.bare:
        return ""
    return next((path for path in paths if Globs(language.sources).matches(path)), "")


def _outer(folder: str, folders: Mapping[str, str]) -> bool:
    return any(_is_below(folder, other) for other in folders if other != folder)


def _is_below(folder: str, other: str) -> bool:
    return other == "" or folder.startswith(f"{other}/")


def _above(path: str, wanted: Collection[str]) -> Iterator[str]:
    """The folders that a path lies in, if any is wanted at all."""
    at = path.find("/") if wanted else -1
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _component(
    paths: Sequence[str], texts: Mapping[str, str], language: Language, folder: str, apart: tuple[str, ...]
) -> Component:
    prefix = f"{folder}/" if folder else ""
    # Sorted paths that begin alike stand together, so that many folders are not each sought among all paths.
    begin, end = bisect_left(paths, prefix), bisect_left(paths, prefix + chr(sys.maxunicode))
    others = frozenset(apart)
    own = [path[len(prefix) :] for path in paths[begin:end] if others.isdisjoint(_above(path, others))]
    read = {path: texts[prefix + path] for path in own if prefix + path in texts}
    manifests: list[Manifest] = []
    broken: list[tuple[str, str]] = []
    for name in language.manifests:
        if name in read and name in language.shape:
            try:
                manifests.append(read_manifest(prefix + name, read[name], language.shape[name]))
            except Unreadable as error:
                broken.append((prefix + name, str(error)))
    shown = next((prefix + name for name in language.manifests if name in read), "") or next(
        (prefix + path for path in own if Globs(language.sources).matches(path)), prefix
    )
    sources = Sources(folder, own, read, tuple(manifests))
    return Component(language, folder, sources, Place(shown, 1), apart, tuple(broken))
