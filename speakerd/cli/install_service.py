"""`speakerd install-service`: units, user and links for a host without the package, from where the program stands."""

import argparse
import os
import subprocess
from pathlib import Path

from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, Ended, fail
from speakerd.cli.servicefiles import LINK, PACKAGED, UNPACKED, carry_out, installation, ours, said

RUNNING = Path("/run/systemd/system")
"""sd_booted(3)."""
HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108  places to refuse
"""What the unit cannot see, or what is gone after a while."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--now", action="store_true", help="start the service as well")
    parser.epilog = (
        "Example: sudo ./speakerd install-service --now. From the folder it runs where that stands; the one file is"
        f" unpacked to {UNPACKED}. To be given again after a new version was put in its place."
    )


def run(args: argparse.Namespace) -> int:
    """Check, then do it step by step, and say each."""
    program, one_file = _standing()
    if not args.dry_run:
        _must_do(program.parent, one_file=one_file)
    for step in installation(program, one_file=one_file, now=args.now):
        if args.dry_run:
            print(f"would {said(step)}")
            continue
        try:
            done = carry_out(step)
        except (OSError, subprocess.CalledProcessError) as fault:
            fail(said(step), str(fault), "mend that and give the command again")
            return NOT_VALID
        print(said(step) if done else f"{said(step)}: is so already")
    if not args.now and not args.dry_run:
        print("It starts at the next boot, or now: systemctl start speakerd")
    return FINE


def _standing() -> tuple[Path, bool]:
    """The program, and whether it was unpacked from the one file. Raises Ended."""
    program = Path("/proc/self/exe").readlink()
    if program.name.startswith("python"):
        fail("install-service", f"this is not the compiled program, but {program}", "./dev build makes it")
        raise Ended(WRONG_USAGE)
    return program, "NUITKA_ONEFILE_PARENT" in os.environ


def _must_do(folder: Path, *, one_file: bool) -> None:
    """Raises Ended, once it is said why not."""
    refusal = refused(folder, one_file=one_file, root=os.geteuid() == 0, systemd=RUNNING.is_dir())
    if refusal:
        fail("install-service", *refusal)
        raise Ended(WRONG_USAGE)


def refused(folder: Path, *, one_file: bool, root: bool, systemd: bool) -> tuple[str, str] | None:
    """Why it cannot be, and what helps."""
    if not systemd:
        return "systemd does not run here", "start `speakerd run` by whatever starts services on this host"
    if not root:
        return "needs root", "sudo speakerd install-service"
    if any(Path(each).exists() and not ours(Path(each)) for each in PACKAGED):
        return "the package is installed and has the service", "systemctl enable --now speakerd"
    if not one_file and any(folder.is_relative_to(each) for each in HIDDEN):
        return f"the service cannot run from {folder}", f"move the folder to {UNPACKED}, and call it from there"
    if LINK.exists() and not LINK.is_symlink():
        return f"{LINK} is in the way", "remove it"
    return None
