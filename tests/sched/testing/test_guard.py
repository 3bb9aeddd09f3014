"""The leak check after every test of our own suite bites, once, and names what was left."""

import pytest

pytestmark = pytest.mark.slow  # starts pytest anew

FAULTY = """
    import pytest
    from tulip_sched import create_task, current_context, run, set_context_provider, sleep

    async def leave_a_timer():
        current_context().eventloop.call_later(60, print)

    def test_timer():
        run(leave_a_timer())

    def test_task():
        create_task(sleep(0), "forgotten")

    def test_provider():
        context = current_context()
        set_context_provider(lambda: context)
        set_context_provider(lambda: type(context)())

    @pytest.mark.leaves_behind("on purpose")
    def test_declared():
        run(leave_a_timer())

    def test_clean():
        run(sleep(0))
"""


def test_what_a_test_leaves_in_its_context_is_named(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makeini("[pytest]\nmarkers = leaves_behind(reason): not checked\n")
    pytester.makepyfile(FAULTY)
    result = pytester.runpytest_subprocess(
        "-p", "tests.guards.leftovers", "-p", "tests.guards.loops"
    )
    result.assert_outcomes(passed=5, errors=3)
    told = result.stdout.str()
    for name in ("TimerHandle", "'forgotten'", "a context provider"):
        assert name in told
