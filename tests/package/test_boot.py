"""The booted machine itself: what the tests of the service stand on."""

from tests.lab.waiting import eventually
from tests.package.machine import Machine

UNIT = """
[Service]
ExecStart=/bin/sleep infinity
Restart=always
RestartSec=100ms
"""


def test_systemd_is_the_first_process_of_a_host_of_the_lan(bare: Machine) -> None:
    assert bare.run("cat", "/proc/1/comm").strip() == "systemd"
    assert bare.run("hostname").strip() == bare.host.name
    assert bare.run("cat", "/sys/class/net/eth0/operstate").strip() == "up"


def test_a_service_that_is_killed_is_started_again(bare: Machine) -> None:
    bare.write("/etc/systemd/system/idle.service", UNIT)
    bare.run("systemctl", "daemon-reload")
    bare.run("systemctl", "start", "idle")
    first = bare.show("idle", "MainPID")
    bare.run("kill", "-9", first)
    eventually(lambda: bare.show("idle", "NRestarts") == "1", "systemd starts it again")
    assert bare.show("idle", "MainPID") not in (first, "0")
    bare.run("systemctl", "stop", "idle")
