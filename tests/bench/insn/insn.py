"""Instructions that the engines execute on the boards' processors, counted by QEMU: `make insn`.

Counts, not speed: an instruction that waits for memory counts like any other. One window is the difference of two runs
with different numbers of windows, so nothing that a program does once is in it; so is one period of sound, and one stage
the difference of two paths of which one goes on for longer. Prints tables and writes target/insn.json: ratios of our count
to the cheaper of tract's two (below 1: ours is cheaper), the counts, how much of each kernel's floor is reached, what each
stage takes, and what the costliest period does.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "target/arm"

# Multiply-adds of the shipped shape's window, 166 frames and 19 steps: three convolutions of what pooling keeps, the
# projection, the recurrence.
MULTIPLY_ADDS = 164 * 128 * 9 * 32 + 80 * 64 * 9 * 32 * 64 + 38 * 32 * 9 * 64 * 128 + 19 * 256 * (2048 + 64)


@dataclass(frozen=True)
class Machine:
    """A processor, how programs for it are built, and what to compare there."""

    key: str
    arch: str
    target: str
    emulator: str
    sysroot: str
    cpu: str
    kernel: str
    # Most multiply-adds that its instructions do, per instruction: `smull`, `smlal`, `sadalp` do 16 in three.
    per_instruction: float
    # What tract can't find out under user emulation, which shows this machine's /proc/cpuinfo. Of several, the cheapest.
    tract: tuple[dict[str, str], ...] = field(default=({},))


A64 = ("aarch64", "aarch64-unknown-linux-gnu", "qemu-aarch64", "/usr/aarch64-linux-gnu")
ARMV7 = ("armv7", "armv7-unknown-linux-gnueabihf", "qemu-arm", "/usr/arm-linux-gnueabihf")
ARMV6 = ("armv6", "arm-unknown-linux-gnueabi", "qemu-arm", "/usr/arm-linux-gnueabi")
NEON_OF_32_BITS = {"TRACT_CPU_ARM32_NEON": "true"}
MACHINES = (
    Machine("insn_aarch64", *A64, "cortex-a53", "neon", 16 / 3, ({}, {"TRACT_CPU_AARCH64_KIND": "a53"})),
    Machine("insn_aarch64_dot", *A64, "cortex-a76", "neon dotprod", 16),
    Machine("insn_armv7", *ARMV7, "cortex-a7", "armv7 neon", 16 / 3, (NEON_OF_32_BITS,)),
    Machine("insn_armv6", *ARMV6, "arm1176", "armv6 media", 2),
)

# Boards and the clocks that their makers state, in MHz, beside what runs there.
BOARDS = (
    ("Pi Zero, 1 B+", 1000, "insn_armv6"),
    ("Pi 2 B (v1.1)", 900, "insn_armv7"),
    ("Pi Zero 2 W, 32 bits", 1000, "insn_armv7"),
    ("Pi Zero 2 W", 1000, "insn_aarch64"),
    ("Pi 3 B+", 1400, "insn_aarch64"),
    ("Pi 4 B", 1500, "insn_aarch64"),
    ("Pi 5", 2400, "insn_aarch64_dot"),
)


# Where the path may end, but for the whole of it; what each stage adds to the one before.
ENDS = ("capture", "frontend", "decision")
STAGES = ("conversion, resampling", "front-end", "decision", "inference")
PERIODS_PER_SECOND = 50
# Windows are full from the 196th period on; a verdict falls due in every 28th, and the periods of two of them are counted.
FIRST_PERIOD, COUNTED_PERIODS = 300, 57


def build(machine: Machine) -> Path:
    """The counted program for a machine."""
    flags = ["--no-default-features", "--features", "std,native,tract", "--bench", "insn"]
    subprocess.run([ROOT / ".ci/arm", "cargo", machine.arch, "bench", "--no-run", *flags], check=True)
    return built(machine)


def built(machine: Machine) -> Path:
    """The newest counted program for a machine."""
    programs = BUILD.glob(f"{machine.arch}/{machine.target}/release/deps/insn-*")
    return max((p for p in programs if p.suffix == ""), key=lambda p: p.stat().st_mtime)


def plugin() -> Path:
    """The counting plugin."""
    library = BUILD / "count.so"
    source = Path(__file__).with_name("count.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def instructions(machine: Machine, words: list[str], env: dict[str, str]) -> int:
    """Instructions of one run."""
    # Nothing of this machine's environment: its length alone changes counts.
    command = [machine.emulator, "-cpu", machine.cpu, "-L", machine.sysroot]
    command += ["-plugin", str(BUILD / "count.so"), str(built(machine)), *words]
    clean = {"PATH": os.environ["PATH"], **env}
    run = subprocess.run(command, env=clean, cwd=ROOT, capture_output=True, text=True, check=False)
    counts = [line.split()[1] for line in run.stderr.splitlines() if line.startswith("instructions ")]
    if run.returncode != 0 or len(counts) != 1:
        sys.exit(f"{' '.join(command)}: {run.stderr}")
    return int(counts[0])


def per_item(machine: Machine, words: list[str], few: int, many: int, env: dict[str, str]) -> float:
    """Instructions of one more window or second."""
    low, high = (instructions(machine, [*words, str(count)], env) for count in (few, many))
    return (high - low) / (many - few)


def measure(machine: Machine) -> dict[str, float]:
    """Every figure of a machine."""
    ours = per_item(machine, ["window", machine.kernel], 1, 5, {})
    portable = per_item(machine, ["window", "portable"], 1, 2, {})
    path = per_item(machine, ["path", machine.kernel], 6, 16, {})
    theirs = {
        engine: min(per_item(machine, ["window", engine], 1, 3, env) for env in machine.tract)
        for engine in ("tract-float", "tract-int8")
    }
    floor = MULTIPLY_ADDS / machine.per_instruction
    return {
        machine.key: ours / min(theirs.values()),
        f"{machine.key}_window": ours,
        f"{machine.key}_portable": portable,
        f"{machine.key}_tract_f32": theirs["tract-float"],
        f"{machine.key}_tract_int8": theirs["tract-int8"],
        f"{machine.key}_floor": floor,
        f"{machine.key}_floor_share": floor / ours,
        f"{machine.key}_path_per_second": path,
    }


def measure_stages(machine: Machine) -> dict[str, float]:
    """What each stage takes in a second of sound, and what single periods take."""
    few = FIRST_PERIOD
    until = [
        per_item(machine, ["periods", end], few, few + 8 * PERIODS_PER_SECOND, {}) * PERIODS_PER_SECOND
        for end in (*ENDS, machine.kernel)
    ]
    stages = [after - before for before, after in zip([0.0, *until], until)]
    numbers = range(few, few + COUNTED_PERIODS + 1)
    counts = [instructions(machine, ["periods", machine.kernel, str(number)], {}) for number in numbers]
    periods = [after - before for before, after in zip(counts, counts[1:])]
    return {
        **{f"{machine.key}_stage_{number}": stage for number, stage in enumerate(stages)},
        f"{machine.key}_period_mean": sum(periods) / len(periods),
        f"{machine.key}_period_worst": max(periods),
    }


def print_stages(figures: dict[str, float], machines: list[Machine]) -> None:
    """Stages and periods, for people."""
    print("\nmillions of instructions per second of sound, by stage, and their shares (QEMU user emulation)")
    print(f"| processor | kernel | {' | '.join(STAGES)} | together |")
    print("| --- | --- |" + " ---: |" * (len(STAGES) + 1))
    for m in machines:
        stages = [figures[f"{m.key}_stage_{number}"] for number in range(len(STAGES))]
        cells = [f"{stage / 1e6:.2f}, {100 * stage / sum(stages):.1f} %" for stage in stages]
        print(f"| {m.cpu} | {m.kernel} | {' | '.join(cells)} | {sum(stages) / 1e6:.2f} |")
    print(f"\nthe costliest of {COUNTED_PERIODS} periods of 20 ms, two verdicts among them")
    columns = ("board", "cycles in a period, millions", "instructions, millions: mean", "worst", "worst at one per cycle")
    print(f"| {' | '.join(columns)} | exceeded from |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for board, clock, key in BOARDS:
        if worst := figures.get(f"{key}_period_worst"):
            cycles, mean = clock * 1e6 / PERIODS_PER_SECOND, figures[f"{key}_period_mean"]
            cells = f"{mean / 1e6:.2f} | {worst / 1e6:.2f} | {100 * worst / cycles:.0f} %"
            print(f"| {board} | {cycles / 1e6:.0f} | {cells} | {cycles / worst:.1f} cycles each |")


def print_tables(figures: dict[str, float], machines: list[Machine]) -> None:
    """What was measured, for people."""
    millions = lambda key: f"{figures[key] / 1e6:8.1f}"
    print("\nmillions of instructions per window of 166 frames and its verdict (QEMU user emulation)")
    print("| processor | kernel | ours | portable | tract f32 | tract int8 | fewer | floor | share |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for m in machines:
        counts = [millions(m.key + end) for end in ("_window", "_portable", "_tract_f32", "_tract_int8")]
        fewer, share = 1 / figures[m.key], figures[f"{m.key}_floor_share"]
        floor = millions(f"{m.key}_floor")
        print(f"| {m.cpu} | {m.kernel} | {' | '.join(counts)} | {fewer:.2f}× | {floor} | {share:.2f} |")
    print("\nwhole path (48 kHz stereo S32 → conversion, resampling, front-end, engine, a verdict every 0.56 s)")
    print("| board | clock, MHz | instructions per second of sound, millions | clock cycles per instruction to spare |")
    print("| --- | ---: | ---: | ---: |")
    for board, clock, key in BOARDS:
        if count := figures.get(f"{key}_path_per_second"):
            print(f"| {board} | {clock} | {count / 1e6:.1f} | {clock * 1e6 / count:.0f} |")


def main() -> None:
    """Builds, counts, prints and writes."""
    keys = [machine.key for machine in MACHINES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=keys, default=keys, help="some machines; writes nothing")
    parser.add_argument("--built", action="store_true", help="count what is built already")
    parser.add_argument("--stages", action="store_true", help="stages and periods alone; writes nothing")
    arguments = parser.parse_args()
    machines = [machine for machine in MACHINES if machine.key in arguments.only]
    if not arguments.built:
        for machine in {machine.arch: machine for machine in machines}.values():
            build(machine)
    plugin()
    figures: dict[str, float] = {"multiply_adds_per_window": MULTIPLY_ADDS}
    for machine in machines:
        figures |= measure_stages(machine)
        figures |= {} if arguments.stages else measure(machine)
    print_stages(figures, machines)
    if arguments.stages:
        return
    print_tables(figures, machines)
    if len(machines) == len(MACHINES):
        path = ROOT / "target/insn.json"
        path.write_text(json.dumps({key: round(value, 4) for key, value in figures.items()}, indent=2) + "\n")
        print(f"\n{path.relative_to(ROOT)} holds these figures")


if __name__ == "__main__":
    main()
