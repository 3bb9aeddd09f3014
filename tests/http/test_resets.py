"""A connection may be reset at any moment: the answer is right, or an error says what became of it.

Never is it half of an answer, the answer to another request, a request acted on twice that must not
be, a hang, or a place in the pool that is lost. ``TULIP_SEEDS`` in the environment tries others;
each seed is in the name of its test, and repeats it.
"""

import pickle

import pytest

from tests.http.storm import Outcome, Storm
from tests.seeds import seeds
from tulip_http import HTTPError, NetworkError, RemoteProtocolError, run
from tulip_sched.testing import virtual_time

SEEDS = seeds(8)

ROUNDS = 3

# Operations that fail, of either side. A body of 20 kB takes some dozens.
WEATHER = {
    "the client's": (0.01, 0.0),
    "the server's": (0.0, 0.01),
    "both, and often": (0.1, 0.1),
}


def outcomes(seed: int | None, client_resets: float, server_resets: float) -> list[Outcome]:
    with virtual_time():
        return run(Storm(seed, client_resets, server_resets).run(ROUNDS))


@pytest.fixture(scope="module")
def right() -> list[Outcome]:
    """What comes of the same requests in good weather."""
    found = outcomes(None, 0.0, 0.0)
    assert not [each for each in found if each.error is not None or each.served != 1]
    return found


@pytest.mark.parametrize("weather", WEATHER)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_answer_is_right_or_an_error(right: list[Outcome], seed: int, weather: str) -> None:
    for found, wanted in zip(outcomes(seed, *WEATHER[weather]), right, strict=True):
        if found.error is None:
            assert (found.said, found.body) == (wanted.said, wanted.body)
        else:
            assert isinstance(found.error, NetworkError | RemoteProtocolError), found
            assert found.error.request is not None
            assert str(pickle.loads(pickle.dumps(found.error))) == str(found.error)


@pytest.mark.parametrize("weather", WEATHER)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_must_not_be_done_twice_is_not(right: list[Outcome], seed: int, weather: str) -> None:
    """And ``safe_to_repeat`` is not said of a POST that the server has acted on."""
    for found in outcomes(seed, *WEATHER[weather]):
        again = found.ask.method != "POST"
        assert found.served <= 1 + again, found
        if found.error is None:
            assert found.served >= 1
        elif found.error.safe_to_repeat:
            assert again or found.served == 0, found


def test_a_seed_repeats_every_outcome() -> None:
    first, second = (outcomes(SEEDS[0], 0.05, 0.05) for _ in range(2))
    assert [summary(each) for each in first] == [summary(each) for each in second]
    assert any(isinstance(each.error, HTTPError) for each in first)
    assert any(each.error is None for each in first)


def summary(outcome: Outcome) -> tuple[object, ...]:
    return (*vars(outcome).values(),)[:-1], str(outcome.error).partition(" at 0x")[0]
