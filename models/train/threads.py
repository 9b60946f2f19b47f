"""How many processor threads a program uses, and how they wait. To be imported before PyTorch, which reads it then."""

from __future__ import annotations

import argparse
import os

# Sleep instead of spinning at OpenMP's barriers: beside other work, spinning costs several times as much.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """The option --threads."""
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), metavar="N", help="processor threads (default: all, %(default)s)"
    )
