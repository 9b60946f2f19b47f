#!/usr/bin/env python3
"""Listens at the event socket and prints what the device believes. Standard library only.

    harmonynet listen --set events.socket=/tmp/events.sock &
    python3 tests/clients/listener.py /tmp/events.sock          # for ever
    python3 tests/clients/listener.py /tmp/events.sock 3        # the first 3 verdicts
"""

import json
import socket
import sys
from collections.abc import Iterator

SCHEMA = 1
RATE_HZ = 22_050


def events(path: str) -> Iterator[tuple[str, dict]]:
    """Names and fields of events, until the device says no more."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(f"json {SCHEMA}\n".encode())
        for line in connection.makefile("rb"):
            # An object whose only key is the event's name.
            ((name, fields),) = json.loads(line).items()
            yield name, fields


def main(path: str, verdicts: int) -> None:
    for name, fields in events(path):
        if name == "hello":
            print(f"{fields['program']}, labels: {', '.join(fields['labels'])}")
        elif name == "change":
            print(f"{fields['at'] / RATE_HZ:.1f} s: {fields['state']} {fields['genre'] or ''}")
        elif name == "fault":
            print(f"{fields['text']}; {fields['mend']}")
        elif name == "lost":
            print(f"too slow: {fields['events']} events lost")
        elif name == "refused":
            sys.exit(f"refused: {fields}")
        elif name == "verdict":
            verdicts -= 1
            if verdicts == 0:
                return


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "/run/harmonynet/events.sock",
        int(sys.argv[2]) if len(sys.argv) > 2 else 0,
    )
