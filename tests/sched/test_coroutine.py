"""One coroutine, two keywords; and what the decorator leaves as it was."""

import doctest
import functools
import inspect
import pickle
import sys
import types
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tulip_sched import Coroutine, Gen, Task, _flags, coroutine, run, sleep


@coroutine
def module_level(first: int, /, second: int = 2, *, third: int = 3) -> Gen[tuple[int, int, int]]:
    """Give the arguments back.

    >>> run(module_level(1))
    (1, 2, 3)
    """
    yield from sleep(0)
    return first, second, third


@coroutine
async def native(value: int) -> int:
    await sleep(0)
    return value


class Thing:
    factor = 2

    def __init__(self, value: int) -> None:
        self.value = value

    @coroutine
    def double(self) -> Gen[int]:
        yield from sleep(0)
        return self.factor * self.value

    @staticmethod
    @coroutine
    def fixed(value: int) -> Gen[int]:
        yield from sleep(0)
        return value

    @classmethod
    @coroutine
    def made(cls, value: int) -> Gen["Thing"]:
        yield from sleep(0)
        return cls(value)


class Heir(Thing):
    @coroutine
    def double(self) -> Gen[int]:  # type: ignore[explicit-override]
        return 1 + (yield from super().double())


@pytest.mark.parametrize(
    "made", [lambda: module_level(1), lambda: native(1)], ids=["generator", "async def"]
)
def test_both_keywords_give_the_result(made: Callable[[], Coroutine[object]]) -> None:
    @coroutine
    def by_yield_from() -> Gen[object]:
        return (yield from made())

    async def by_await() -> object:
        return await made()

    assert run(by_yield_from()) == run(by_await()) == run(made())


@pytest.mark.parametrize("keyword", ["yield from", "await"])
def test_both_keywords_let_an_exception_through(keyword: str) -> None:
    @coroutine
    def fail() -> Gen[None]:
        yield from sleep(0)
        raise LookupError("from within")

    @coroutine
    def by_yield_from() -> Gen[str]:
        try:
            yield from fail()
        except LookupError as error:
            return str(error)
        return "nothing"

    async def by_await() -> str:
        try:
            await fail()
        except LookupError as error:
            return str(error)
        return "nothing"

    assert run(by_yield_from() if keyword == "yield from" else by_await()) == "from within"


def test_positional_default_and_keyword_only_arguments_are_kept() -> None:
    assert run(module_level(7)) == (7, 2, 3)
    assert run(module_level(7, second=8, third=9)) == (7, 8, 9)
    with pytest.raises(TypeError, match="positional-only"):
        module_level(first=1)  # type: ignore[call-arg, unused-awaitable]


def test_methods_static_methods_and_class_methods_work() -> None:
    assert run(Thing(4).double()) == 8
    assert run(Thing.fixed(5)) == 5
    made = run(Heir.made(6))
    assert type(made) is Heir
    assert run(made.double()) == 13


def test_closures_are_shared_with_the_enclosing_function() -> None:
    count = 0

    @coroutine
    def increment() -> Gen[int]:
        nonlocal count
        yield from sleep(0)
        count += 1
        return count

    run(increment())
    assert count == 1
    assert run(increment()) == 2


def test_a_recursive_coroutine_finds_itself() -> None:
    @coroutine
    def fall(height: int) -> Gen[int]:
        if height == 0:
            yield from sleep(0)
            return 0
        return 1 + (yield from fall(height - 1))

    assert run(fall(50)) == 50


def test_name_doc_signature_annotations_and_module_are_kept() -> None:
    assert module_level.__name__ == "module_level"
    assert module_level.__qualname__ == "module_level"
    assert module_level.__module__ == __name__
    assert (module_level.__doc__ or "").startswith("Give the arguments back.")
    shown = str(inspect.signature(module_level))
    assert shown.startswith("(first: int, /, second: int = 2, *, third: int = 3)")
    assert Thing.double.__qualname__ == "Thing.double"
    assert inspect.getsource(module_level).startswith("@coroutine")


def test_attributes_and_an_inner_signature_of_the_function_are_kept() -> None:
    def shown(value: int) -> None:
        """Be what is shown."""

    def wrapper(*args: int) -> Gen[tuple[int, ...]]:
        yield from sleep(0)
        return args

    functools.update_wrapper(wrapper, shown)
    wrapper.mark = "kept"  # type: ignore[attr-defined]
    decorated: Any = coroutine(wrapper)
    assert decorated.mark == "kept"
    assert list(inspect.signature(decorated).parameters) == ["value"]
    assert run(decorated(1, 2)) == (1, 2)


def test_the_undecorated_function_is_not_shown_by_unwrap() -> None:
    assert inspect.unwrap(module_level) is module_level


def test_a_decorated_function_pickles_by_name() -> None:
    assert pickle.loads(pickle.dumps(module_level)) is module_level
    assert pickle.loads(pickle.dumps(Thing.double)) is Thing.double


def test_doctest_finds_and_runs_the_examples() -> None:
    tests = [test for test in doctest.DocTestFinder().find(sys.modules[__name__]) if test.examples]
    assert [test.name.rpartition(".")[2] for test in tests] == ["module_level"]
    assert doctest.DocTestRunner().run(tests[0]) == (0, 1)


def test_inspect_knows_what_a_call_returns() -> None:
    assert inspect.isgeneratorfunction(module_level)
    made = module_level(1)
    assert inspect.isawaitable(made)
    run(made)


def test_decorating_twice_is_once() -> None:
    once: Any = module_level
    twice = coroutine(once)
    assert run(twice(7)) == (7, 2, 3)


def test_a_types_coroutine_can_be_decorated() -> None:
    @coroutine
    @types.coroutine
    def generator() -> Gen[None]:
        yield from sleep(0)

    assert run(generator()) is None


def test_a_generator_that_is_not_decorated_runs_as_a_task() -> None:
    def plain() -> Gen[int]:
        yield from sleep(0)
        return 3

    assert run(plain()) == 3


def test_a_function_without_yield_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"forgotten\(\) contains no yield"):

        @coroutine  # type: ignore[arg-type]
        def forgotten() -> None:
            pass


@pytest.mark.parametrize("wrong", [3, "text", print, functools.partial(print), Thing, None])
def test_what_is_no_function_is_refused_by_value(wrong: Any) -> None:
    with pytest.raises(TypeError, match="needs a generator function or an async def, got"):
        coroutine(wrong)


def test_a_class_method_below_the_decorator_is_told_the_order() -> None:
    wrong: Any = classmethod(lambda cls: None)
    with pytest.raises(TypeError, match="got <classmethod"):
        coroutine(wrong)


def test_an_async_generator_is_refused_for_what_it_is() -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"numbers\(\) is an async generator"):
        coroutine(numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [3, "text", [sleep], None, object()])
def test_a_task_of_something_else_is_refused_by_value(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a task needs a coroutine, got"):
        Task(wrong).cancel()


def test_a_task_of_a_coroutine_function_asks_for_the_call() -> None:
    wrong: Any = module_level
    with pytest.raises(TypeError, match="did you forget to call it"):
        Task(wrong).cancel()


def test_a_task_of_an_object_with_only_await_works() -> None:
    class Custom:
        def __await__(self) -> Gen[int]:
            yield from sleep(0)
            return 5

    custom: Any = Custom()
    assert run(custom) == 5


@pytest.mark.parametrize("name", [name for name in vars(_flags) if name.startswith("CO_")])
def test_the_flags_of_code_objects_are_those_of_inspect(name: str) -> None:
    assert getattr(_flags, name) == getattr(inspect, name)
