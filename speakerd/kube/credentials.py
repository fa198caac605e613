"""Where the API server is and who we are to it: kubeconfig files, or a pod's service account."""

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from speakerd.kube import sandbox

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""A pod's service account: token, ca.crt, namespace."""
KNOWN = (
    "/var/snap/microk8s/current/credentials/client.config",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/kubernetes/admin.conf",
    "/root/.kube/config",
    "/home/ubuntu/.kube/config",
)
"""microk8s, k3s, the k8s snap and kubeadm alike, root, the first user; looked at in this order."""
AUTO = "auto"
OURS, COPY = "kubeconfig", "copied.kubeconfig"
"""In the state folder: what an administrator put there, and a copy of what the agent itself may not read."""
COPIED = "speakerd.io/copied-from"
"""Extension of a copy, which tells its `original` as `Credentials.source` had it."""
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Entries of a cluster or user that name a file."""
FILE_BYTES = 1 << 20
DEFAULT_PORTS = {"https": 443, "http": 80}

Mapped = Mapping[str, Any]


class CredentialsProblem(Exception):
    """A kubeconfig that is missing or cannot be used: `where`, `what`, and the `remedy`."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what} ({remedy})")
        self.where, self.what, self.remedy = where, what, remedy


class NothingFound(CredentialsProblem):
    """None of the known places has a kubeconfig."""


class Unreadable(CredentialsProblem):
    """A file is not there, or may not be read by us."""


class Hidden:
    """A secret text: never in a repr, a log or a status."""

    __slots__ = ("reveal",)

    def __init__(self, text: str = "") -> None:
        self.reveal = text

    def __repr__(self) -> str:
        return "Hidden()"

    def __bool__(self) -> bool:
        return bool(self.reveal)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and other.reveal == self.reveal

    def __hash__(self) -> int:
        return hash(self.reveal)


class Credentials(Struct, frozen=True):
    """All that a connection needs. `source`: where it came from, for status. `authority`: the Host header.

    `files`: what was read for it, and is worth reading again when it changes.
    """

    source: str
    host: str
    port: int
    authority: str
    prefix: str = ""
    tls: bool = True
    verify: bool = True
    server_name: str = ""
    ca: str = ""
    certificate: Hidden = Hidden()
    key: Hidden = Hidden()
    token: Hidden = Hidden()
    token_file: str = ""
    files: tuple[str, ...] = ()

    @property
    def server(self) -> str:
        """The URL, as kubeconfig writes it."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.prefix}"

    def bearer(self) -> str:
        """The token to send now; a token file is read each time, since the kubelet rotates it. "" without one."""
        if self.token_file:
            with suppress(OSError):
                return Path(self.token_file).read_text().strip()
        return self.token.reveal


def find(setting: str, state: Path, environ: Mapping[str, str]) -> Credentials:
    """The credentials `kubernetes.kubeconfig` names, or the first of the known places. Raises CredentialsProblem.

    A copy stands for its original where that may not be read.
    """
    try:
        return _find(setting, state, environ)
    except (NothingFound, Unreadable) as fault:
        raise _advised(fault, state, environ) from fault


def _find(setting: str, state: Path, environ: Mapping[str, str]) -> Credentials:
    ours, copy = state / OURS, state / COPY
    if setting != AUTO:
        return _named_ones([Path(setting)], setting, copy)
    if _there(ours):
        return load([ours], str(ours))
    if named := environ.get("KUBECONFIG"):
        return _named_ones(_split(named), f"$KUBECONFIG {named}", copy)
    if "KUBERNETES_SERVICE_HOST" in environ and (ACCOUNT / "token").exists():
        return in_cluster(environ)
    if original := copied_from(copy):
        return load([copy], f"{original}, copied to {copy}")
    return _known_place(str(ours))


def original(setting: str, state: Path, environ: Mapping[str, str]) -> Credentials | None:
    """What is to be copied for an agent that may not read it; None: it has its own. Raises CredentialsProblem."""
    try:
        return _original(setting, state, environ)
    except (NothingFound, Unreadable) as fault:
        raise _advised(fault, state, environ) from fault


def _original(setting: str, state: Path, environ: Mapping[str, str]) -> Credentials | None:
    named = environ.get("KUBECONFIG")
    if setting != AUTO:
        inside = Path(setting).absolute().is_relative_to(state.absolute())
        return None if inside else load([Path(setting)], setting)
    if (state / OURS).exists():
        return None
    return load(_split(named), f"$KUBECONFIG {named}") if named else _known_place(str(state / OURS))


def _advised(fault: CredentialsProblem, state: Path, environ: Mapping[str, str]) -> CredentialsProblem:
    """The same, with the remedy that holds in the snap."""
    path = "" if isinstance(fault, NothingFound) else fault.where
    remedy = sandbox.remedy(path, str(state / OURS), environ)
    return type(fault)(fault.where, fault.what, remedy or fault.remedy)


def places(setting: str, state: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Every file that `find` may read first, whether it is there or not."""
    named = _split(environ.get("KUBECONFIG", "")) if setting == AUTO else [Path(setting)]
    ours = (state / OURS,) if setting == AUTO else ()
    return (*ours, *named, state / COPY, *map(Path, KNOWN if setting == AUTO else ()))


def copied_from(copy: Path) -> str:
    """What `copy` was made from; "" where it is no copy that can be read."""
    if not _there(copy):
        return ""
    with suppress(CredentialsProblem):
        listed = _document(copy).get("extensions")
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and entry.get("name") == COPIED:
                return str((entry.get("extension") or {}).get("original") or "")
    return ""


def _split(named: str) -> list[Path]:
    return [Path(each) for each in named.split(":") if each]


def _named_ones(paths: Sequence[Path], source: str, copy: Path) -> Credentials:
    if not any(_there(path) for path in paths) and copied_from(copy) == source:
        return load([copy], f"{source}, copied to {copy}")
    return load(paths, source)


def _known_place(ours: str) -> Credentials:
    for place in map(Path, KNOWN):
        if _there(place):
            return load([place], str(place))
    remedy = f"set kubernetes.kubeconfig, or put one at {ours}: speakerd rbac --kubeconfig HOST makes one"
    raise NothingFound("kubernetes.kubeconfig", "no kubeconfig found in any of the known places", remedy)


def _there(path: Path) -> bool:
    """Whether a file is there and may be read; one that may not is passed over, as if it were not ours."""
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:
        return False


def in_cluster(environ: Mapping[str, str], account: Path = ACCOUNT) -> Credentials:
    """A pod's own credentials. Raises CredentialsProblem."""
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not port.isdecimal():
        raise CredentialsProblem("$KUBERNETES_SERVICE_PORT", f"{port!r} is no port", "unset it, or give a number")
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Credentials(
        source="in-cluster service account",
        host=host,
        port=int(port),
        authority=authority,
        ca=_read(account / "ca.crt", "the service account"),
        token_file=str(account / "token"),
    )


def load(paths: Sequence[Path], source: str) -> Credentials:
    """The current context of kubeconfig files; the first that names a thing wins. Raises CredentialsProblem."""
    entries: dict[str, dict[str, tuple[Mapped, Path]]] = {"clusters": {}, "users": {}, "contexts": {}}
    current = ""
    existing = [path for path in paths if len(paths) == 1 or path.exists()]
    for path in existing:
        document = _document(path)
        current = current or str(document.get("current-context") or "")
        for section, found in entries.items():
            for name, entry in _named(document, section):
                found.setdefault(name, (entry, path))
    if not current:
        raise CredentialsProblem(source, "no current-context", "choose one: kubectl config use-context NAME")
    context, _ = _entry(entries, "contexts", current, source)
    cluster, cluster_path = _entry(entries, "clusters", str(context.get("cluster")), source)
    user, user_path = _entry(entries, "users", str(context.get("user")), source)
    about, who = (cluster, cluster_path.parent), (user, user_path.parent)
    named = [folder / str(entry[name]) for entry, folder in (about, who) for name in FILES if entry.get(name)]
    return replace(_credentials(source, about, who), files=(*map(str, existing), *map(str, named)))


def _named(document: Mapped, section: str) -> Iterator[tuple[str, Mapped]]:
    """The entries of a section; what has not the shape of one is none."""
    listed = document.get(section)
    for entry in listed if isinstance(listed, list) else ():
        content = entry.get(section[:-1]) if isinstance(entry, dict) else None
        if isinstance(content, dict):
            yield str(entry.get("name")), content


def _entry(
    entries: Mapping[str, Mapping[str, tuple[Mapped, Path]]], section: str, name: str, source: str
) -> tuple[Mapped, Path]:
    try:
        return entries[section][name]
    except KeyError:
        known = ", ".join(entries[section]) or "none"
        raise CredentialsProblem(source, f"{section} has no {name!r}", f"it has: {known}") from None


def _document(path: Path) -> Mapped:
    import yaml  # noqa: PLC0415  its modules take 1 MB, and are of use while a file is read

    text = _read(path, "the kubeconfig")
    try:
        document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  a safe loader
    except yaml.YAMLError as fault:
        raise CredentialsProblem(str(path), f"not YAML: {_yaml_fault(fault)}", "mend or replace the file") from fault
    if not isinstance(document, dict):
        raise CredentialsProblem(str(path), "not a kubeconfig", "give a file of kind Config")
    return document


def _yaml_fault(fault: Exception) -> str:
    """In one line, as all errors are told; most of them say where."""
    mark, problem = getattr(fault, "problem_mark", None), getattr(fault, "problem", "")
    return f"line {mark.line + 1}: {problem}" if mark else " ".join(str(fault).split())


def _credentials(source: str, cluster: tuple[Mapped, Path], user: tuple[Mapped, Path]) -> Credentials:
    (about, folder), (who, home) = cluster, user
    url, host, port = _url(str(about.get("server") or ""), source)
    if about.get("proxy-url"):
        raise CredentialsProblem(source, "proxy-url is not supported", "give an address reached directly")
    if who.get("exec") or who.get("auth-provider"):
        what = "exec and auth-provider plugins are not supported"
        raise CredentialsProblem(source, what, "use a token, a tokenFile or a client certificate")
    token_file = str(who.get("tokenFile") or "")
    return Credentials(
        source=source,
        host=host,
        port=port,
        authority=url.netloc.rpartition("@")[2],
        prefix=url.path.rstrip("/"),
        tls=url.scheme == "https",
        verify=not about.get("insecure-skip-tls-verify"),
        server_name=str(about.get("tls-server-name") or ""),
        ca=_pem(about, "certificate-authority", folder, source),
        certificate=Hidden(_pem(who, "client-certificate", home, source)),
        key=Hidden(_pem(who, "client-key", home, source)),
        token=Hidden(str(who.get("token") or "")),
        token_file=_token_file(home / token_file) if token_file else "",
    )


def _token_file(path: Path) -> str:
    """Its name; what is in it is read again for each request. Raises CredentialsProblem where it cannot be read."""
    _read(path, "tokenFile")
    return str(path)


def _url(text: str, source: str) -> tuple[SplitResult, str, int]:
    """The server's URL, its host and port. Raises CredentialsProblem."""
    with suppress(ValueError):
        url = urlsplit(text)
        if url.scheme in DEFAULT_PORTS and url.hostname:
            return url, url.hostname, url.port or DEFAULT_PORTS[url.scheme]
    raise CredentialsProblem(source, f"server {text!r} is no URL", "use https://HOST:PORT")


def _pem(entry: Mapped, name: str, folder: Path, source: str) -> str:
    """Inline data before a file, as kubectl does; paths are relative to the file that names them."""
    if inline := entry.get(f"{name}-data"):
        try:
            return base64.b64decode("".join(str(inline).split()), validate=True).decode()
        except ValueError as fault:
            raise CredentialsProblem(source, f"{name}-data is not base64 of PEM", "copy the whole value") from fault
    if path := entry.get(name):
        return _read(folder / str(path), name)
    return ""


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) > FILE_BYTES:
            raise CredentialsProblem(str(path), f"{what} is over {FILE_BYTES >> 20} MiB", "is it the right file?")
        return data.decode()
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or fault
        kind = Unreadable if isinstance(fault, OSError) else CredentialsProblem
        raise kind(str(path), f"{what} cannot be read: {why}", "check path and permissions") from fault
