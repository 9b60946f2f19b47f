"""Power cuts while settings and an update are written. Each time the device must come up listening, with one of the settings that
were written, and whole."""

import dataclasses
import json
import pathlib
import random
import re

from board import BRIGHTNESS, BRIGHTNESSES, Board
from guest import Failure, Guest

# What a person may have meant; the last settings that were right hold.
BROKEN = "[display\nkind = "
UPDATE = r"@@update (complete|failed): ([\d.]+) to ([\d.]+)"
WRITE = "(/opt/writer > /run/writer.log 2>&1 &)"
# The emulator shares its machine.
LONGEST_S = 1800
# The last cuts fall so far behind an update's end.
BEHIND = 1.35


@dataclasses.dataclass
class Plan:
    """When power is cut, and what came of it so far."""

    seed: int
    # The device's seconds that an update took, undisturbed.
    update_s: float
    delays_s: list[float]
    done: int = 0
    behind: int = 0
    listening_s: list[float] = dataclasses.field(default_factory=list)
    programs: dict[str, int] = dataclasses.field(default_factory=dict)


def plan(board: Board, cuts: int, seed: int) -> Plan:
    """Makes the first cut when an update is complete, and spreads the others evenly from an update's beginning to behind its end, by
    chance within each part and in their order."""
    guest = _boot(board)
    board.wait_until_listening(guest)
    # From now on nobody but the device knows what was right.
    guest.command(WRITE)
    found = guest.expect(UPDATE, LONGEST_S)
    if found.group(1) != "complete":
        raise Failure(f"the update failed:\n{guest.command('cat /run/writer.log')}")
    guest.cut()
    update_s = float(found.group(3)) - float(found.group(2))
    board.card.put("harmonynet.toml", BROKEN)
    chance = random.Random(seed)
    delays = [BEHIND * update_s * (number + chance.random()) / (cuts - 1) for number in range(cuts - 1)]
    chance.shuffle(delays)
    until = BEHIND * update_s
    print(f"an update takes {update_s:.0f} s: a cut behind it, {cuts - 1} up to {until:.0f} s from its beginning, seed {seed}", flush=True)
    return Plan(seed, update_s, [update_s, *delays], done=1, behind=1)


def _boot(board: Board) -> Guest:
    """Its clock counts instructions, so that it doesn't run on where other programs take the processor from the emulator: the card's
    driver would take that for a card that doesn't answer."""
    return board.boot(counted=True, music=False)


def survive(board: Board, plan_: Plan, progress: pathlib.Path) -> None:
    """Makes the cuts that are left."""
    whole = re.compile(rf"brightness = ({'|'.join(map(str, (BRIGHTNESS, *BRIGHTNESSES)))})$", re.MULTILINE)
    cuts = len(plan_.delays_s)
    while True:
        guest = _boot(board)
        plan_.listening_s.append(board.wait_until_listening(guest))
        settings = guest.command("cat /etc/harmonynet/harmonynet.toml")
        if not whole.search(settings) or "hw:CARD=Loopback" not in settings:
            raise Failure(f"after cut {plan_.done} the settings are not whole:\n{settings}")
        program = guest.command("readlink -f /run/harmonynet-appliance/program").strip()
        plan_.programs[program] = plan_.programs.get(program, 0) + 1
        progress.write_text(json.dumps(dataclasses.asdict(plan_)))
        if plan_.done == cuts:
            guest.cut()
            break
        delay = plan_.delays_s[plan_.done]
        guest.command(WRITE)
        guest.type(f"sleep {delay:.2f}; echo; echo @@now")
        guest.expect("^@@now$", LONGEST_S)
        guest.cut()
        updates = sum(re.search(UPDATE, line) is not None for line in guest.heard())
        plan_.behind += updates > 0
        plan_.done += 1
        progress.write_text(json.dumps(dataclasses.asdict(plan_)))
        print(
            f"cut {plan_.done} of {cuts}: {delay:5.1f} s into the writing, {updates} updates complete; started from {program}, "
            f"listening after {plan_.listening_s[-1]:.1f} s",
            flush=True,
        )
    print(
        f"{cuts} power cuts, seed {plan_.seed}, {plan_.behind} of them after an update was complete: listening with whole settings after "
        f"each, after {max(plan_.listening_s):.1f} s at most; programs that were started: {plan_.programs}",
        flush=True,
    )
