from pathlib import Path

import pytest

from centrex.routing.rfc3263 import Kind, Question
from centrex.runtime.hosts import HostsFile

TEXT = """\
# comment
127.0.0.20\tPBX pbx.lan.   # the telephone system
2001:db8::20 pbx
127.0.0.20 pbx
not-an-address broken.lan
fe80::1%eth0 zoned.lan
127.0.0.21
\xff 127.0.0.1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "hosts"
    file.write_text(TEXT, encoding="latin-1")
    return file


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        ("A", "pbx", ["127.0.0.20"]),
        ("AAAA", "pbx", ["2001:db8::20"]),
        ("A", "pbx.lan", ["127.0.0.20"]),
        ("AAAA", "pbx.lan", []),
        ("NAPTR", "pbx.lan", ()),
        ("SRV", "_sip._udp.pbx.lan", ()),
        ("NAPTR", "single", ()),
        ("SRV", "_sip._tcp.single", ()),
        ("A", "localhost", ["127.0.0.1"]),
        ("AAAA", "x.localhost", ["::1"]),
        ("A", "single", None),
        ("A", "broken.lan", None),
        ("A", "zoned.lan", None),
        ("NAPTR", "example.com", None),
        ("SRV", "_sip._udp.example.com", None),
    ],
)
def test_what_the_file_answers(
    path: Path, kind: Kind, name: str, answer: list[str] | tuple[()] | None
) -> None:
    assert HostsFile(path).answer(Question(kind, name)) == answer


def test_a_file_that_changed_is_read_again(path: Path) -> None:
    now = 0.0
    hosts = HostsFile(path, clock=lambda: now)
    assert hosts.addresses("new.lan") == ()
    path.write_text("127.0.0.22 new.lan\n")
    assert hosts.addresses("new.lan") == ()
    now = 5.0
    assert hosts.addresses("new.lan") == ("127.0.0.22",)
    path.unlink()
    now = 10.0
    assert hosts.addresses("new.lan") == ()
    assert hosts.addresses("localhost") == ("127.0.0.1", "::1")


def test_only_so_much_of_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("centrex.runtime.hosts.MAX_OCTETS", 20)
    path.write_text("127.0.0.22 near.lan\n127.0.0.23 far.lan\n")
    hosts = HostsFile(path)
    assert hosts.addresses("near.lan") == ("127.0.0.22",)
    assert hosts.addresses("far.lan") == ()
