"""The comparison of calls and coroutines measures what it says, and prints it."""

from typing import Any

import pytest

from benchmarks import p3time


@pytest.mark.parametrize("name", p3time.TREES)
def test_every_tree_has_its_nodes(name: str) -> None:
    assert p3time.TREES[name](3, 30) == 30


def test_all_trees_agree() -> None:
    driven = (p3time.generator_tree, p3time.tulip_tree, p3time.mixed_tree, p3time.native_tree)
    results = {p3time.drive(tree(5)) for tree in driven}
    assert results == {p3time.plain_tree(5)} == {2**6 - 1}


@pytest.mark.parametrize("depth", [2, 5])
def test_every_chain_suspends_as_often_as_told(depth: int) -> None:
    chains: list[Any] = [p3time.generator_chain, p3time.tulip_chain, p3time.awaiting_chain]
    for chain in chains:
        coro = chain(depth, 7)
        for _ in range(7):
            assert coro.send(None) is None
        with pytest.raises(StopIteration):
            coro.send(None)


def test_it_prints_two_tables(capsys: pytest.CaptureFixture[str]) -> None:
    p3time.main(["--rounds", "1", "--steps", "50"])
    printed = capsys.readouterr().out
    for name in (*p3time.TREES, *p3time.CHAINS):
        assert f"\n{name} " in printed
    assert printed.count("\ndepth ") == 2


def test_no_rounds_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        p3time.main(["--rounds", "0"])
    assert "at least 1" in capsys.readouterr().err
