"""URLs of stores: servers, sockets, Clusters; and what is wrong is said without quoting it."""

from __future__ import annotations

import pytest

from services.chassis.store_url import StoreUrl


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("redis://store", "redis://store"),
        ("valkey://store:6380/3", "redis://store:6380/3"),
        (
            "rediss://u:p%40ss@store:1?ssl_ca_certs=/ca.pem",
            "rediss://u:p%40ss@store:1?ssl_ca_certs=/ca.pem",
        ),
        ("valkeys://store", "rediss://store"),
        ("redis://[::1]:1", "redis://[::1]:1"),
        ("unix:///run/valkey/s?db=1", "unix:///run/valkey/s?db=1"),
    ],
)
def test_one_server(text: str, url: str) -> None:
    assert StoreUrl.parse(text) == StoreUrl(url)


@pytest.mark.parametrize(
    ("text", "url", "others"),
    [
        ("redis+cluster://a", "redis://a", ()),
        ("valkey+cluster://u:p@a:1,b:2,c/0", "redis://u:p@a:1/0", (("b", 2), ("c", 6379))),
        ("rediss+cluster://a:1,[::1]:2", "rediss://a:1", (("::1", 2),)),
        ("valkeys+cluster://a,b", "rediss://a", (("b", 6379),)),
    ],
)
def test_a_cluster_is_some_of_its_nodes(text: str, url: str, others: tuple[tuple[str, int], ...]) -> None:
    assert StoreUrl.parse(text) == StoreUrl(url, True, others)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://hunter2",
        "redis://",
        "redis://store:0",
        "redis://store:65536",
        "redis://store/hunter2",
        "redis://:hunter2/x@store",
        "redis://:hunter2#x@store:6379",
        "redis://u:hunter2/x@store",
        "redis://store?retry_on_timeout=hunter2",
        "redis://store?decode_responses=1",
        "redis://a,b",
        "redis+cluster://",
        "redis+cluster://a,,b",
        "redis+cluster://a/1",
        "redis+cluster://u:hunt,er2@a,b",
        "redis+cluster://a,u:hunter2@b",
        "redis+sentinel://a",
        "redis+://a",
        "unix+cluster:///s",
        "unix://",
        "unix://host/s",
    ],
)
def test_anything_else_is_refused_in_one_line_that_quotes_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not of the form redis://") as caught:
        StoreUrl.parse(text)

    assert "hunt" not in str(caught.value)
    assert caught.value.__context__ is None
    assert "\n" not in str(caught.value)


def test_a_password_shows_itself_nowhere() -> None:
    assert "hunter2" not in repr(StoreUrl.parse("redis+cluster://:hunter2@a,b"))
