"""Sections of an artifact: classes whose fields declare the arrays of an artifact, each once.

``scores: Annotated[NDArray[np.float32], Shape(ACCOUNTS, CANDIDATES)]`` declares one array: its name, its dtype, its
dimensions, and with ``empty=`` what fills it where nothing was learned. Reading from files, writing to files, checking
and the empty section all follow from that. A field whose type is a section nests it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Self, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

AnySection = TypeVar("AnySection", bound="Section")
Arrays = Mapping[str, NDArray[Any]]
"""Arrays by stem: the path of their field, ``products.names.offsets``."""


@dataclass(frozen=True)
class Dimension:
    """A length that arrays have in common: the whole artifact's, or where ``is_local`` each section's own."""

    name: str
    is_local: bool = False

    def __add__(self, extra: int) -> "Length":
        return Length(self, extra=extra)

    @property
    def packed(self) -> "Length":
        """So many bits, eight to a byte (numpy.packbits)."""
        return Length(self, divisor=8)


@dataclass(frozen=True)
class Length:
    """The length of an array along one axis: ``ceil(size / divisor) + extra``."""

    dimension: Dimension
    extra: int = 0
    divisor: int = 1

    def for_size(self, size: int) -> int:
        """The length where the dimension has a size."""
        return -(-size // self.divisor) + self.extra

    def __str__(self) -> str:
        divided = f"{self.dimension.name} / {self.divisor}" if self.divisor > 1 else self.dimension.name
        return f"{divided} + {self.extra}" if self.extra else divided


class Shape:
    """Declares an array field: its length along each axis, and what fills it where nothing was learned."""

    def __init__(self, *axes: Dimension | Length | int, empty: float = 0) -> None:
        self.axes = tuple(Length(axis) if isinstance(axis, Dimension) else axis for axis in axes)
        self.empty = empty


class Along:
    """Declares, for a nested section, which dimension stands for one of its own: ``Along({TEXTS: ACCOUNTS})``."""

    def __init__(self, dimensions: Mapping[Dimension, Dimension]) -> None:
        self.dimensions = dict(dimensions)


class Section:
    """Base class of dataclasses that declare arrays."""

    __slots__ = ()

    @classmethod
    def empty(cls, sizes: Mapping[Dimension, int] | None = None, **others: Any) -> Self:
        """The section where nothing was learned. sizes: of dimensions, 0 by default. others: fields that are no arrays.

        Arrays can be written to.
        """
        arrays = {array.stem: array.filled(sizes or {}) for array in declared_arrays(cls)}
        return cls.from_arrays(arrays, **others)

    @classmethod
    def from_arrays(cls, arrays: Arrays, **others: Any) -> Self:
        """Put arrays into their places, without copies. others: fields that are no arrays."""
        return _build(cls, arrays, "", others)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Every array of the section by its stem."""
        return {array.stem: attrgetter(array.stem)(self) for array in declared_arrays(type(self))}


class SectionInvalid(Exception):
    """An array is not what was declared."""

    def __init__(self, stem: str, reason: str) -> None:
        super().__init__(f"{stem}: {reason}")
        self.stem = stem
        self.reason = reason


@dataclass(frozen=True)
class DeclaredArray:
    """One array of a section. stem: the path of its field."""

    stem: str
    dtype: np.dtype[Any]
    axes: tuple[Length | int, ...]
    empty_value: float

    def filled(self, sizes: Mapping[Dimension, int]) -> NDArray[Any]:
        """The array where nothing was learned."""
        shape = [axis if isinstance(axis, int) else axis.for_size(sizes.get(axis.dimension, 0)) for axis in self.axes]
        return np.full(shape, self.empty_value, dtype=self.dtype)

    def check(self, array: NDArray[Any], sizes: dict[Dimension, int]) -> None:
        """Raise SectionInvalid if dtype or shape differ. sizes: of dimensions so far, to which new ones are added."""
        if array.dtype != self.dtype or array.ndim != len(self.axes):
            raise SectionInvalid(self.stem, self._difference(array, sizes))
        for axis, length in zip(self.axes, array.shape, strict=True):
            if isinstance(axis, Length) and axis.divisor == 1 and length >= axis.extra:
                sizes.setdefault(axis.dimension, length - axis.extra)
            expected = axis if isinstance(axis, int) else axis.for_size(sizes.get(axis.dimension, 0))
            if length != expected:
                raise SectionInvalid(self.stem, self._difference(array, sizes))

    def _difference(self, array: NDArray[Any], sizes: Mapping[Dimension, int]) -> str:
        axes = ", ".join(str(axis) for axis in self.axes)
        lengths = {axis.dimension: sizes.get(axis.dimension) for axis in self.axes if isinstance(axis, Length)}
        known = ", ".join(f"{dimension.name} = {size}" for dimension, size in lengths.items() if size is not None)
        shape = ", ".join(map(str, array.shape))
        return f"{array.dtype} ({shape}), expected {self.dtype} ({axes}){f' with {known}' if known else ''}"


_ARRAYS: dict[type[Section], tuple[DeclaredArray, ...]] = {}


def declared_arrays(kind: type[Section]) -> tuple[DeclaredArray, ...]:
    """Every array of a section and of those nested in it, in the order of their fields."""
    if kind not in _ARRAYS:
        _ARRAYS[kind] = tuple(_declared(kind, "", {}))
    return _ARRAYS[kind]


def check_arrays(kind: type[Section], arrays: Arrays) -> None:
    """Compare dtypes and shapes with the declaration; raises SectionInvalid. No data is read.

    The first array along a dimension sets its size; the others must agree.
    """
    sizes: dict[Dimension, int] = {}
    for declared in declared_arrays(kind):
        declared.check(arrays[declared.stem], sizes)


@dataclass(frozen=True)
class _Field:
    """A field of a section: an array if it has a shape, a nested section if it has a kind, or neither."""

    name: str
    shape: Shape | None = None
    dtype: np.dtype[Any] | None = None
    kind: type[Section] | None = None
    along: Mapping[Dimension, Dimension] | None = None


_FIELDS: dict[type[Section], tuple[_Field, ...]] = {}


def _fields(kind: type[Section]) -> tuple[_Field, ...]:
    if kind not in _FIELDS:
        hints = get_type_hints(kind, include_extras=True)
        _FIELDS[kind] = tuple(_field(field.name, hints[field.name]) for field in fields(kind))  # type: ignore[arg-type]
    return _FIELDS[kind]


def _field(name: str, hint: Any) -> _Field:
    bare, *notes = get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    shape = next((note for note in notes if isinstance(note, Shape)), None)
    if shape:
        _, dtype = get_args(bare)
        return _Field(name, shape=shape, dtype=np.dtype(get_args(dtype)[0]))
    if isinstance(bare, type) and issubclass(bare, Section):
        along = next((note.dimensions for note in notes if isinstance(note, Along)), {})
        return _Field(name, kind=bare, along=along)
    return _Field(name)


def _declared(kind: type[Section], prefix: str, scope: Mapping[Dimension, Dimension]) -> Iterator[DeclaredArray]:
    """scope: the dimensions that stand for others here."""
    within = dict(scope)
    for field in _fields(kind):
        for axis in field.shape.axes if field.shape else ():
            if isinstance(axis, Length) and axis.dimension.is_local:
                within.setdefault(axis.dimension, Dimension(f"{prefix}{axis.dimension.name}"))
    for field in _fields(kind):
        stem = f"{prefix}{field.name}"
        if field.shape and field.dtype:
            axes = tuple(_within(axis, within) for axis in field.shape.axes)
            yield DeclaredArray(stem, field.dtype, axes, field.shape.empty)
        elif field.kind:
            along = {inner: within.get(outer, outer) for inner, outer in (field.along or {}).items()}
            yield from _declared(field.kind, f"{stem}.", within | along)


def _within(axis: Length | int, scope: Mapping[Dimension, Dimension]) -> Length | int:
    if isinstance(axis, int):
        return axis
    return Length(scope.get(axis.dimension, axis.dimension), axis.extra, axis.divisor)


def _build(kind: type[AnySection], arrays: Arrays, prefix: str, others: Mapping[str, Any]) -> AnySection:
    values = dict(others)
    for field in _fields(kind):
        stem = f"{prefix}{field.name}"
        if field.kind:
            values[field.name] = _build(field.kind, arrays, f"{stem}.", {})
        elif field.shape:
            values[field.name] = arrays[stem]
    return kind(**values)
