"""In the machine: the pod of a node. Answers by UDP on ADDRESS, PORT with NAME and what came in."""

import socket
import sys


def main(name: str, address: str, port: int) -> None:
    """Answer for as long as it lives."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    while True:
        data, peer = server.recvfrom(512)
        server.sendto(name.encode() + b" " + data, peer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
