"""What an administrator does with the snap, and what can be seen of it from outside."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from speakerd import snap
from tests.lab.net import Host
from tests.lab.waiting import eventually
from tests.snap.machine import CARRIED, Done, Machine
from tests.snap.site import CLIENT, ONE, VIP, Site

SETTINGS = "/etc/speakerd.yaml"
SLOW = 300
"""Seconds that the emulated machine may take to come to a state."""
MEMBER, AT = (f"{CARRIED}/speakerd.dist/speakerd",), ("--run", "/run/member")
"""The program outside the snap, and where it is asked."""
UNIT = f"snap.{snap.NAME}.{snap.SERVICE}.service"


def file(version: int) -> str:
    """A revision of the snap, as it lies in the machine."""
    return f"{CARRIED}/{snap.NAME}_{version}_amd64.snap"


def install(machine: Machine, version: int) -> None:
    """Install it, or refresh to it."""
    machine.run("snap", "install", "--dangerous", file(version), timeout=600)


def refused(machine: Machine, version: int) -> Done:
    """A refresh that must not succeed."""
    done = machine.attempt("snap", "install", "--dangerous", file(version), timeout=600)
    assert done.code != 0, done.out
    return done


def save(machine: Machine, settings: Mapping[str, object], path: str = SETTINGS) -> None:
    """Save a settings file; JSON is YAML."""
    machine.write(path, json.dumps(settings))


def findings(status: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What `status` finds wrong with snap and sandbox, by what it concerns."""
    return {each["object"]: each for each in status.get("findings", [])}


def revision(site: Site) -> str:
    """The revision of the snap that runs, by the path of the program; nothing while none does."""
    path = site.machine.attempt("readlink", f"/proc/{shown(site.machine, 'MainPID')}/exe").out
    return path.removeprefix(f"/snap/{snap.NAME}/").partition("/")[0]


def owner(site: Site) -> str:
    """The node that answers for the address, as the snap sees it."""
    return next((each["owner"] for each in site.status(snap.NAME).get("vips", []) if each["ip"] == VIP), "")


def own(site: Site) -> None:
    """Have the snap answer, the other member stand by, and the client know that."""
    for word in (("drain", "--wait"), ("undrain",)):
        site.machine.run(*MEMBER, *word, *AT)
    print(site.machine.attempt(snap.NAME, "explain", VIP).out)
    eventually(lambda: owner(site) == ONE.name, f"{ONE.name} has it", SLOW)
    forget(site)
    eventually(partial(answering, site, ONE), f"{ONE.name} answers", SLOW)


def forget(site: Site) -> None:
    """Let the client know nothing of the LAN."""
    site.machine.run("ip", "-n", CLIENT.namespace, "neigh", "flush", "dev", "lan0")


def shown(machine: Machine, name: str) -> str:
    """A property of the agent's unit."""
    return machine.run("systemctl", "show", "--value", f"--property={name}", UNIT).strip()


def answering(site: Site, host: Host) -> bool:
    """Whether a client that asks now has been told that `host` has the address."""
    enter = ["ip", "netns", "exec", host.namespace] if host.namespace else []
    mac = site.machine.run(*enter, "cat", "/sys/class/net/lan0/address").strip()
    ask = f"(echo > /dev/udp/{VIP}/9) || true; ip neigh show {VIP}"
    return mac in site.machine.run("ip", "netns", "exec", CLIENT.namespace, "bash", "-c", ask)
