import subprocess
import sys

import numpy as np

from glioseg.machine import peak_memory_mb


def test_the_peak_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = np.ones(400_000_000 // 8)
    assert peak_memory_mb() > held.nbytes / 1e6
    code = "from glioseg.machine import peak_memory_mb; print(peak_memory_mb())"
    found = float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 5 < found < 200
