"""What a relay tells of itself: rates, its proxies, a line for the log."""

from dataclasses import dataclass

from centrex.runtime.relay.beats import SUMMARY_S, Beats


@dataclass
class Link:
    name: str
    is_up: bool = True


class World:
    def __init__(self, *links: Link) -> None:
        self.now, self.cpu_s = 1000.0, 1.5
        self.counts = {"packets": 0, "octets": 0, "packets_out": 0, "octets_out": 0}
        self.owners: dict[str, int] = {}
        self.beats = Beats(
            self.figures, lambda: self.owners, links, clock=lambda: self.now, cpu=lambda: self.cpu_s
        )

    def figures(self) -> dict[str, object]:
        told = {"sessions": sum(self.owners.values()), "peak": 7, "total": 9, "refused": 2}
        return {**self.counts, **told, "drops": {"no-session": 3, "empty": 1}}


def test_rates_are_over_the_time_since_the_beat_before() -> None:
    world = World()
    first = world.beats.beat()
    assert (first["packets_per_s"], first["octets_out_per_s"]) == (0, 0)
    world.counts = {"packets": 500, "octets": 80_000, "packets_out": 480, "octets_out": 76_800}
    world.now += 0.5
    assert world.beats.beat()["packets_per_s"] == 0, "too early for a rate"
    world.now += 1.5
    told = world.beats.beat()
    assert (told["packets_per_s"], told["packets_out_per_s"]) == (250, 240)
    assert (told["octets_per_s"], told["octets_out_per_s"]) == (40_000, 38_400)
    assert (told["dropped"], told["cpu_ms"]) == (4, 1500)


def test_each_proxy_with_its_sessions_connected_or_not() -> None:
    world = World(Link("one"), Link("192.0.2.7:5090", is_up=False))
    world.owners = {"one": 4, "gone": 2}
    assert world.beats.beat()["proxies"] == [
        ["one", True, 4],
        ["192.0.2.7:5090", False, 0],
        ["gone", False, 2],
    ]
    world = World(*(Link(f"p{n}") for n in range(99)))
    assert len(world.beats.beat()["proxies"]) == 64


def test_the_log_has_a_line_when_there_is_news_and_not_too_often() -> None:
    link = Link("one")
    world = World(link)
    world.owners = {"one": 4}
    assert world.beats.summary() == ""
    world.now += SUMMARY_S
    words = world.beats.summary()
    assert words.startswith("4 calls, 7 at most, 9 in all; one is connected, 4 calls; in 0, out 0")
    assert words.endswith("4 dropped, 2 calls refused")
    world.now += SUMMARY_S
    assert world.beats.summary() == "", "nothing has changed"
    link.is_up = False
    assert world.beats.summary() == ""
    world.now += SUMMARY_S
    assert "one is not connected, 4 calls" in world.beats.summary()
