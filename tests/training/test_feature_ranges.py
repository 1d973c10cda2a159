from dataclasses import replace

import numpy as np

from glioseg.dataset.store import ArrayStore
from glioseg.inference.out_of_distribution import check_distribution, image_features
from glioseg.training.config import load_config
from glioseg.training.feature_ranges import feature_ranges


def test_ranges_hold_the_patients_they_were_measured_on_and_not_the_same_turned_dark(store: ArrayStore) -> None:
    config = load_config()
    patients = [entry.patient for entry in store.patients[:3]]
    ranges = feature_ranges(store, patients, config)
    for volume in map(store.volume, patients):
        assert check_distribution(image_features(volume, config.preprocessing), ranges) == ()
        dark = replace(volume, voxels=np.where(volume.voxels > 0, 255 - volume.voxels, 0).astype(np.uint8))
        assert check_distribution(image_features(dark, config.preprocessing), ranges) != ()


def test_only_the_patients_named_are_measured(store: ArrayStore) -> None:
    names = [entry.patient for entry in store.patients]
    few, more = (feature_ranges(store, chosen, load_config()) for chosen in (names[:2], names))
    assert all(more[name][0] <= low and high <= more[name][1] for name, (low, high) in few.items())
    assert few != more


def test_where_skulls_are_taken_off_ranges_are_wider(store: ArrayStore) -> None:
    patients = [entry.patient for entry in store.patients[:3]]
    whole = feature_ranges(store, patients, load_config())
    both = feature_ranges(store, patients, load_config(assignments=["augmentation.skull_stripping=0.2"]))
    assert both["head_share"][0] < whole["head_share"][0]
    assert all(both[name][0] <= low and high <= both[name][1] for name, (low, high) in whole.items())
