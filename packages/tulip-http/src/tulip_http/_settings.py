"""Records of settings: frozen, with defaults, and checked when they are made.

They are what frozen dataclasses would be, for type checkers too. But the module `dataclasses`
brings `inspect` with it: 7 ms, a fifth of what importing this package costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn, dataclass_transform

from tulip_http._typing import override

if TYPE_CHECKING:
    from inspect import Signature
    from typing import Self


class _FieldsAsSignature:
    """What `inspect.signature` asks a class for; made when it does."""

    def __get__(self, _: object, kind: type[Settings]) -> Signature:
        from inspect import Parameter, Signature

        form = Parameter.POSITIONAL_OR_KEYWORD
        kinds = kind.__annotations__
        return Signature(
            [
                Parameter(name, form, default=default, annotation=kinds[name])
                for name, default in kind._defaults.items()
            ]
        )


@dataclass_transform(frozen_default=True)
class Settings:
    """The base of such a record: its fields are the annotations of the class, each with a default.

    Two with equal fields are equal. `copy.replace` works, from Python 3.13 on.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[_FieldsAsSignature] = _FieldsAsSignature()

    _defaults: ClassVar[dict[str, object]] = {}

    @override
    def __init_subclass__(cls) -> None:
        cls._defaults = {name: getattr(cls, name) for name in cls.__annotations__}
        # As a dataclass has it; mypy takes it for a constant that it writes itself.
        cls.__match_args__ = tuple(cls._defaults)  # type: ignore[misc]

    def __init__(self, *args: object, **fields: object) -> None:
        """Take the fields by name, or in their order.

        Raises:
            TypeError: There is no such field, or it was given twice.
            ValueError: A field cannot have this value.
        """
        defaults = self._defaults
        if len(args) > len(defaults):
            raise TypeError(f"{type(self).__name__} has {len(defaults)} fields, got {len(args)}")
        given = dict(zip(defaults, args, strict=False))
        for name in fields:
            if name not in defaults or name in given:
                what = "twice" if name in given else "which it does not have"
                raise TypeError(f"{type(self).__name__} got the field {name!r} {what}")
        given |= fields
        # Not through __dict__: once that was looked at, every reading of a field is slower.
        store = object.__setattr__
        for name, default in defaults.items():
            store(self, name, given.get(name, default))
        self._check()

    def _check(self) -> None:
        """Raise `ValueError` if a field has a value that it cannot have."""

    def _fields(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self._defaults}

    @override
    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name!r}")

    @override
    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name!r}")

    def __replace__(self, **changes: object) -> Self:
        return type(self)(**{**self._fields(), **changes})

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Settings) or type(other) is not type(self):
            return NotImplemented
        return self._fields() == other._fields()

    @override
    def __hash__(self) -> int:
        return hash(tuple(self._fields().values()))

    @override
    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields().items())
        return f"{type(self).__name__}({fields})"
