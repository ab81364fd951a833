"""What the checker sees of a solution's value that has no encoding: an object equal to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Opaque:
    """A foreign object: truthy, hashable by identity, equal to nothing, not even to itself."""

    __slots__ = ("_type",)

    def __init__(self, type_name: str) -> None:
        self._type = type_name

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"a foreign `{self._type}` cannot be copied")

    def __repr__(self) -> str:
        return f"<foreign {self._type}>"


class OpaqueIterator(Opaque):
    """The items a foreign iterator gave up to the limits; can be walked once, like its source."""

    __slots__ = ("_cut", "_items")

    def __init__(self, type_name: str, items: list[object], *, cut: bool) -> None:
        super().__init__(type_name)
        self._items = iter(items)
        self._cut = cut

    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        for item in self._items:
            return item
        if self._cut:
            raise RuntimeError(f"a foreign `{self._type}` failed or gave too many items")
        raise StopIteration


class OpaqueContainer(Opaque):
    """The items of a foreign container: can be walked, measured and indexed, and equals nothing."""

    __slots__ = ("_items",)

    def __init__(self, type_name: str, items: list[object]) -> None:
        super().__init__(type_name)
        self._items = items

    def __iter__(self) -> Iterator[object]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int | slice) -> object:
        return self._items[index]
