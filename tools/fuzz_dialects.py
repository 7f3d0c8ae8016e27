"""Write true tables in many dialects and read them back: ``python tools/fuzz_dialects.py --variants 10000``.

Prints how many were read as they are and how many were refused, and each one that was read otherwise: an error,
unless a remark gives both readings, as for 1.234 in a table without another number that shows its decimal sign.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

import pyarrow as pa

from unrolled.data.config import DataConfig
from unrolled.data.readers.table import read_written
from unrolled.errors import DataError
from unrolled.testing.dialects import differs, variant


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--refused", action="store_true", help="show each refusal")
    asked = parser.parse_args()
    counts: Counter[str] = Counter()
    for seed in range(asked.first, asked.first + asked.variants):
        one = variant(seed)
        try:
            table = read_written(
                pa.py_buffer(one.data), f"{seed}{one.suffix}", DataConfig.check(one.options), one.suffix
            )
        except DataError as error:
            counts["refused"] += 1
            if asked.refused:
                print(f"{seed}: {error}\n    {one.told}")
            continue
        wrong = differs(one, table.to_pydict())
        said = "is read with a decimal point; if" in (table.schema.metadata or {}).get(b"remark", b"").decode()
        counts[("otherwise, and said" if said else "different") if wrong else "as it is"] += 1
        if wrong and not said:
            print(f"{seed}: {wrong}\n    {one.told}")
    print(dict(counts))
    return int(counts["different"] > 0)


if __name__ == "__main__":
    sys.exit(main())
