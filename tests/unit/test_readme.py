"""Every command in README.md is tried by a test, or stands here with the reason why none can."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from speakerd.cli import VERBS

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PROGRAMS = {
    "./dev", "journalctl", "juju", "kubectl", "metallb-speaker", "microk8s", "snap", "speakerd", "sudo", "systemctl",
}  # fmt: skip
WORDS = re.compile(r"`([^`]+)`")
COMMENT = re.compile(r"\s{2,}#.*")

TRIED: Mapping[str, str] = {
    "./dev demo": "test_the_demo_runs_on_a_fresh_machine_and_is_quick_the_second_time",
    "./dev demo --keep": "test_kept_it_prints_commands_that_work_and_ends_when_told",
    "speakerd crds | kubectl apply -f -": "test_a_cluster_with_a_config_map_is_carried_over_and_applied_once",
    "speakerd rbac | kubectl apply -f -": "test_a_service_from_its_address_to_its_end_meets_nothing_that_is_forbidden",
    "speakerd rbac --kubeconfig worker-1 | ssh worker-1 sudo install -D -o speakerd -m 600 /dev/stdin"
    " /var/lib/speakerd/kubeconfig": "test_a_kubeconfig_of_its_own_wins_and_is_left_alone",
    "./dev build --deb": "test_every_file_is_as_it_was_packed",
    "sudo apt-get install ./dist/speakerd_0.1.0_amd64.deb": "test_installed_it_is_enabled_and_runs",
    "systemctl status speakerd": "test_systemctl_status_tells_all",
    "sudo snap install metallb-speaker": "test_it_stays_up_and_status_names_each_missing_connection",
    "sudo snap connect metallb-speaker:network-control": "test_once_connected_the_agent_does_what_it_is_for",
    "sudo snap connect metallb-speaker:process-control": "test_once_connected_the_agent_does_what_it_is_for",
    "sudo snap connect metallb-speaker:kubeconfigs": "test_once_connected_the_agent_does_what_it_is_for",
    "sudo snap connect metallb-speaker:etc-speakerd": "test_the_file_of_the_host_takes_effect_when_it_is_saved",
    "sudo snap set metallb-speaker iprange=192.168.1.240-192.168.1.250": "test_an_option_that_holds_is_written_down"
    "_and_shown",
    "systemctl status snap.metallb-speaker.speakerd": "test_systemd_and_snapd_show_how_it_is",
    "sudo snap logs metallb-speaker": "test_systemd_and_snapd_show_how_it_is",
    "sudo metallb-speaker status": "test_it_stays_up_and_status_names_each_missing_connection",
    "./dev build": "test_it_runs_from_anywhere",
    "sudo dist/speakerd install-service --now": "test_the_one_file_is_unpacked_to_where_it_stays",
    "kubectl apply -f conf/examples/first-service/kubernetes.yaml": "test_the_web_server_of_the_first_service_gets_an"
    "_address_of_its_pool",
    "kubectl apply -f conf/examples/first-service/web.yaml": "test_the_web_server_of_the_first_service_gets_an_address"
    "_of_its_pool",
    "sudo speakerd status --watch": "test_members_are_told_with_state_round_trip_carriers_and_pace",
    "speakerd plan": "test_a_plan_of_the_running_cluster_tells_who_takes_over_from_whom",
    "speakerd status": "test_status_tells_every_member_with_round_trip_and_both_carriers",
    "speakerd explain 192.168.1.240": "test_every_node_explains_who_answers_who_is_next_and_what_would_change_it",
    "speakerd explain ADDRESS": "test_a_peer_with_a_session_is_told_by_the_words_of_its_advertisement",
    "speakerd events -f --since 10m": "test_events_are_followed_as_they_happen",
    "speakerd drain --wait": "test_a_drain_moves_everything_without_an_open_question_and_nothing_comes_back",
    "speakerd drain": "test_a_drain_has_traffic_turned_away_before_routes_go_and_undrain_brings_them_back",
    "speakerd undrain": "test_a_drain_has_traffic_turned_away_before_routes_go_and_undrain_brings_them_back",
    "speakerd check -f FILE": "test_a_valid_pool_comes_to_what_the_contract_shows",
    "speakerd check -f": "test_a_valid_pool_comes_to_what_the_contract_shows",
    "speakerd plan -f FILE": "test_a_cluster_comes_to_what_the_contract_shows",
    "speakerd migrate": "test_a_cluster_with_a_config_map_is_carried_over_and_applied_once",
    "speakerd crds": "test_crds_applied_over_metallbs_end_the_conversion_by_a_webhook_that_is_gone",
    "speakerd rbac": "test_an_account_and_its_rights_are_printed_in_the_order_in_which_they_depend",
    "speakerd rbac --secret NAME": "test_secrets_may_be_read_by_name_alone_and_those_of_peers_where_they_are_named",
    "speakerd credentials": "test_a_kubeconfig_for_root_alone_is_copied_for_the_agent_and_status_names_it",
    "speakerd install-service": "test_from_the_folder_it_runs_where_it_stands",
    "speakerd uninstall": "test_a_host_that_leaves_has_nothing_in_the_cluster_any_more_and_nothing_on_the_host",
    "speakerd run": "test_it_starts_at_once",
    "speakerd version": "test_it_runs_from_anywhere",
    "systemctl reload speakerd": "test_a_reload_takes_new_settings_into_the_running_service",
    "journalctl -u speakerd -f": "test_a_bad_reload_changes_nothing_and_shows",
    "journalctl -u speakerd EVENT=bgp.down": "test_the_journal_has_the_events_name_and_its_fields",
    "kubectl edit ipaddresspool -n metallb-system lan": "test_a_pool_that_no_longer_holds_an_address_gives_its_service"
    "_another",
    "kubectl get servicel2statuses -A": "test_the_owner_writes_itself_down_once",
    "kubectl apply -f - <<END": "test_check_accepts_what_is_for_the_cluster_and_the_host",
    "systemctl stop speakerd": "test_a_stop_hands_over_without_a_lost_probe",
    "systemctl restart speakerd": "test_a_restart_hands_over_without_a_lost_probe",
    "systemctl reboot": "test_a_reboot_hands_over_while_the_network_is_up",
    "sudo apt-get install ./speakerd_NEW_amd64.deb": "test_an_upgrade_keeps_edited_settings_and_costs_no_more_than_a"
    "_restart",
    "sudo snap refresh metallb-speaker": "test_a_refresh_loses_no_question",
    "sudo speakerd uninstall --dry-run": "test_a_host_that_leaves_has_nothing_in_the_cluster_any_more_and_nothing_on"
    "_the_host",
    "sudo apt-get purge speakerd": "test_a_purge_leaves_nothing_on_the_host_and_says_what_is_in_the_cluster",
    "sudo snap remove metallb-speaker": "test_after_it_is_removed_nothing_of_it_is_left",
    "speakerd migrate --save metallb.json": "test_a_cluster_with_a_config_map_is_carried_over_and_applied_once",
    "speakerd migrate --save metallb.json --charm charm.yaml > resources.yaml": "test_the_charms_options_become_a_pool"
    "_and_its_announcement_on_the_same_nodes",
    "kubectl apply -f resources.yaml": "test_a_cluster_with_a_config_map_is_carried_over_and_applied_once",
    "speakerd migrate --microk8s 192.168.1.240-192.168.1.250 > resources.yaml": "test_what_microk8s_was_given_becomes"
    "_a_pool",
}  # fmt: skip
"""Command -> the test that gives it, or has the same done where kubectl, snapd or a shell would be in between."""
NO_METALLB = "MetalLB's own pods need a kubelet and its images; what is left of them is in tests/kube/test_switch.py"
NO_JUJU = "juju needs a cloud; what the charm was told is in tests/unit/cli/test_migrate.py"
UNTRIED: Mapping[str, str] = {
    "./dev test": "this is a part of it",
    "./dev test kube": "this is beside it",
    "sudo snap alias metallb-speaker speakerd": "snapd's own",
    "kubectl apply": "what is warned of is in tests/kube/test_policies.py",
    "kubectl edit configmap -n kube-system kube-proxy": "kube-proxy's IPVS mode needs a kernel with IPVS",
    "juju config kubernetes-control-plane proxy-extra-config='{mode: ipvs, ipvs: {strictARP: true}}'": NO_JUJU,
    "juju config kubernetes-worker proxy-extra-config='{mode: ipvs, ipvs: {strictARP: true}}'": NO_JUJU,
    "juju config metallb > charm.yaml": NO_JUJU,
    "juju remove-application metallb": NO_JUJU,
    "kubectl -n metallb-system scale deployment controller --replicas=0": NO_METALLB,
    "kubectl delete validatingwebhookconfiguration metallb-webhook-configuration": NO_METALLB,
    "kubectl -n metallb-system delete daemonset speaker": NO_METALLB,
    "microk8s disable metallb": "microk8s needs snapd's store",
}
"""Command -> why it is not given by a test."""


def commands() -> Iterator[str]:
    """What README has a reader type: in its blocks, and in the middle of a sentence where it is more than a name."""
    for line in README.read_text().splitlines():
        found = [COMMENT.sub("", line.strip())] if line.startswith("    ") else WORDS.findall(line)
        for each in found:
            words = each.split()
            if words and words[0] in PROGRAMS and len(words) > 1:
                yield each


def defined() -> set[str]:
    """The names of all tests."""
    texts = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}


def test_every_command_is_tried_or_has_its_reason() -> None:
    assert set(commands()) == TRIED.keys() | UNTRIED.keys()
    assert not TRIED.keys() & UNTRIED.keys()


def test_what_tries_them_exists() -> None:
    assert set(TRIED.values()) <= defined()


@pytest.mark.parametrize("command", sorted({each for each in commands() if each.startswith("speakerd ")}))
def test_every_verb_is_one(command: str) -> None:
    assert command.split()[1] in VERBS
