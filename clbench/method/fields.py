"""Annotated fields as hyper-parameters: their types, their values, and what is said where one cannot be."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar, get_type_hints

import msgspec
from typing_extensions import Self

from clbench.errors import UsageError, suggest
from clbench.files.field_words import NO_DEFAULT, in_words, may_be


@dataclasses.dataclass(eq=False, kw_only=True, repr=False)
class Fields:
    """Base of a dataclass whose fields are keyword-only, typed and JSON-able."""

    validates: ClassVar[bool] = False
    """Whether more is asked of values than their types."""

    @classmethod
    def fields_of(cls) -> dict[str, Any]:
        """Return the hyper-parameters: name -> type."""
        return dict(_types(cls))  # type: ignore[arg-type]

    @classmethod
    def configured(cls, fields: dict[str, Any], *, source: str) -> Self:
        """Return one with `fields` set, converted to their types. Raises UsageError naming the field."""
        types = cls.fields_of()
        given = {}
        for name, value in fields.items():
            if name not in types:
                raise UsageError(
                    f"{source}: strategy '{cls.__name__}' has no field '{name}'.{suggest(name, types)}",
                    hint=f"Its fields: {', '.join(types)}.",
                )
            try:
                given[name] = msgspec.convert(value, types[name], strict=False)
            except msgspec.ValidationError as error:
                hint = may_be(types[name], cls.defaults().get(name, NO_DEFAULT))
                raise UsageError(
                    f"{source}: {cls.__name__}.{name} = {value!r}: {in_words(str(error))}.", hint=hint
                ) from error
        needed = [name for name in types if name not in given and name not in cls.defaults()]
        if needed:
            raise UsageError(
                f"{source}: {cls.__name__}.{needed[0]} has no default and was given no value.",
                hint=f"Give it one in the class, in the scenario, or with --set {needed[0]}=VALUE.",
            )
        try:
            return cls(**given)
        except ValueError as error:
            raise UsageError(f"{source}: {error}") from error

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the hyper-parameters' defaults as plain JSON-able values; one without a default is left out."""
        given = {
            f.name: f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
            for f in dataclasses.fields(cls)
        }
        plain: dict[str, Any] = msgspec.to_builtins({k: v for k, v in given.items() if v is not dataclasses.MISSING})
        return plain

    def values(self) -> dict[str, Any]:
        """Return the hyper-parameters as plain JSON-able values."""
        plain: dict[str, Any] = msgspec.to_builtins({name: getattr(self, name) for name in self.fields_of()})
        return plain

    def changed(self) -> dict[str, Any]:
        """Return the hyper-parameters that differ from the defaults."""
        defaults = self.defaults()
        return {k: value for k, value in self.values().items() if k not in defaults or value != defaults[k]}


@functools.lru_cache(maxsize=256)
def _types(kind: type[Fields]) -> dict[str, Any]:
    hints = get_type_hints(kind)  # a millisecond or two, and a run asks often
    return {f.name: hints[f.name] for f in dataclasses.fields(kind)}
