"""The pytest plugin, in runs of pytest of their own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # each starts pytest anew

BOTH_STYLES = """
import pytest
from tulip_sched import Lock, current_task, sleep

@pytest.fixture
def lock():
    return Lock()

@pytest.mark.tulip
async def test_async(lock):
    async with lock:
        await sleep(0)
    assert current_task().name == "main"

@pytest.mark.tulip
def test_generator(lock):
    with (yield from lock.holding()):
        yield from sleep(0)
    assert current_task().name == "main"

@pytest.mark.tulip
@pytest.mark.parametrize("number", [1, 2, 3])
def test_parametrized(number):
    yield from sleep(0)
    assert number != 2

@pytest.mark.tulip
class TestMethods:
    async def test_async(self):
        await sleep(0)

    def test_generator(self):
        yield from sleep(0)
        assert isinstance(self, TestMethods)

    @classmethod
    def test_of_the_class(cls):
        yield from sleep(0)
        assert cls is TestMethods

    @staticmethod
    def test_static():
        yield from sleep(0)

@pytest.mark.tulip
def test_plain():
    pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder for a run of pytest, in which warnings are errors."""
    monkeypatch.delenv("CI", raising=False)  # there, pytest prints its summary in full
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    return pytester


def test_both_styles_run_with_fixtures_parameters_and_methods(inner: pytest.Pytester) -> None:
    inner.makepyfile(BOTH_STYLES)
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(passed=9, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_parametrized?2?*"])


def test_a_marker_for_the_whole_module_counts(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest
        from tulip_sched import sleep
        pytestmark = pytest.mark.tulip

        async def test_async():
            await sleep(0)

        def test_generator():
            yield from sleep(0)
        """
    )
    inner.runpytest_inprocess().assert_outcomes(passed=2)


def test_what_is_not_marked_is_left_alone(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_async="async def test_it(): pass",
        test_generator="def test_it(): yield",
        test_plain="def test_it(): pass",
    )
    result = inner.runpytest_inprocess("-q", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*"])


def test_auto_mode_runs_every_coroutine_that_no_other_marker_claims(
    inner: pytest.Pytester,
) -> None:
    inner.makeini(
        "[pytest]\ntulip_mode = auto\nfilterwarnings = error\nmarkers = asyncio: another's\n"
    )
    inner.makepyfile(
        """
        import pytest
        from tulip_sched import sleep

        async def test_async():
            await sleep(0)

        def test_generator():
            yield from sleep(0)

        @pytest.mark.asyncio
        async def test_of_another_plugin():
            pass
        """
    )
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED *test_of_another_plugin*"])


def test_a_mode_that_does_not_exist_is_refused(inner: pytest.Pytester) -> None:
    inner.makeini("[pytest]\ntulip_mode = often\n")
    result = inner.runpytest_inprocess()
    result.stderr.fnmatch_lines(["*tulip_mode must be 'strict' or 'auto', got 'often'*"])


def test_the_virtual_clock_makes_waiting_free(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest
        from tulip_sched import create_task, current_context, sleep

        @pytest.mark.tulip
        async def test_it(virtual_clock):
            await sleep(3600)
            assert virtual_clock.now == 3600 == current_context().eventloop.time()

        @pytest.mark.tulip
        def test_leak(virtual_clock):
            current_context().eventloop.call_later(1, print)
            yield from sleep(0)

        def test_plain(virtual_clock):
            virtual_clock.advance(5)
            assert current_context().eventloop.time() == 5
        """
    )
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*LeakError: left behind:*", "*TimerHandle*print*"])


SEEDED = """
import pytest
from tulip_sched import TaskGroup, sleep

@pytest.mark.tulip(seeds=50)
async def test_order():
    seen = []

    async def note(name):
        await sleep(0)
        seen.append(name)

    async with TaskGroup() as group:
        for name in "abc":
            group.start_soon(note(name))
    assert seen != ["c", "b", "a"]
"""


def test_a_failing_seed_is_named_and_replayed(inner: pytest.Pytester) -> None:
    inner.makepyfile(SEEDED)
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    (line,) = [line for line in result.outlines if "with seed" in line]
    seed = int(line.split("with seed ")[1].split(";")[0])
    command = "pytest test_a_failing_seed_is_named_and_replayed.py::test_order"
    assert f"to replay: {command} --tulip-seed={seed}" in line
    assert "lambda" not in result.stdout.str()
    inner.runpytest_inprocess("-q", f"--tulip-seed={seed}").assert_outcomes(failed=1)
    for other in range(seed):
        inner.runpytest_inprocess("-q", f"--tulip-seed={other}").assert_outcomes(passed=1)


def test_seeds_and_the_virtual_clock_exclude_each_other(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest
        from tulip_sched import sleep

        @pytest.mark.tulip(seeds=3)
        async def test_it(virtual_clock):
            await sleep(0)
        """
    )
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*use no virtual_clock*"])


def test_hypothesis_examples_are_run_one_by_one(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest
        from hypothesis import given, settings, strategies as st
        from tulip_sched import run, sleep

        seen = set()

        @pytest.mark.tulip
        @settings(max_examples=20, database=None)
        @given(number=st.integers(0, 100))
        async def test_async(number):
            await sleep(0)
            seen.add(number)

        @pytest.mark.tulip
        @settings(max_examples=20, database=None)
        @given(number=st.integers(0, 100))
        def test_generator(number):
            yield from sleep(0)
            seen.add(number)

        def test_many():
            assert len(seen) > 5
        """
    )
    inner.runpytest_subprocess("-q").assert_outcomes(passed=3)


def test_pytest_starts_without_importing_tulip(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import sys

        def test_it(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("tulip")
            assert not [name for name in sys.modules if name.startswith("tulip")]
        """
    )
    inner.runpytest_subprocess("-p", "no:anyio").assert_outcomes(passed=1)


def test_the_plugin_gets_along_with_anyio(inner: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    inner.makepyfile(
        """
        import asyncio
        import pytest
        import anyio
        import tulip_sched

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_theirs():
            await anyio.sleep(0)
            assert asyncio.current_task() is not None

        @pytest.mark.tulip
        async def test_ours():
            await tulip_sched.sleep(0)
        """
    )
    inner.runpytest_subprocess("-q").assert_outcomes(passed=2)


def test_the_plugin_can_be_switched_off(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_it(): pass")
    inner.runpytest_subprocess("-p", "no:tulip").assert_outcomes(passed=1)


def test_importing_the_plugin_imports_nothing_of_the_package() -> None:
    program = "import _tulip_pytestplugin, sys; print([m for m in sys.modules if 'tulip_' in m])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "['_tulip_pytestplugin']"


def test_decorated_tests_run_in_debug_mode_too(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner.makepyfile(
        """
        import pytest
        from tulip_sched import coroutine, current_task, sleep

        @pytest.mark.tulip
        @coroutine
        def test_decorated():
            yield from sleep(0)
            assert current_task().name == "main"
        """
    )
    for debug in ("0", "1"):
        monkeypatch.setenv("TULIP_DEBUG", debug)
        inner.runpytest_subprocess().assert_outcomes(passed=1)


def test_coroutines_inside_plain_decorators_are_run(inner: pytest.Pytester) -> None:
    """Or they would pass unseen: the call of a generator function runs nothing."""
    inner.makepyfile(
        """
        import functools
        from unittest import mock

        import pytest
        from tulip_sched import coroutine, run, sleep

        pytestmark = pytest.mark.tulip

        def runs_it(test):
            @functools.wraps(test)
            def run_test():
                run(test())
            return run_test

        @mock.patch("os.getcwd")
        def test_generator(getcwd):
            yield from sleep(0)
            assert not getcwd.called, "never"
            assert False, "it ran"

        @mock.patch("os.getcwd")
        @coroutine
        def test_decorated(getcwd):
            yield from sleep(0)
            assert False, "it ran"

        @mock.patch("os.getcwd")
        async def test_async(getcwd):
            await sleep(0)
            assert False, "it ran"

        @runs_it
        async def test_that_is_run_already():
            await sleep(0)
        """
    )
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(passed=1, failed=3)
    assert result.stdout.str().count("AssertionError: it ran") == 3


def test_a_mark_that_would_run_nothing_or_without_its_seeds_is_refused(
    inner: pytest.Pytester,
) -> None:
    inner.makepyfile(
        """
        import pytest
        from tulip_sched import current_context, sleep

        @pytest.mark.tulip(3)
        async def test_positional():
            await sleep(1)
            assert current_context().eventloop.time() == 1

        @pytest.mark.tulip(seed=3)
        async def test_misspelled():
            await sleep(0)

        @pytest.mark.tulip(seeds=0)
        async def test_none():
            await sleep(0)

        @pytest.mark.tulip(seeds=2.5)
        async def test_wrong_kind():
            await sleep(0)
        """
    )
    result = inner.runpytest_inprocess("-q")
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["*wrong mark, tulip(seeds=None) is right:*'seed'*"])
    result.stdout.fnmatch_lines(["*no test is run with no seed, got seeds=0*"])
