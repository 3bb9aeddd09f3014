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
                Parameter(name, form, default=getattr(kind, name), annotation=kinds[name])
                for name in kind.__match_args__
            ]
        )


@dataclass_transform(frozen_default=True)
class Settings:
    """The base of such a record: its fields are the annotations of the class, each with a default.

    Two with equal fields are equal. `copy.replace` works, from Python 3.13 on.
    """

    __match_args__: ClassVar[tuple[str, ...]] = ()
    __signature__: ClassVar[_FieldsAsSignature] = _FieldsAsSignature()

    @override
    def __init_subclass__(cls) -> None:
        # As a dataclass has it; mypy takes it for a constant that it writes itself.
        cls.__match_args__ = tuple(cls.__annotations__)  # type: ignore[misc]

    def __init__(self, *args: object, **fields: object) -> None:
        """Take the fields by name, or in their order.

        Raises:
            TypeError: There is no such field, or it was given twice.
            ValueError: A field cannot have this value.
        """
        names = self.__match_args__
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, got {len(args)}")
        given = dict(zip(names, args, strict=False))
        for name in fields:
            if name not in names or name in given:
                what = "twice" if name in given else "which it does not have"
                raise TypeError(f"{type(self).__name__} got the field {name!r} {what}")
        for name in names:
            self.__dict__[name] = getattr(type(self), name)
        self.__dict__.update(given, **fields)
        self._check()

    def _check(self) -> None:
        """Raise `ValueError` if a field has a value that it cannot have."""

    @override
    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name!r}")

    @override
    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name!r}")

    def __replace__(self, **changes: object) -> Self:
        return type(self)(**{**self.__dict__, **changes})

    @override
    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    @override
    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @override
    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"
