"""Run every benchmark and print a table: ``python -m benchmarks DATA``."""

import sys
from pathlib import Path

import torch

from benchmarks.check import check_rows
from benchmarks.opening import opening_rows
from benchmarks.start_up import start_up_rows
from benchmarks.throughput import throughput_rows
from glioseg.machine import choose_precision, describe_device


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    device = torch.device("cpu")
    print(f"{describe_device(device)}, precision {choose_precision('auto', device)}\n")
    print("| what | measured | target |\n|---|---:|---:|")
    rows = [*start_up_rows(), *(opening_rows(data) if data else []), *check_rows(data), *throughput_rows()]
    for what, measured, target in rows:
        print(f"| {what} | {measured} | {target} |", flush=True)
    if data is None:
        print("\nReading was not measured: name the dataset's folder with DATA=...")


if __name__ == "__main__":
    main()
