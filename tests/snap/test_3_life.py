"""Another revision, back again, and gone: a second member stands by, and no question of a client is lost."""

from speakerd import snap
from tests.lab.waiting import eventually
from tests.snap.site import ONE, Site
from tests.snap.steps import SETTINGS, SLOW, install, own, refused, revision, save, shown


def test_a_refresh_loses_no_question(beside: Site) -> None:
    own(beside)
    with beside.probe() as probe:
        install(beside.machine, 2)
        eventually(lambda: revision(beside) == "x2", "the second revision runs", SLOW)
    print(f"refresh: {probe.came}\n{beside.machine.run(snap.NAME, 'events')}")
    assert probe.came.nodes[0] == ONE.name
    assert probe.came.lost == []


def test_a_revert_loses_no_question(beside: Site) -> None:
    own(beside)
    with beside.probe() as probe:
        beside.machine.run("snap", "revert", snap.NAME, timeout=600)
        eventually(lambda: revision(beside) == "x1", "the first revision runs again", SLOW)
    print(f"revert: {probe.came}")
    assert probe.came.nodes[0] == ONE.name
    assert probe.came.lost == []


def test_a_revision_that_cannot_read_the_settings_is_rolled_back_and_never_ran(beside: Site) -> None:
    before, pid = beside.machine.run("cat", SETTINGS), shown(beside.machine, "MainPID")
    save(beside.machine, {"membership": {"preset": "swift"}})
    with beside.probe() as probe:
        done = refused(beside.machine, 2)
    beside.machine.write(SETTINGS, before)
    assert "post-refresh" in done.err
    assert probe.came.lost == []
    assert shown(beside.machine, "MainPID") == pid
    assert revision(beside) == "x1"


def test_after_it_is_removed_nothing_of_it_is_left(beside: Site) -> None:
    beside.machine.run("snap", "remove", "--purge", snap.NAME, timeout=600)
    names = ("/snap", "/var/snap", "/etc/systemd/system", "/run", "/var/lib/snapd/apparmor/profiles", "/root/snap")
    left = beside.machine.attempt("find", *names, "-xdev", "-name", f"*{snap.NAME}*", "-not", "-path", "/run/snapd/*")
    assert left.out == ""
