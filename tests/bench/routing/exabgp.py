"""ExaBGP's codec, run by the Python that has it: bodies of UPDATEs come in, seconds to read and write them go out."""

import json
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from importlib import import_module
from typing import Any


def main() -> None:
    """Standard input: a list of bodies in base64; argument: rounds, of which the best counts."""
    sys.path = [each for each in sys.path if each != sys.path[0]]  # this file has the name of what it measures
    message, direction = import_module("exabgp.bgp.message"), import_module("exabgp.bgp.message.direction").Direction
    # It reads settings wherever it may have something to log, which it shall not have.
    import_module("exabgp.configuration.setup").environment.setup("").log.enable = False
    negotiated = import_module("exabgp.bgp.message.open.capability.negotiated").Negotiated(None)
    families = import_module("exabgp.protocol.family")
    negotiated.asn4, negotiated.families = True, [(families.AFI.ipv4, families.SAFI.unicast)]
    negotiated.local_as, negotiated.peer_as = 64513, 64512
    bodies = [b64decode(each) for each in json.load(sys.stdin)]

    def read() -> list[Any]:
        return [message.Update.unpack_message(body, direction.IN, negotiated) for body in bodies]

    updates = read()
    told = {
        "decode": _seconds(read),
        "encode": _seconds(lambda: [list(each.messages(negotiated)) for each in updates]),
    }
    sys.stdout.write(json.dumps(told))


def _seconds(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(int(sys.argv[1])):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    main()
