"""Locks of files: one after another, and nothing is left."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from unrolled.storage.atomic import in_turn


def test_one_after_another_comes_in(tmp_path: Path) -> None:
    inside, most = list[int](), list[int]()

    def work(number: int) -> None:
        for _ in range(20):
            with in_turn(tmp_path / "lock"):
                inside.append(number)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (80, 1)
    assert list(tmp_path.iterdir()) == []
