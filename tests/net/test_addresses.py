"""How addresses are written."""

import pytest

from tulip_net import Address, format_address


@pytest.mark.parametrize(
    "address, text",
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("example.org", 80), "example.org:80"),
        (("::1", 80), "[::1]:80"),
        (("fe80::1%eth0", 80, 0, 2), "[fe80::1%eth0]:80"),
        ("/run/socket", "/run/socket"),
        (b"/run/\xff", "/run/\\xff"),
        (b"\0abstract", "@abstract"),
        ("", "an unnamed socket"),
        (None, "an unnamed socket"),
    ],
)
def test_an_address_is_written_as_in_a_url(address: Address | None, text: str) -> None:
    assert format_address(address) == text
