"""What an administrator types on this host to look after the service: under systemd by itself, or in the snap; pure."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import asdict

from speakerd import snap


class Commands(Struct, frozen=True):
    """`speakerd`: the program; the others are of its service."""

    speakerd: str = "speakerd"
    status: str = "systemctl status speakerd"
    log: str = "journalctl -u speakerd"
    restart: str = "systemctl restart speakerd"
    stop: str = "systemctl stop speakerd"

    def spoken(self, text: str) -> str:
        """`text` with the command that holds here in place of each {name}."""
        for name, command in asdict(self).items():
            text = text.replace(f"{{{name}}}", command)
        return text


USUAL = Commands()
"""Outside of the snap."""


def known(environ: Mapping[str, str]) -> Commands:
    """Those of this host."""
    own = snap.inside(environ)
    if own is None:
        return USUAL
    return Commands(
        speakerd=own.name,
        status=f"systemctl status snap.{own.service}",
        log=f"sudo snap logs {own.name}",
        restart=f"sudo snap restart {own.service}",
        stop=f"sudo snap stop {own.service}",
    )
