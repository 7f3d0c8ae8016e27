"""Peak anonymous memory (RssAnon of Linux) while a text file of a gigabyte trains, as characters and as bytes.

Protocol: `unrolled fit big.txt --steps 30`, from reading and encoding to the end; the process is
looked at fifty times a second. Pages of mapped files are not counted: the system drops them when it needs the room. The
text is made here: words of random letters, some of them not ASCII, the same 16 MB again and again.

Goal: under 1.5 GB. Needs three times the size of the file on the disk.
"""

import argparse
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import machine
import numpy as np

BLOCK = 16 << 20
LIMIT = 1.5e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a file of 64 MB; not recorded")
    parser.add_argument(
        "--dir", type=Path, default=common.work("memory"), help="where the file is made (default bench/work)"
    )
    options = parser.parse_args()
    size = (64 << 20) if options.quick else (1 << 30)
    print(
        f"{machine.line()}\n\n| tokens | file | peak RssAnon | seconds | command |\n|---|---|---|---|---|", flush=True
    )
    missed = False
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        folder = Path(name)
        block = text(np.random.default_rng(0))
        with (folder / "big.txt").open("wb") as file:
            for _ in range(size // BLOCK):
                file.write(block)
        for tokens in ("characters", "bytes"):
            arguments = ["fit", "big.txt", "--tokens", tokens, "--steps", "30"]
            arguments += ["--out", tokens, "--quiet"]
            peak, seconds = watch(arguments, folder)
            command = shlex.join(["unrolled", *arguments])
            print(f"| {tokens} | {size / 1e9:.2f} GB | {peak / 1e9:.2f} GB | {seconds:.0f} | `{command}` |", flush=True)
            missed |= peak >= LIMIT
            if not options.quick:
                facts = {"tokens": tokens, "bytes": size, "peak_rss_anon": peak, "seconds": round(seconds, 1)}
                common.record(
                    "memory", {**facts, "command": command, "machine": machine.line(), "date": machine.today()}
                )
    sys.exit("the goal is under 1.5 GB" if missed else 0)


def text(random: np.random.Generator) -> bytes:
    """`BLOCK` bytes of lines of words, cut at a line's end and filled up with line ends."""
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxzäéñøß—"))
    words = ["".join(random.choice(letters, n)) for n in random.integers(1, 10, 4_000)]
    lines = [" ".join(random.choice(words, 12)) for _ in range(20_000)]
    data, out = "\n".join(lines).encode(), bytearray()
    while len(out) < BLOCK:
        out += data + b"\n"
    whole = bytes(out[:BLOCK]).rpartition(b"\n")[0]
    return whole + b"\n" * (BLOCK - len(whole))


def watch(arguments: list[str], folder: Path) -> tuple[int, float]:
    """(peak RssAnon in bytes, seconds) of a run."""
    program, environment = common.unrolled()
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen([*program, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, rss_anon(process.pid))
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"exit code {process.returncode} from: unrolled {shlex.join(arguments)}")
    return peak, time.perf_counter() - started


def rss_anon(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


if __name__ == "__main__":
    main()
