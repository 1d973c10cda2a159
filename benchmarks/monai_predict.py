"""A patient segmented by MONAI's own pieces: ``python -m benchmarks.monai_predict BUNDLE PATIENT OUT``.

Its reader, transforms, sliding window and writer do the work of ``glioseg predict --no-previews``: read the tif files,
normalise, predict with the mirror image, threshold, drop small components, write. Float32, as its tutorials have it.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from monai.data import PILReader
from monai.data.image_writer import PILWriter
from monai.inferers import SlidingWindowInferer
from monai.transforms import (
    AsDiscrete,
    EnsureChannelFirst,
    LoadImage,
    NormalizeIntensity,
    SaveImage,
)

from benchmarks.plain_predict import large_components, load_network, slice_files
from glioseg.head import FOREGROUND_THRESHOLD

BATCH_SIZE = 8
"""Slices in a window batch."""


def main() -> None:
    bundle, patient, out = (Path(word) for word in sys.argv[1:4])
    contract, network = load_network(bundle)
    files = slice_files(patient)
    load, first = LoadImage(reader=PILReader(), image_only=True), EnsureChannelFirst(channel_dim=-1)
    # Channel, slice, row, column: intensities are normalised over the whole volume.
    volume = torch.stack([first(load(path)).as_tensor() for path in files], dim=1)
    head = volume[1] > FOREGROUND_THRESHOLD
    limits = [np.percentile(channel[head], contract["preprocessing"]["clip_percentile"]) for channel in volume]
    volume = torch.minimum(volume, torch.tensor(limits, dtype=torch.float32)[:, None, None, None])
    means, deviations = zip(*((float(values.mean()), float(values.std())) for values in volume[:, head]), strict=True)
    volume = NormalizeIntensity(means, deviations, channel_wise=True)(volume)
    # MONAI has columns before rows.
    slices = torch.as_tensor(volume).permute(1, 0, 3, 2)
    downsampling_factor = contract["preprocessing"].get("downsampling_factor", 1)
    slices = torch.nn.functional.avg_pool2d(slices, downsampling_factor)
    side = contract.get("patch_px")
    inferer = SlidingWindowInferer((side, side) if side else slices.shape[-2:], sw_batch_size=BATCH_SIZE)
    with torch.no_grad():
        one = torch.sigmoid(inferer(slices, network))
        other = torch.sigmoid(inferer(slices.flip(-1), network)).flip(-1)
    both = torch.nn.functional.interpolate((one + other) / 2, scale_factor=float(downsampling_factor), mode="bilinear")
    mask = AsDiscrete(threshold=contract["postprocessing"]["threshold"])(both)
    # MONAI's own component transforms want scikit-image.
    mask = torch.from_numpy(large_components(mask[:, 0].numpy() > 0))[:, None]
    save = SaveImage(
        out,
        "mask",
        ".tif",
        separate_folder=False,
        print_log=False,
        resample=False,
        writer=PILWriter,
        scale=255,
        output_dtype=np.uint8,
    )
    for path, slice_mask in zip(files, mask, strict=True):
        save(slice_mask.float().mT, {"filename_or_obj": str(path)})


if __name__ == "__main__":
    main()
