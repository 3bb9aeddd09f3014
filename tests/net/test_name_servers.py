"""Names, asked of a real name server that is slow, fails, or knows IPv6 only."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.net.behind_dnsmasq import SCENARIOS, SLOW_SECONDS
from tests.opponents.need import missing, program

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program in `tests.net.behind_dnsmasq` saw."""
    folder = tmp_path_factory.mktemp("dnsmasq")
    dnsmasq = program("dnsmasq", package="dnsmasq-base")
    tools = [program("ip", package="iproute2"), program("mount", package="mount")]
    unshare: list[str | Path] = [program("unshare", package="util-linux"), "--net", "--mount"]
    if os.geteuid():
        unshare.append("--map-root-user")
    if subprocess.run([*unshare, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        missing("no namespace can be made here; run the tests as root, in a privileged container")
    done = subprocess.run(
        [*unshare, sys.executable, "-m", "tests.net.behind_dnsmasq", folder, dnsmasq, *tools],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    seen: dict[str, Any] = json.loads(done.stdout)
    assert len(seen) == len(SCENARIOS)
    return seen


pytestmark = pytest.mark.slow  # the first one waits for all scenarios, some seven seconds


def test_slow_names_starve_neither_threads_nor_other_names(outcomes: dict[str, Any]) -> None:
    thread, name, everything = outcomes["slow_names_starve_nobody"]
    assert thread < SLOW_SECONDS
    assert name < SLOW_SECONDS
    assert SLOW_SECONDS <= everything < 10 * SLOW_SECONDS  # one by one: 20 times


def test_one_question_serves_many_tasks(outcomes: dict[str, Any]) -> None:
    threads, questions = outcomes["one_question_serves_many_tasks"]
    assert threads < 20
    assert questions == 1


def test_a_cancelled_question_holds_nobody_up(outcomes: dict[str, Any]) -> None:
    """The name server is silent for a second; the run ends before."""
    assert outcomes["a_cancelled_question_holds_nobody_up"] < 0.5


def test_questions_that_wait_for_a_thread_can_be_taken_back(outcomes: dict[str, Any]) -> None:
    threads, questions = outcomes["what_waits_for_a_thread_can_be_cancelled"]
    assert 31 <= threads <= 32  # one may still ask what the test before took back
    assert questions == 32


def test_failures_say_why(outcomes: dict[str, Any]) -> None:
    failures = outcomes["failures"]
    reason, seconds = failures["a.gone.example"]
    assert "Name or service not known" in reason
    assert seconds < 5
    for name in ("a.failing.example", "a.silent.example"):
        assert "Temporary failure in name resolution" in failures[name][0]


def test_only_ipv6(outcomes: dict[str, Any]) -> None:
    first, refusal, last = outcomes["only_ipv6"]
    assert (first, last) == ("::1", "127.0.0.1")
    assert "No address associated with hostname" in refusal


def test_an_answer_is_remembered_for_its_age_and_no_longer(outcomes: dict[str, Any]) -> None:
    seen = outcomes["an_answer_is_remembered_for_its_age"]
    assert seen == ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.9"]


def test_an_address_is_asked_for_its_name(outcomes: dict[str, Any]) -> None:
    assert outcomes["addresses_have_names"] == [
        ["named.example", "http"],
        ["named.example", "443"],
        ["192.0.2.8", "4321"],
        ["192.0.2.7", "4321"],
        "cannot resolve '192.0.2.8': Name or service not known",
    ]
