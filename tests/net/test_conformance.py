"""Every transport is put through the public conformance suite."""

import pytest

from tests.net.pairs import TLS, WHOLE, every_pair
from tests.opponents.certificates import Certificates
from tulip_net import run
from tulip_net.testing import ENDURANCE_CHECKS, HALF_CLOSE_CHECKS, TRANSPORT_CHECKS, Check


@pytest.mark.parametrize("kind", WHOLE + TLS)
@pytest.mark.parametrize("check", TRANSPORT_CHECKS, ids=lambda check: check.__name__)
def test_a_transport_conforms(check: Check, kind: str, certificates: Certificates) -> None:
    run(check(every_pair(certificates)[kind]))


@pytest.mark.parametrize("kind", WHOLE + TLS)
@pytest.mark.parametrize("check", HALF_CLOSE_CHECKS, ids=lambda check: check.__name__)
def test_a_half_closed_transport_conforms(
    check: Check, kind: str, certificates: Certificates
) -> None:
    run(check(every_pair(certificates)[kind]))


# Not the faulty ones, which take a few bytes of a gigabyte at a time; and each way of TLS once.
ENDURING = ["unix", "tcp", "pipes", "memory", "tls", "tls in tls"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDURING)
@pytest.mark.parametrize("check", ENDURANCE_CHECKS, ids=lambda check: check.__name__)
def test_a_transport_endures(check: Check, kind: str, certificates: Certificates) -> None:
    run(check(every_pair(certificates)[kind]))
