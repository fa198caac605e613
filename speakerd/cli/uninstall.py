"""`speakerd uninstall`: this host leaves the cluster for good; says what it deletes, and what it leaves."""

import argparse
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping

from speakerd import commands, snap
from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, Ended, fail, snap_health
from speakerd.cli.cluster import asked
from speakerd.cli.servicefiles import carry_out, removal, said
from speakerd.cli.telling import tell
from speakerd.config.load import load
from speakerd.config.sources import Sources
from speakerd.kube import hostaccount
from speakerd.kube.copying import Outcome
from speakerd.kube.leaving import leave
from speakerd.settings import Settings
from speakerd.snap import Snap

UNIT = "speakerd.service"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    Sources.configure(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.epilog = (
        "Example: sudo speakerd uninstall --dry-run. Hands over, stops the service, deletes what tells of this host"
        " in the cluster, and what install-service made. A package is removed by apt purge speakerd, after this."
    )


def run(args: argparse.Namespace) -> int:
    """Stop, then the cluster, while there are credentials, then the host."""
    loaded = load(Sources.of(args, os.environ))
    tell(loaded.problems)
    if loaded.settings is None:
        return WRONG_USAGE
    if not args.dry_run and os.geteuid() != 0:
        here = commands.known(os.environ).speakerd
        fail("uninstall", "needs root", f"sudo {here} uninstall, or see what it would do: --dry-run")
        return WRONG_USAGE
    _stop(dry=args.dry_run)
    settled = _leave(loaded.settings, dry=args.dry_run)
    if settled and not snap.inside(os.environ):
        for step in removal():
            print(f"would {said(step)}" if args.dry_run else said(step))
            if not args.dry_run:
                carry_out(step)
    print("\n".join(left(loaded.settings, os.environ)))
    return FINE if settled else NOT_VALID


def _stop(*, dry: bool) -> None:
    """An agent that runs would write its records anew. Raises Ended where it does not stop."""
    own = snap.inside(os.environ)
    unit, manager = (own.service, "snapctl") if own else (UNIT, "systemctl")
    if not _running(own):
        return
    print(f"{'would ' if dry else ''}stop {unit}: others answer for its addresses", flush=True)
    if not dry and subprocess.run([manager, "stop", unit], check=False).returncode:
        fail(unit, "does not stop", f"see {commands.known(os.environ).status}")
        raise Ended(NOT_VALID)


def _running(own: Snap | None) -> bool:
    if own:
        return snap_health.running(own)
    systemctl = shutil.which("systemctl")
    return bool(systemctl) and not subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode


def _leave(settings: Settings, *, dry: bool) -> bool:
    """Whether nothing of this host is in the cluster any more; else its files stay, to try again."""
    namespace, node = settings.kubernetes.namespace, settings.node.name
    try:
        told: list[Outcome] = asked(settings, lambda client: leave(client, namespace, node, dry=dry))
    except Ended:
        return False
    for each in told:
        print(f"{each.what}: {each.word}")
    return not any(each.word.startswith("stays") for each in told)


def left(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """What stays, and how it goes."""
    here, own = commands.known(environ).speakerd, snap.inside(environ)
    what = f"the snap: sudo snap remove {own.name}" if own else "the user speakerd, the package where there is one"
    namespace, secret = settings.kubernetes.namespace, hostaccount.secret_name(settings.node.name)
    yield f"Left on this host: /etc/speakerd.yaml, /etc/speakerd.d, {what}."
    yield "Left in the cluster, for other hosts: pools and advertisements, CustomResourceDefinitions, rights, the"
    yield f"Leases of addresses. This host's token, if it had one: kubectl -n {namespace} delete secret {secret}"
    yield f"After the last: {here} rbac | kubectl delete -f -; with all pools: {here} crds | kubectl delete -f -"
