"""How soon the dataset is there: from tif the first time, from the array store after that."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from glioseg.dataset.store import open_store


def opening_rows(data: Path) -> Iterator[tuple[str, str, str]]:
    """Seconds for both openings, with the arrays in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        for what, target in (("first opening, from tif", "15 s"), ("second opening", "1 s")):
            began = time.perf_counter()
            store = open_store(data, cache=Path(folder))
            seconds = time.perf_counter() - began
            yield f"{what}: {len(store.patients)} patients, {len(store.images)} slices", f"{seconds:.2f} s", target
