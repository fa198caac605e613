"""A day with the snap: a Service is answered, settings change in both ways, state and log are where they are sought."""

from functools import partial

from speakerd import snap
from tests.lab.waiting import eventually
from tests.snap.site import ONE, PACE, VIP, Site
from tests.snap.steps import SETTINGS, SLOW, UNIT, answering, forget, save

WATCHED = 20
"""Seconds of the machine's own clock."""
ROUTER = {"name": "tor", "myASN": 64512, "peerASN": 64513, "peerAddress": "10.99.0.201"}


def test_a_client_is_answered_by_arp_and_reaches_the_service(announcing: Site) -> None:
    forget(announcing)
    eventually(partial(answering, announcing, ONE), f"{VIP} is answered for", SLOW)
    with announcing.probe() as probe:
        announcing.status(snap.NAME)
    assert probe.came.nodes == [ONE.name]
    assert not probe.came.lost


def test_while_nothing_changes_the_announcer_takes_hardly_any_of_the_processor(announcing: Site) -> None:
    announcer = announcing.status(snap.NAME)["processes"]["announcer"]
    used = f"cut -d' ' -f1 /proc/{announcer}/schedstat; cut -d' ' -f1 /proc/uptime"
    before, then, after, now = map(float, announcing.machine.shell(f"{used}; sleep {WATCHED}; {used}", SLOW).split())
    assert (after - before) / 1e9 < (now - then) / 4


def test_an_option_that_holds_is_written_down_and_shown(announcing: Site) -> None:
    announcing.machine.run("snap", "set", snap.NAME, "log-level=debug")
    assert announcing.machine.run("snap", "get", snap.NAME, "log-level").strip() == "debug"
    written = announcing.machine.run("cat", f"/var/snap/{snap.NAME}/current/speakerd.yaml")
    assert "debug" in written


def test_an_option_that_does_not_hold_is_refused_and_the_old_one_kept(announcing: Site) -> None:
    before = announcing.machine.run("snap", "get", "-d", snap.NAME)
    for option, words in (("iprange=10.99.10.9-10.99.10.1", "Invalid iprange"), ("log-level=loud", "log-level")):
        done = announcing.machine.attempt("snap", "set", snap.NAME, option)
        assert done.code != 0
        assert words in done.err
    assert announcing.machine.run("snap", "get", "-d", snap.NAME) == before


def test_the_file_of_the_host_takes_effect_when_it_is_saved(announcing: Site) -> None:
    save(announcing.machine, {**PACE, "bgpPeers": [ROUTER]})
    eventually(lambda: listens(announcing, 179), "routers may call on port 179", SLOW)
    save(announcing.machine, {**PACE, "bgpPeers": [ROUTER], "http": {"bind": "127.0.0.1:7480"}})
    eventually(lambda: listens(announcing, 7480), "the other port is listened on", SLOW)


def test_a_file_with_a_mistake_changes_nothing_and_reload_says_so(announcing: Site) -> None:
    before = announcing.machine.run("cat", SETTINGS)
    save(announcing.machine, {**PACE, "membership": {"preset": "swift"}})
    done = announcing.machine.attempt("systemctl", "reload", UNIT)
    assert done.code != 0
    eventually(lambda: "swift" in announcing.machine.run("snap", "logs", "-n=50", snap.NAME), "the log names it", SLOW)
    assert answering(announcing, ONE)
    announcing.machine.write(SETTINGS, before)
    announcing.machine.run("systemctl", "reload", UNIT)
    announcing.machine.run("snap", "restart", "--reload", f"{snap.NAME}.{snap.SERVICE}")


def test_systemd_and_snapd_show_how_it_is(announcing: Site) -> None:
    told = announcing.machine.run("systemctl", "status", "--no-pager", UNIT)
    assert "active (running)" in told
    assert announcing.machine.run("snap", "logs", snap.NAME).strip()
    assert "active" in announcing.machine.run("snap", "services", snap.NAME)


def listens(site: Site, port: int) -> bool:
    """Whether somebody in the machine waits for connections to `port`."""
    return bool(site.machine.run("ss", "-Hltn", f"sport = :{port}").strip())
