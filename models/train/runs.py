"""The record in a run's folder: what was trained with what, how far it has come, and whether it may be gone on with."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

import data
from network import parameter_count
from recipe import Config, TrainError, disturbances, network_for

SOURCES = (
    "network.py", "teachers.py", "table.py", "data.py", "augment.py", "heard.py", "beside.py", "evaluate.py", "recipe.py",
    "trainer.py", "train.py", "listen.py",
)  # fmt: skip


def code_hash() -> str:
    """SHA-256 of the recipe's source files."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()


def new_record(
    config: Config, frontend: data.Frontend, entries: list[data.Entry], labels: list[str], others: dict[str, object]
) -> dict:
    """The training record before any training. It names no path of the machine."""
    counts = {part: len({(entry.genre, entry.track) for entry in entries if entry.part == part}) for part in data.PARTS}
    described = {"sha256": data.data_hash(entries), "tracks": counts, **others}
    if any(entry.excerpt is not None for entry in entries):
        described["excerpts"] = {part: sum(entry.part == part for entry in entries) for part in data.PARTS}
    return {
        "configuration": asdict(config),
        "augmentation": asdict(disturbances(config, frontend.spec)),
        "frontend": {"fingerprint": frontend.fingerprint, "spec": frontend.spec},
        "data": described,
        "code": {"sha256": code_hash()},
        "labels": labels,
        "parameters": parameter_count(network_for(config, len(labels), frontend.spec["hop"])),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    }


def difference(old: dict, record: dict, sections: tuple[str, ...]) -> str | None:
    """The first thing in which two runs' records differ; `None` where there is none. A field of the configuration that
    an earlier run doesn't know was as it is unless it's changed."""
    known = {**old, "configuration": {**asdict(Config()), **old["configuration"]}}
    for section in sections:
        for field, value in record[section].items():
            if known[section].get(field) != value:
                return f"{section}.{field} was {known[section].get(field)!r} and is now {value!r}"
    return None


def check_same(run: Path, record: dict) -> None:
    """Refuses to continue a run with another configuration, data, front-end or code."""
    path = run / "training.json"
    if not path.is_file():
        return
    old = json.loads(path.read_text(encoding="utf-8"))
    if found := difference(old, record, ("configuration", "frontend", "data", "code")):
        raise TrainError(f"{run}: {found}; choose another --run folder, or delete this one to start over")


def finished_record(run: Path) -> dict:
    """The record of a run that is to be used; refuses one that isn't finished."""
    path = run / "training.json"
    if not path.is_file():
        raise TrainError(f"{run}: no such run")
    record = json.loads(path.read_text(encoding="utf-8"))
    if not record["result"]["finished"]:
        raise TrainError(f"{run}: not finished; go on with its own run first")
    return record


def replace_file(path: Path, content: dict) -> None:
    """Writes beside and renames: an interruption leaves the old file or the new one."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)
