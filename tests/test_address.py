"""Where Redis is: URLs, clusters with several hosts, files of TLS, and what cannot go together."""

from pathlib import Path

import pytest

from streams.address import Address
from streams.errors import InvalidInput
from streams.slots import Node


def test_one_server_s_url_says_everything() -> None:
    address = Address("redis://user:p%40ss@cache.example:6380/2")
    assert address.arguments() == {
        "username": "user", "password": "p@ss", "host": "cache.example", "port": 6380, "db": 2
    }  # fmt: skip
    assert Address("unix:///run/valkey").arguments() == {"path": "/run/valkey"}
    assert (address.scheme, Address("unix:///run/valkey").scheme) == ("redis", "unix")


def test_a_cluster_may_be_named_by_several_hosts(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("a certificate")
    address = Address("rediss://user:pw@one.example:7000,two.example:7001,[::1]", cluster=True, ca=ca)
    assert address.seeds == (Node("one.example", 7000), Node("two.example", 7001), Node("::1", 6379))
    assert address.arguments() == {
        "username": "user", "password": "pw", "host": "one.example", "port": 7000, "ssl_ca_certs": str(ca)
    }  # fmt: skip


def test_nobody_prints_the_url_with_its_password() -> None:
    assert "sesame" not in repr(Address("redis://:sesame@cache.example"))


@pytest.mark.parametrize(
    ("url", "settings", "expected"),
    [
        ("unix:///run/valkey", {"cluster": True}, "a cluster has no unix socket"),
        ("redis://cache/1", {"cluster": True}, "a cluster has only 0"),
        ("redis://one,two", {}, "several hosts; expected OFFING_REDIS_CLUSTER=1"),
        ("redis://cache", {"ca": Path(__file__)}, "expected rediss://"),
        ("rediss://cache", {"cert": Path(__file__)}, "expected both or none"),
        ("rediss://cache", {"ca": Path("/nowhere.pem")}, "/nowhere.pem is not there"),
    ],
)
def test_what_cannot_go_together_is_said(url: str, settings: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected) as caught:
        Address(url, **settings)  # type: ignore[arg-type]
    assert caught.value.code == "SETTING_INVALID"
