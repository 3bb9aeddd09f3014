"""The benchmarks measure what they say: the arithmetic, and a tiny round of each part."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks import goals
from benchmarks.echo import load as echo_load
from benchmarks.harness import compare, machine, processes, publish, rounds, tables
from benchmarks.harness.chart import chart
from benchmarks.harness.meter import Exactly, Meter, Sample
from benchmarks.harness.part import (
    AbsentError,
    Case,
    Competitor,
    Effort,
    Part,
    load,
)
from benchmarks.harness.results import CaseResult, PartResult, Results
from benchmarks.memory.census import anonymous_bytes
from tests.opponents import need

CASE = Case("work", "some work", "us", "piece")
FLOOR = Competitor("floor", "", floor=True)
OURS = Competitor("tulip", "", ours=True)
RIVAL = Competitor("rival", "")
EFFORT = Effort(rounds=3, seconds=0.01, scale=1.0)


def result(case: Case | None = None, /, **figures: float) -> CaseResult:
    """A case in which each competitor has one figure, three times."""
    made = CaseResult.of(case or CASE)
    for competitor in (FLOOR, OURS, RIVAL):
        for _ in range(3 if competitor.name in figures else 0):
            made.add(competitor, Sample(figures[competitor.name], 2 * figures[competitor.name], 10))
    return made


def results(**figures: float) -> Results:
    """A run with one part and one case."""
    effort = {"rounds": 3.0, "seconds": 1.0, "scale": 0.5}
    part = PartResult("part", "A part", "About it.", effort, {"work": result(**figures)})
    return Results({"cpu": "a CPU", "python": "a Python", "date": "today"}, {}, {"part": part})


class TestMeter:
    def test_it_warms_up_with_growing_counts_and_measures_the_last(self) -> None:
        meter = Meter(0.01, multiple=10)
        counts = []
        for count in meter:
            counts.append(count)
            for _ in range(count):
                sum(range(50))
        assert meter.sample is not None
        assert meter.sample.count == counts[-1]
        assert counts[0] == 10
        assert sorted(counts[:-1]) == counts[:-1]
        assert all(count % 10 == 0 for count in counts)
        assert 0 < meter.sample.figure < 1e9

    def test_it_divides_the_given_cpu_time_by_the_count(self) -> None:
        ticks = iter([1000, 5000])
        meter = Meter(0.001, cpu=lambda: next(ticks), most=8)
        list(meter)
        assert meter.sample is not None
        assert meter.sample.figure == 4000 / meter.sample.count

    def test_it_never_asks_for_more_than_the_most(self) -> None:
        assert max(Meter(10, most=5)) <= 5

    def test_an_exact_count_comes_once(self) -> None:
        assert list(Exactly(7)) == [7]


class TestProcesses:
    def test_the_cpu_clock_of_a_process_is_the_one_it_sees_itself(self) -> None:
        assert processes.cpu_clock(os.getpid())() > 0

    def test_memory_grows_with_what_is_kept(self) -> None:
        before = anonymous_bytes("self")
        # More than malloc ever takes from what was freed before (mallopt(3), M_MMAP_THRESHOLD).
        kept = b"x" * (64 << 20)
        assert anonymous_bytes("self") - before > len(kept) // 2

    def test_clients_are_not_led_astray_by_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("https_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, "somewhere")
        assert "somewhere" not in processes.environment().values()

    def test_a_program_that_fails_says_why(self) -> None:
        with pytest.raises(AbsentError, match=r"failed: .*nobody"):
            processes.take_sample("benchmarks.nobody")

    def test_a_competitor_that_is_not_installed_is_named(self) -> None:
        with pytest.raises(AbsentError, match=r"not installed: No module named .*nobody"):
            processes.take_sample(
                "benchmarks.scheduling.program", "benchmarks.nobody", "switch", 0.01
            )


class TestRounds:
    def measured(
        self, broken: Sequence[str] = (), only: Sequence[str] = ()
    ) -> tuple[PartResult, list[str]]:
        order: list[str] = []

        def sample(case: Case, competitor: Competitor) -> Sample:
            order.append(competitor.name)
            if competitor.name in broken and order.count(competitor.name) == 2:
                raise AbsentError("it broke")
            return Sample(1.0, 1.0, 1)

        @contextmanager
        def staged(_: Effort):  # type: ignore[no-untyped-def]
            yield sample

        part = Part("part", "A part", (CASE,), (FLOOR, OURS, RIVAL), staged, "")
        return rounds.measure(part, EFFORT, only), order

    def test_competitors_take_turns(self) -> None:
        _, order = self.measured()
        assert order == ["floor", "tulip", "rival"] * 3

    def test_one_that_breaks_half_way_is_left_out_with_its_reason(self) -> None:
        part, order = self.measured(broken=["rival"])
        assert list(part.cases["work"].entries) == ["floor", "tulip"]
        assert part.cases["work"].absent == {"rival": "it broke"}
        assert order.count("rival") == 2

    def test_only_some_take_part_when_they_are_named(self) -> None:
        _, order = self.measured(only=["tulip", "rival", "work"])
        assert order == ["tulip", "rival"] * 3


class TestResults:
    def test_medians_spread_and_ranks(self) -> None:
        case = result(floor=1.0, rival=4.0)
        for figure in (1.0, 2.0, 3.0):
            case.add(OURS, Sample(figure, figure, 1))
        ours = case.entries["tulip"]
        assert (ours.figure, ours.spread) == (2.0, 0.5)
        assert [entry.name for entry in case.ranked()] == ["floor", "tulip", "rival"]
        assert case.best_rival is case.entries["rival"]

    def test_more_can_be_better(self) -> None:
        case = result(replace(CASE, higher_is_better=True), tulip=5.0, rival=7.0)
        assert case.ranked()[0].name == "rival"

    def test_a_file_keeps_everything(self, tmp_path: Path) -> None:
        run = results(floor=1.0, tulip=2.0, rival=3.0)
        run.save(tmp_path / "deep" / "run.json")
        assert Results.load(tmp_path / "deep" / "run.json") == run

    def test_parts_that_were_measured_apart_come_together(self) -> None:
        one, other = results(tulip=1.0), results(tulip=2.0)
        other.parts = {"other": other.parts.pop("part")}
        assert set(Results.together([one, other]).parts) == {"part", "other"}
        other.machine["cpu"] = "another CPU"
        with pytest.raises(ValueError, match="different machines"):
            Results.together([one, other])

    def test_the_machine_and_the_versions_are_told(self) -> None:
        assert set(machine.describe()) == {"date", "commit", "cpu", "cores", "system", "python"}
        nobody = Competitor("nobody", "", "tulip-nobody")
        assert machine.versions([nobody])["tulip-nobody"] == "not installed"


class TestPages:
    def test_a_table_has_ratios_to_the_floor_and_to_the_best(self) -> None:
        case = result(floor=1000.0, tulip=2000.0, rival=4000.0)
        case.absent["nobody"] = "not installed"
        page = tables.table(case)
        assert "| **tulip** | 2.00 | ±0% | 4.00 | 2.00 | 0.50 |" in page
        assert "nobody: not installed" in page

    def test_a_report_names_machine_part_and_case(self) -> None:
        page = tables.report(results(floor=1000.0, tulip=2000.0))
        for words in ("- cpu: a CPU", "## A part", "3 samples of each, of 1 s", "### some work"):
            assert words in page

    def test_a_bar_far_beyond_the_others_is_cut_and_hides_no_difference(self) -> None:
        drawn = ET.fromstring(chart([result(floor=1.0, tulip=2.0, rival=1000.0)], ""))
        bars = [float(bar.attrib["width"]) for bar in drawn.findall(".//{*}rect")]
        assert bars[1] / bars[0] == pytest.approx(2, rel=0.1)
        assert bars[2] == max(bars)
        assert len(drawn.findall(".//{*}path")) == 1

    def test_a_chart_is_a_picture(self) -> None:
        drawn = ET.fromstring(chart([result(floor=1.0, tulip=2.0, rival=9.0)], "a < b"))
        bars = [float(bar.attrib["width"]) for bar in drawn.findall(".//{*}rect")]
        assert len(bars) == 3
        assert bars == sorted(bars)

    def test_publishing_replaces_what_is_between_the_marks(self, tmp_path: Path) -> None:
        page = tmp_path / "performance.md"
        page.write_text(f"above\n{publish.BEGIN}\nold\n{publish.END}\nbelow\n")
        run = results(tulip=2000.0)
        for _ in range(2):
            publish.publish(run, "the goals", "<svg/>", tmp_path)
        text = page.read_text()
        assert text.startswith("above\n")
        assert text.endswith("below\n")
        assert "old" not in text
        assert text.count("the goals") == 1
        assert Results.load(tmp_path / "measurements.json") == run


class TestCompare:
    def compared(self, before: float, after: float) -> compare.Difference:
        (found,) = compare.differences(results(tulip=before), results(tulip=after, rival=1.0))
        return found

    @pytest.mark.parametrize(
        "before,after,verdict", [(1.0, 1.01, "same"), (1.0, 1.5, "worse"), (1.5, 1.0, "better")]
    )
    def test_a_verdict(self, before: float, after: float, verdict: str) -> None:
        assert self.compared(before, after).verdict == verdict

    def test_a_difference_within_the_spread_is_none(self) -> None:
        before, after = results(tulip=1.0), results(tulip=1.2)
        before.parts["part"].cases["work"].add(OURS, Sample(1.5, None, 1))
        (found,) = compare.differences(before, after)
        assert found.verdict == "same"

    def test_the_command_fails_where_the_cost_grew_too_much(self, tmp_path: Path) -> None:
        before, after = tmp_path / "a.json", tmp_path / "b.json"
        results(tulip=1.0).save(before)
        results(tulip=2.0).save(after)
        for limit, status in (("3", 0), ("1.5", 1)):
            with pytest.raises(SystemExit) as exit_:
                command_line.main(["compare", str(before), str(after), "--at-most", limit])
            assert exit_.value.code == status


class TestGoals:
    def test_each_goal_is_about_a_case_and_a_competitor_that_exist(self) -> None:
        for goal in goals.GOALS:
            part = command_line.find_part(goal.part)
            cases = {case.name for case in part.cases}
            competitors = {competitor.name for competitor in part.competitors}
            assert goal.case in cases
            assert goal.ours in competitors
            assert goal.rival in competitors or goal.rival.removeprefix("case:") in cases

    def test_a_goal_is_met_or_missed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(goals, "GOALS", (goals.Goal("part", "work", "rival", 0.5),))
        assert "| 0.5 | 0.50 | met |" in goals.table(results(tulip=1.0, rival=2.0))
        assert "| 0.5 | 1.00 | **missed** |" in goals.table(results(tulip=1.0, rival=1.0))


@pytest.mark.parametrize("name", [*command_line.PARTS, command_line.COUNTED])
def test_every_competitor_has_its_file(name: str) -> None:
    for competitor in command_line.find_part(name).competitors:
        module = competitor.program.partition(":")[0]
        if module.startswith("benchmarks."):
            assert importlib.util.find_spec(module), competitor


def test_a_program_is_a_module_or_a_function_in_it() -> None:
    assert load("json") is json
    assert load("json:dumps") is json.dumps


def test_the_load_waits_in_the_kernel_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of Python's would put a `poll` before each of its calls (seen with strace)."""
    monkeypatch.setattr(echo_load, "PATIENCE", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (connection,) = echo_load.connect(silent.getsockname()[1], 1, None)
        assert connection.gettimeout() is None
        with connection, pytest.raises(BlockingIOError):
            echo_load.Line(connection, 1024).receive()


# A round of each part: the floor, ourselves, and what comes with Python.

TINY = ["--rounds", "1", "--seconds", "0.005", "--scale", "0.01"]
ROUNDS = {
    "scheduling": ["switch", "bare loop", "tulip", "tulip, await", "asyncio"],
    "echo": ["plain_1", "tls_1", "bare loop", "tulip", "tulip, await", "asyncio streams"],
    "transfer": ["blocking sockets", "tulip", "asyncio streams"],
    "accept": ["bare loop", "tulip", "asyncio protocols"],
    "memory": ["plain", "task", "bare loop", "tulip", "asyncio streams"],
    "http": ["kept_1", "new_tls_1", "download", "bare loop", "tulip"],
    "churn": ["goodput", "probes", "tulip"],
    "start": ["tulip_http", "asyncio"],
    "instructions": ["echo", "tulip"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ROUNDS)
def test_a_round(name: str, tmp_path: Path) -> None:
    """Each part runs from the command line, and everyone who was named has a figure."""
    if name in {"http", "instructions"}:
        need.program("nginx", package="nginx")
    if name == "instructions" and shutil.which("valgrind") is None:
        pytest.skip("no valgrind here, which only this part needs: apt-get install valgrind")
    only = [word for each in ROUNDS[name] for word in ("--only", each)]
    tiny = ["--rounds", "1"] if name == "instructions" else TINY
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, *tiny, *only, "--out", str(tmp_path)],
        env=processes.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    part = Results.load(tmp_path / f"{name}.json").parts[name]
    competitors = {each.name for each in command_line.find_part(name).competitors}
    for case in part.cases.values():
        reasons = [reason for reason in case.absent.values() if "failed" in reason]
        assert not reasons
        assert case.entries, case.absent
    assert {
        who for case in part.cases.values() for who in case.entries
    } == competitors.intersection(ROUNDS[name])
    assert (tmp_path / f"{name}.md").read_text().startswith("# Measurements")
