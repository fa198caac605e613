"""snapcraft.yaml, the hooks and the program agree; what is packed without snapcraft is what snapcraft would pack."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from snap.local.pack import HOOKS, PROJECT, metadata
from speakerd import snap
from speakerd.cli import snap_hook
from speakerd.kube.credentials import KNOWN

PROJECT_KEYS: dict[str, Any] = yaml.safe_load(PROJECT.read_text())
APPS, PLUGS = PROJECT_KEYS["apps"], PROJECT_KEYS["plugs"]
DAEMON = APPS["speakerd"]
UNMISSED = {"network", "network-bind", "daemon-notify"}
"""snapd connects the first two itself; the last gives nothing without a change of the unit."""
CONTENT = snap.MICROK8S


def test_every_hook_is_a_word_of_the_program_and_every_word_but_reload_a_hook() -> None:
    plugs = {f"{word}-plug-{plug}" for word in snap_hook.PLUG_HOOKS for plug in (*snap.PLUGS, CONTENT)}
    assert {each.name for each in HOOKS.iterdir()} == (set(snap_hook.HOOKS) - {"reload"}) | plugs


def test_a_hook_is_one_line_that_calls_the_program_by_the_hooks_name() -> None:
    texts = {each.read_text() for each in HOOKS.iterdir()}
    assert texts == {'#!/bin/sh\nexec "$SNAP/lib/speakerd/speakerd" snap-hook "${0##*/}"\n'}
    assert all(each.stat().st_mode & 0o111 for each in HOOKS.iterdir())


def test_the_daemon_has_every_plug_that_its_status_misses() -> None:
    assert set(DAEMON["plugs"]) == set(snap.PLUGS) | UNMISSED | {CONTENT}


def test_a_plug_with_attributes_is_declared_and_used() -> None:
    used = {plug for app in APPS.values() for plug in app["plugs"]}
    assert set(PLUGS) <= used


def test_what_the_plug_lets_be_read_is_what_the_program_thinks_and_all_known_places_that_snaps_can_reach() -> None:
    assert PLUGS[snap.KUBECONFIGS]["read"] == list(snap.READABLE)
    reached = [each for each in KNOWN if not each.startswith(("/root/", "/home/"))]
    assert all(any(Path(each).is_relative_to(known) for known in snap.READABLE) for each in reached)


def test_the_daemon_waits_for_no_word_that_only_daemon_notify_lets_through() -> None:
    assert DAEMON["daemon"] == "simple"
    assert "watchdog-timeout" not in DAEMON


def test_a_bare_install_starts_and_a_refresh_ends_nothing() -> None:
    assert (DAEMON["install-mode"], DAEMON["refresh-mode"]) == ("enable", "endure")


def test_the_agent_has_time_to_hand_over_when_it_is_stopped() -> None:
    from speakerd.supervisor import GOODBYE  # noqa: PLC0415  only this test loads the supervisor

    assert float(DAEMON["stop-timeout"].removesuffix("s")) >= 2 * GOODBYE


def test_commands_hold_nothing_that_snapd_refuses() -> None:
    commands = [app[key] for app in APPS.values() for key in ("command", "reload-command") if key in app]
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz/- ") for each in commands)


def test_the_service_is_called_as_the_program_calls_it() -> None:
    assert (PROJECT_KEYS["name"], snap.SERVICE in APPS) == (snap.NAME, True)
    assert PROJECT_KEYS["system-usernames"] == {snap.USER: "shared"}


def test_metadata_is_the_project_without_how_it_is_built() -> None:
    told = metadata(PROJECT_KEYS, "1.2", "amd64")
    assert (told["version"], told["architectures"], told["apps"]) == ("1.2", ["amd64"], APPS)
    assert not told.keys() & {"parts", "platforms", "adopt-info"}


def test_a_key_that_nobody_has_thought_of_is_not_lost_in_silence() -> None:
    with pytest.raises(ValueError, match="layout"):
        metadata({**PROJECT_KEYS, "layout": {}}, "1", "amd64")
