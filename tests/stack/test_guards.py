"""The guards bite: these small suites have faults, and their runs name them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(
    pytester: pytest.Pytester, source: str, monkeypatch: pytest.MonkeyPatch
) -> pytest.RunResult:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess(
        "-p", "tests.guards.deadline", "-p", "tests.guards.leftovers"
    )


HANG = """
    import threading, time, pytest

    @pytest.mark.timeout(0.2)
    def test_hangs():
        threading.Thread(target=time.sleep, args=(1,), name="the other", daemon=True).start()
        try:
            threading.Event().wait()
        except Exception:
            pass

    def test_runs_after_it():
        pass
"""

LEAKS = """
    import os, subprocess, threading, time, pytest
    keep = []

    def test_pipe():
        keep.append(os.pipe())

    def test_thread():
        threading.Thread(target=time.sleep, args=(60,), name="the leaked", daemon=True).start()

    def test_child():
        keep.append(subprocess.Popen(["sleep", "10"], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL))

    def test_no_leak():
        pass

    @pytest.mark.leaves_behind("on purpose")
    def test_permitted_leak():
        keep.append(os.pipe())
"""


def test_a_hang_fails_and_the_suite_goes_on(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(pytester, HANG, monkeypatch)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*still running after 0.2 s", "*thread the other:"])


def test_what_is_left_behind_is_an_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(pytester, LEAKS, monkeypatch)
    result.assert_outcomes(passed=5, errors=3)
    for what in ("descriptor * -> pipe:*", "thread <Thread(the leaked,*", "child process *"):
        result.stdout.fnmatch_lines(["*left behind:", f"*{what}"])
