"""Where an MX record may point."""

import pytest

from services.relay.networks import Networks


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.254",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.255.255",
        "198.19.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "100::1",
        "2001:db8::1",
        "2001:10::1",
        "3fff::1",
        "64:ff9b:1::a00:1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_special_networks_are_forbidden(address: str) -> None:
    assert not Networks(()).permits(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "193.0.0.1",
        "223.255.255.255",
        "2a00:1450:4001::1a",
        "2606:4700::1111",
        "2001:4860:4860::8888",
    ],
)
def test_the_public_internet_is_permitted(address: str) -> None:
    assert Networks(()).permits(address)


FORMS = {
    "mapped": "::ffff:{dotted}",
    "compatible": "::{dotted}",
    "translated": "::ffff:0:{dotted}",
    "NAT64": "64:ff9b::{dotted}",
    "6to4": "2002:{hex}::1",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("dotted", "hex_groups", "permitted"),
    [("127.0.0.1", "7f00:1", False), ("10.0.0.1", "a00:1", False), ("8.8.8.8", "808:808", True)],
)
def test_an_address_that_carries_an_ipv4_address_is_judged_by_it(
    form: str, dotted: str, hex_groups: str, permitted: bool
) -> None:
    assert Networks(()).permits(form.format(dotted=dotted, hex=hex_groups)) is permitted


@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        # RFC 4380 section 4: server, flags, port, and the client's IPv4 address with all bits inverted.
        ("2001:0:808:808:0:ffff:f5ff:fffe", False),  # client 10.0.0.1 behind server 8.8.8.8
        ("2001:0:a00:1:0:ffff:f7f7:f7f7", False),  # client 8.8.8.8 behind server 10.0.0.1
        ("2001:0:808:808:0:ffff:f7f7:f7f7", True),
    ],
)
def test_a_teredo_address_is_judged_by_its_server_and_its_client(address: str, permitted: bool) -> None:
    assert Networks(()).permits(address) is permitted


def test_an_allowed_network_is_open_in_every_form_and_no_other_is() -> None:
    networks = Networks(["127.0.0.0/8", "::1"])
    assert networks.permits("127.0.0.2")
    assert networks.permits("::ffff:127.0.0.2")
    assert networks.permits("::1")
    assert not networks.permits("10.0.0.1")
    assert not networks.permits("::")
    # Opening one end of a Teredo address does not open the other.
    assert not networks.permits("2001:0:7f00:1:0:ffff:f5ff:fffe")


@pytest.mark.parametrize("text", ["", "mx.example.com", "127.1", "0x7f000001", "8.8.8.8:25", "010.0.0.1"])
def test_what_is_no_address_is_not_permitted(text: str) -> None:
    assert not Networks(["0.0.0.0/0"]).permits(text)


def test_a_malformed_allowance_is_an_error() -> None:
    with pytest.raises(ValueError, match="host bits"):
        Networks(["127.0.0.1/8"])
