"""What operators are told of a session that comes and goes."""

from speakerd.bgp.news import FAILURES, News
from speakerd.bgp.retry import STABLE
from speakerd.peering import FLAPPING


class Heard(list[tuple[str, str]]):
    def __call__(self, word: str, peer: str, detail: str) -> None:
        assert peer == "tor"
        self.append((word, detail))

    def words(self) -> list[str]:
        found = [word for word, _ in self]
        self.clear()
        return found


def flapping(heard: Heard) -> News:
    """One that came up and went down FLAPPING times."""
    news = News("tor", heard)
    for number in range(FLAPPING):
        news.up("192.0.2.2", number, 0.0)
        news.down("connection reset", number + 1)
    return news


def test_each_time_that_a_session_comes_and_goes_is_told() -> None:
    heard = Heard()
    news = News("tor", heard)
    for _ in range(5):
        news.up("192.0.2.2", 0, 0.0)
        assert heard.pop() == ("bgp.up", "192.0.2.2")
        news.down("connection reset", 0)
        assert heard.pop() == ("bgp.down", "connection reset")
    assert (heard, news.deadline()) == ([], None)


def test_of_one_that_flaps_that_it_does_is_told_and_no_more() -> None:
    heard = Heard()
    news = flapping(heard)
    assert heard[-1] == ("bgp.flaps", "3 in a row did not last 5 s; told again once one does")
    assert heard.words() == ["bgp.up", "bgp.down"] * FLAPPING + ["bgp.flaps"]
    for number in range(1000):
        news.up("192.0.2.2", FLAPPING + number, number)
        news.failed("connection refused", number)
        news.down("connection reset", FLAPPING + number + 1)
    assert heard.words() == ["bgp.failed"]


def test_one_that_lasts_after_all_is_told_as_up_and_then_as_down() -> None:
    heard = Heard()
    news = flapping(heard)
    heard.clear()
    news.up("192.0.2.2", FLAPPING, 10.0)
    assert (news.deadline(), news.lasts) == (10.0 + STABLE, False)
    news.wake(10.0 + STABLE - 0.1)
    assert heard.words() == []
    news.wake(10.0 + STABLE)
    assert (heard.words(), news.deadline(), news.lasts) == (["bgp.up"], None, True)
    news.down("connection reset", 0)
    assert heard.words() == ["bgp.down"]


def test_a_failure_is_told_once_until_there_is_another_or_a_session_between() -> None:
    heard = Heard()
    news = News("tor", heard)
    for why in ("no route", "no route", "refused", "no route"):
        news.failed(why, 0.0)
    assert heard.words() == ["bgp.failed"] * 3
    news.up("192.0.2.2", 0, 0.0)
    news.down("connection reset", 0)
    news.failed("no route", 0.0)
    assert heard.words() == ["bgp.up", "bgp.down", "bgp.failed"]


def test_who_fails_in_a_new_way_each_time_is_told_of_a_few_times_a_minute() -> None:
    heard = Heard()
    news = News("tor", heard)
    for number in range(1200):
        news.failed(f"received Cease/Administrative Shutdown: {number}", number / 10)
    assert heard.words() == ["bgp.failed"] * FAILURES * 2
