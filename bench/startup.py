"""How long `unrolled --help` and `import unrolled` take: the median of seven fresh processes, in seconds.

The time of an empty Python process stands beside them and is part of both. Goals: `--help` in at most 0.5 s, `import
unrolled` in at most 0.1 s (without the empty process).
"""

import argparse
import statistics
import subprocess
import sys
import time

import common
import machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three processes each; not recorded")
    times = 3 if parser.parse_args().quick else 7
    program, environment = common.unrolled()
    environment = {**environment, "PYTHONPATH": str(common.ROOT / "src")}
    commands = {
        "empty process": [sys.executable, "-c", ""],
        "import unrolled": [sys.executable, "-c", "import unrolled"],
        "unrolled --help": [*program, "--help"],
    }
    found = {name: median(command, environment, times) for name, command in commands.items()}
    print(f"{machine.line()}; median of {times} processes\n")
    print("| what | seconds | goal |\n|---|---|---|")
    print(f"| empty Python process | {found['empty process']:.3f} | |")
    print(f"| import unrolled, beyond that | {found['import unrolled'] - found['empty process']:.3f} | 0.1 |")
    print(f"| unrolled --help, in all | {found['unrolled --help']:.3f} | 0.5 |")
    if times == 7:
        common.record("startup", {"seconds": found, "machine": machine.line(), "date": machine.today()})


def median(command: list[str], environment: dict[str, str], times: int) -> float:
    seconds = []
    for _ in range(times + 1):  # the first one, which may compile and read from a cold disk, is not counted
        started = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
