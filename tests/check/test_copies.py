from dataclasses import replace

import numpy as np

from glioseg.check.copies import are_one_patient, head_hashes
from glioseg.dataset.phantom import make_phantom


def test_a_copy_is_known_under_noise_mirror_and_other_brightness() -> None:
    volume, _ = make_phantom(1, size=128, name="PHANTOM_CS_0001_19990101")
    other, _ = make_phantom(2, size=128, name="PHANTOM_CS_0002_19990101")
    hashes = head_hashes(volume)
    noise = np.random.default_rng(0).normal(0, 2, volume.voxels.shape)
    noisy = np.clip(volume.voxels * 0.8 + noise, 0, 255).astype(np.uint8)
    assert are_one_patient(hashes, head_hashes(replace(volume, voxels=noisy)))
    assert are_one_patient(hashes, head_hashes(replace(volume, voxels=volume.voxels[:, :, ::-1])))
    half = len(volume.voxels) // 2
    part = replace(volume, voxels=volume.voxels[: half + 2], slice_names=volume.slice_names[: half + 2])
    assert are_one_patient(hashes, head_hashes(part))
    assert not are_one_patient(hashes, head_hashes(other))
    assert not are_one_patient(hashes, hashes[:0])
