"""Settings from files, environment and flags: what counts, and what a tired operator is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config.load import HOMES, KEYS, Loaded, control_socket, load, loaded_from
from speakerd.config.sources import File, Sources
from speakerd.model import Problem
from speakerd.settings import Log, Settings


def loaded(*texts: str, environ: dict[str, str] | None = None, flags: tuple[tuple[str, str], ...] = ()) -> Loaded:
    files = [File(f"{name}.yaml", text.encode()) for name, text in zip("abc", texts, strict=False)]
    return loaded_from(files, environ or {}, flags, "Worker-1")


def settings(*texts: str, environ: dict[str, str] | None = None, flags: tuple[tuple[str, str], ...] = ()) -> Settings:
    found = loaded(*texts, environ=environ, flags=flags)
    assert found.settings, found.problems
    return found.settings


def faults(*texts: str, **more: object) -> list[str]:
    found = loaded(*texts, **more)  # type: ignore[arg-type]
    assert found.settings is None
    return [f"{p.object}: {p.message} ({p.remedy})" for p in found.problems]


@pytest.mark.parametrize("text", ["", "# nothing\n", "layer2:\n", "layer2: ~\nlog: {level: }\n"])
def test_keys_that_are_absent_or_empty_have_their_default(text: str) -> None:
    assert settings(text).layer2 == Settings().layer2
    assert settings(text).log == Log()


def test_the_node_is_named_after_the_host_in_lower_case_unless_a_key_says_otherwise() -> None:
    assert settings().node.name == "worker-1"
    assert settings("node: {name: other}").node.name == "other"


def test_a_host_name_that_no_node_can_have_asks_for_the_key() -> None:
    (problem,) = loaded_from([], {}, (), "my_host").problems
    assert (problem.object, problem.field) == ("settings", "node.name")


def test_later_files_win_maps_merge_and_lists_replace() -> None:
    found = settings(
        "layer2: {interfaces: [eth0, eth1], rate: 5, refresh: 30s}", "layer2: {interfaces: [eth2], rate: 6}"
    )
    assert (found.layer2.interfaces, found.layer2.rate, found.layer2.refresh) == (("eth2",), 6, 30.0)


def test_a_key_without_value_in_a_later_file_changes_nothing() -> None:
    assert settings("layer2: {rate: 5}", "layer2:\n  rate:\n").layer2.rate == 5


def test_environment_comes_after_files_and_flags_after_environment() -> None:
    environ = {"SPEAKERD_LAYER2_RATE": "6", "SPEAKERD_LAYER2_REFRESH": "6s"}
    found = settings("layer2: {rate: 5, refresh: 5s}", environ=environ, flags=(("layer2.rate", "7"),))
    assert (found.layer2.rate, found.layer2.refresh) == (7, 6.0)


def test_the_environment_names_keys_in_upper_case_without_breaking_words() -> None:
    environ = {"SPEAKERD_KUBERNETES_LOADBALANCERCLASS": "a.b/c", "SPEAKERD_HTTP_METRICS_BIND": "[::]:1"}
    found = settings(environ=environ)
    assert (found.kubernetes.load_balancer_class, found.http.metrics.bind) == ("a.b/c", "[::]:1")


def test_no_two_keys_share_a_variable() -> None:
    assert len({key.variable for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize("text", ["eth0,eth1", "eth0, eth1", "[eth0, eth1]", '["eth0","eth1"]'])
def test_a_list_in_the_environment_may_do_without_brackets(text: str) -> None:
    assert settings(environ={"SPEAKERD_LAYER2_INTERFACES": text}).layer2.interfaces == ("eth0", "eth1")


def test_an_empty_list_in_the_environment_replaces_the_files() -> None:
    assert settings("layer2: {interfaces: [eth0]}", environ={"SPEAKERD_LAYER2_INTERFACES": ""}).layer2.interfaces == ()


def test_text_from_environment_and_flags_is_taken_as_it_is() -> None:
    found = settings("iprange: 10.0.0.0/24", environ={"SPEAKERD_IPRANGE": ""}, flags=(("node.name", "null"),))
    assert (found.iprange, found.node.name) == ("", "null")


def test_pools_can_come_from_a_flag() -> None:
    found = settings(flags=(("addressPools", "[{name: lan, addresses: [192.0.2.0/24]}]"),))
    assert (found.address_pools[0].name, found.address_pools[0].addresses) == ("lan", ("192.0.2.0/24",))


def test_an_unknown_variable_is_a_warning_that_names_the_nearest() -> None:
    found = loaded(environ={"SPEAKERD_KUBERNETES_NAMESPAC": "x", "SPEAKERD_PORT": "tcp://1", "OTHER": "x"})
    assert found.settings
    assert [(p.field, p.severity) for p in found.problems] == [
        ("SPEAKERD_KUBERNETES_NAMESPAC", "warning"),
        ("SPEAKERD_PORT", "warning"),
    ]
    assert found.problems[0].remedy == "did you mean SPEAKERD_KUBERNETES_NAMESPACE?"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kuberntes: {}", "a.yaml:1:1: unknown key 'kuberntes' (did you mean kubernetes?)"),
        ("refresh: 60s", "a.yaml:1:1: unknown key 'refresh' (it belongs under layer2)"),
        ("port: 1", "a.yaml:1:1: unknown key 'port' (it belongs under membership or bgp)"),
        ("log level: debug", "a.yaml:1:1: unknown key 'log level' (did you mean log?)"),
        ("log:debug", "a.yaml:1:1: the document must be a map, not 'log:debug' (put a space after the colon)"),
        ("- a", "a.yaml:1:1: the document must be a map, not a list (write key: value, one a line)"),
        (
            "layer2:\n  refresh 60s",
            "a.yaml:2:3: layer2 must be a map, not 'refresh 60s' (put a colon and a space between key and value)",
        ),
        ("log: debug", "a.yaml:1:6: log must be a map, not 'debug' (write log: and its keys below, indented)"),
        (
            "layer2:\n  interfaces: eth0",
            "a.yaml:2:15: interfaces must be a list, not 'eth0' (write interfaces: [eth0])",
        ),
        (
            "layer2: {interfaces: 'eth0, eth1'}",
            "a.yaml:1:22: interfaces must be a list, not 'eth0, eth1' (write interfaces: [eth0, eth1])",
        ),
        (
            "addressPools: [10.0.0.0/24]",
            "a.yaml:1:16: an entry must be a map, not '10.0.0.0/24' (begin it with - name: ...)",
        ),
        (
            "addressPools: {name: a}",
            "a.yaml:1:15: addressPools must be a list, not a map (begin each entry with a dash and a space)",
        ),
        ("addressPools: [{addresses: [10.0.0.0/24]}]", "a.yaml:1:16: name is missing (write name: ...)"),
        (
            "bgp: {port: 0179}",
            "a.yaml:1:13: port must be a whole number, not '0179' (write decimal digits alone, no leading zero)",
        ),
        ("bgp: {port: 70000}", "a.yaml:1:13: 70000 is more than 65535 (write 65535 or less)"),
        ("layer2: {refresh: 0}", "a.yaml:1:19: 0 is less than 1s (write 1s or more)"),
        (
            "layer2: {refresh: 10:30}",
            (
                "a.yaml:1:19: refresh must be a time, not '10:30'"
                " (write 60s, 12ms, 1m30s or 24h; a bare number is seconds)"
            ),
        ),
        (
            "bgp: {listen: maybe}",
            "a.yaml:1:15: listen must be true or false, not 'maybe' (write true or false, without quotes)",
        ),
        (
            "log: {level: warn}",
            "a.yaml:1:14: 'warn' is not one of debug, error, info, warning (did you mean warning?)",
        ),
        (
            "log: {level: [a]}",
            "a.yaml:1:14: level must be a single value, not a list (write it without brackets and dashes)",
        ),
        ("a: 1\na: 2", "a.yaml:2:1: key 'a' stands here a second time (first on line 1) (merge the two)"),
        ("log: {}\n---\nlog: {}", "a.yaml:3:1: a settings file holds one document (remove the --- before it)"),
        (
            "layer2: {excludeInterfaces: ['*eth']}",
            "a.yaml:1:30: '*eth' is no regular expression: nothing to repeat (write a . before *, as in ^veth.*)",
        ),
        (
            "layer2: {excludeInterfaces: ['']}",
            "a.yaml:1:30: a pattern has 1 to 256 characters (an empty one would exclude every interface)",
        ),
        (
            "layer2: {interfaces: [eth0/1]}",
            "a.yaml:1:23: 'eth0/1' is no interface name (write a whole name as ip link shows it, such as eth0)",
        ),
        ("paths: {state: ./x}", "a.yaml:1:16: './x' is not an absolute path (begin with a slash)"),
        (
            "kubernetes: {kubeconfig: config}",
            "a.yaml:1:26: 'config' is not an absolute path (begin with a slash or auto)",
        ),
        (
            "http: {bind: 7472}",
            "a.yaml:1:14: '7472' is not ADDRESS:PORT (write 127.0.0.1:7472, [::1]:7472 or 0.0.0.0:7472)",
        ),
        (
            "bgp: {routerID: '2001:db8::1'}",
            "a.yaml:1:17: '2001:db8::1' is not an IPv4 address (a router ID has the form 192.0.2.1, also for IPv6)",
        ),
        (
            "bgp: {routerID: 0.0.0.0}",
            "a.yaml:1:17: 0.0.0.0 is nobody's router ID (RFC 6286) (leave it out, or write another)",
        ),
        (
            "http:\n  metrics: {certFile: /x}",
            "a.yaml:2:12: TLS needs certFile and keyFile (set keyFile too)",
        ),
        ("iprange: 10.0.0.1", "a.yaml:1:10: 10.0.0.1 is not a valid CIDR or ip range (write 10.0.0.1/32)"),
        (
            "addressPools: [{name: lan, addresses: [10.0.0.9-10.0.0.1]}]",
            "a.yaml:1:40: '10.0.0.9-10.0.0.1' ends before it starts (write 10.0.0.1-10.0.0.9)",
        ),
        (
            "iprange: 10.0.0.0/24\naddressPools: [{name: default, addresses: [10.1.0.0/24]}]",
            "a.yaml:2:23: 'default' is the name of iprange too (choose another)",
        ),
    ],
)
def test_a_mistake_is_told_where_it_is_and_what_to_write(text: str, told: str) -> None:
    assert told in faults(text)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("bgp: {listen: off}", ("bgp", "listen"), False),
        ("kubernetes: {allocate: yes}", ("kubernetes", "allocate"), True),
        ("bgp: {port: '179'}", ("bgp", "port"), 179),
        ("node: {name: 012}", ("node", "name"), "012"),
        ("node: {name: on}", ("node", "name"), "on"),
        ("layer2: {refresh: 60}", ("layer2", "refresh"), 60.0),
        ("http: {bind: ''}", ("http", "bind"), ""),
        ("membership: {peers: [10.0.0.1, '2001:db8::1']}", ("membership", "peers"), ("10.0.0.1", "2001:db8::1")),
    ],
)
def test_a_value_is_read_as_what_its_key_wants(text: str, path: tuple[str, ...], value: object) -> None:
    found: object = settings(text)
    for name in path:
        found = getattr(found, name)
    assert found == value


def test_all_faults_of_all_files_are_told_at_once() -> None:
    found = faults("layer2: {rate: x, refresh: y}", "log: {levl: info}")
    assert [each.split(":")[0] for each in found] == ["a.yaml", "a.yaml", "b.yaml"]


def test_a_fault_is_told_although_a_later_file_covers_it() -> None:
    assert faults("layer2: {rate: x}", "layer2: {rate: 5}")


def test_a_file_that_could_not_be_read_is_unreadable() -> None:
    found = loaded_from([File("x.yaml", fault="cannot be read: Permission denied", remedy="r")], {}, (), "h")
    assert (found.settings, found.problems[0].reason) == (None, "unreadable")


def test_flags_name_the_nearest_key() -> None:
    assert faults(flags=(("layer2.rat", "1"),)) == [
        "command line: unknown key 'layer2.rat' (did you mean layer2.rate?)"
    ]


def test_entries_of_bgp_are_checked_whole_with_their_place() -> None:
    text = """bgpPeers:
- {name: tor, myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}
- {name: other, myASN: 64512, peerASN: 64513, peerAddress: tor.example}
bgpAdvertisements: [{name: all, communities: [later]}]
"""
    found = loaded(text)
    assert found.settings is None
    assert [(p.object, p.field, p.reason) for p in found.problems] == [
        ("a.yaml:3:3", "peerAddress", "malformed-address")
    ]
    good = loaded(text.replace("tor.example", "192.0.2.2")).settings
    assert good
    assert [each.peer_address for each in good.bgp_peers] == ["192.0.2.1", "192.0.2.2"]


def test_a_key_of_one_section_only_has_that_home() -> None:
    assert HOMES["refresh"] == ["layer2"]


def test_entries_know_where_they_stand() -> None:
    (pool,) = settings("\naddressPools:\n- name: lan\n  addresses: [192.0.2.0/24]\n").address_pools
    assert pool.origin == "a.yaml:3:3"


def test_nobody_can_write_where_an_entry_stands() -> None:
    assert "unknown key 'origin'" in faults("addressPools: [{name: a, addresses: [10.0.0.0/24], origin: x}]")[0]


def test_the_host_s_files_are_read(tmp_path: Path) -> None:
    main, folder = tmp_path / "speakerd.yaml", tmp_path / "speakerd.d"
    main.write_text("layer2: {rate: 5}\n")
    folder.mkdir()
    (folder / "20-b.yaml").write_text("layer2: {rate: 7}\n")
    (folder / "10-a.yaml").write_text("layer2: {rate: 6}\n")
    (folder / "30-c.yml").write_text("layer2: {rate: 8}\n")
    found = load(Sources(str(main), named=True))
    assert found.settings
    assert found.settings.layer2.rate == 7
    what, remedy = "only *.yaml is read here", "name it *.yaml"
    assert found.problems == (Problem(str(folder / "30-c.yml"), "", "not-read", what, remedy, "warning"),)


def test_commands_find_the_socket_without_readable_settings() -> None:
    assert control_socket({"SPEAKERD_PATHS_RUN": "/x"}) == Path("/x/control.sock")
    assert control_socket({"SPEAKERD_PATHS_RUN": "/x", "SPEAKERD_LAYER2_RATE": "bad"}) == Path("/x/control.sock")


@given(st.dictionaries(st.sampled_from(["layer2", "log", "bgp", "iprange", "addressPools", "x"]), st.text(max_size=20)))
def test_any_text_loads_or_is_a_problem(entries: dict[str, str]) -> None:
    text = "\n".join(f"{key}: {value}" for key, value in entries.items())
    found = loaded(text)
    assert (found.settings is None) == any(p.severity == "error" for p in found.problems)
