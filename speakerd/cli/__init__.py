"""The command line: one module a verb, imported only when called."""

import argparse
import sys
from importlib import import_module
from types import ModuleType
from typing import NoReturn

VERBS = {
    "run": "run the agent: controller and announcer, in the foreground",
    "status": "what the running agent sees and does",
    "explain": "why an address is answered where it is, or by nobody, and what would change it",
    "events": "what happened to addresses, members, interfaces and settings",
    "drain": "hand over what this host answers for, and take nothing until undrain",
    "undrain": "let this host answer again",
    "check": "check settings files and Kubernetes objects",
    "plan": "what a cluster of the objects given comes to: addresses, owners, and who takes over from a node",
    "crds": "print the CustomResourceDefinitions, and policies that warn, for kubectl apply",
    "rbac": "print the agent's service account and its rights for kubectl apply",
    "credentials": "copy the kubeconfig found on this host to where the agent may read it; its service does so itself",
    "install-service": "write units, user and links for systemd on a host without the package",
    "uninstall": "let this host leave the cluster for good, and remove what install-service made",
    "migrate": "print what a MetalLB installation was told, as resources or settings",
    "snap-hook": "what snapd runs: the hooks of the snap",
    "version": "print the version",
}

FINE, NOT_VALID, WRONG_USAGE, NO_AGENT = 0, 1, 2, 3
"""Exit codes: promises to scripts."""


class Ended(Exception):
    """A command cannot go on; what is wrong was said, `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors have the form of all our errors."""

    def error(self, message: str) -> NoReturn:
        """Exit with the code for wrong usage."""
        self.exit(WRONG_USAGE, f"error: command line: {message} (see {self.prog} --help)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the verb named by `arguments`; the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(
        prog="speakerd",
        description="Addresses for Kubernetes Services of type LoadBalancer, announced on the network.",
        epilog="Example: speakerd status --watch. Each command has a --help of its own.",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True, parser_class=Parser)
    called = next((word for word in given if not word.startswith("-")), "")
    for verb, help_text in VERBS.items():
        sub = verbs.add_parser(verb, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        if verb == called:
            _module(verb).configure(sub)
    chosen = parser.parse_args(given)
    try:
        code = int(_module(chosen.verb).run(chosen))
        sys.stdout.flush()  # a reader that is gone is noticed here, not by Python at its end
        return code  # noqa: TRY300  the flush belongs to it
    except Ended as end:
        return end.code
    except BrokenPipeError:
        sys.stderr.close()
        return FINE
    except KeyboardInterrupt:
        return 130


def _module(verb: str) -> ModuleType:
    return import_module(f"speakerd.cli.{verb.replace('-', '_')}")


def fail(where: str, what: str, remedy: str, severity: str = "error") -> None:
    """Say one error, in the form scripts and people know."""
    sys.stderr.write(f"{severity}: {where}: {what} ({remedy})\n")
