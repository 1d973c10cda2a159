from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from glioseg.dataset.store import ArrayStore
from glioseg.errors import GliosegError
from glioseg.inference.preprocessing import Preprocessing, intensity_statistics
from glioseg.training.config import Sampling, TrainingConfig
from glioseg.training.sampling import SliceSampler, crop_downsampling, crop_px


def patients_of(store: ArrayStore) -> list[str]:
    return [entry.patient for entry in store.patients]


def sampler(store: ArrayStore, patients: Sequence[str] | None = None, seed: int = 0, **settings: float) -> SliceSampler:
    chosen = patients_of(store)[1:4] if patients is None else patients
    return SliceSampler(store, chosen, Sampling(**settings), Preprocessing(), seed)


def with_tumour(store: ArrayStore, indices: np.ndarray) -> np.ndarray:
    return np.array([store.masks[index].any() for index in indices])


def test_a_batch_depends_on_seed_and_step_alone(store: ArrayStore) -> None:
    one, other = sampler(store), sampler(store)
    forward = [one.indices(step) for step in range(8)]
    backward = [other.indices(step) for step in reversed(range(8))][::-1]
    np.testing.assert_array_equal(forward, backward)
    np.testing.assert_array_equal(one.indices(3), forward[3])


def test_other_steps_and_seeds_give_other_batches(store: ArrayStore) -> None:
    one, other = sampler(store, seed=0), sampler(store, seed=1)
    batches = [tuple(source.indices(step)) for source in (one, other) for step in range(8)]
    assert len(set(batches)) == 16


@pytest.mark.parametrize(("share", "at_least"), [(0.6, 10), (0.25, 4), (1.0, 16)])
def test_share_of_tumour_slices(store: ArrayStore, share: float, at_least: int) -> None:
    source = sampler(store, batch_size=16, foreground_fraction=share)
    found = np.array([with_tumour(store, source.indices(step)) for step in range(60)])
    assert found.shape == (60, 16)
    # By definition the first of a batch come from the slices with tumour, the rest as they are.
    assert found[:, :at_least].all()
    natural = with_tumour(store, source.slices).mean()
    if at_least < 16:
        assert abs(found[:, at_least:].mean() - natural) < 0.1


def test_without_a_share_every_slice_is_as_likely(store: ArrayStore) -> None:
    source = sampler(store, batch_size=32, foreground_fraction=0)
    drawn = np.concatenate([source.indices(step) for step in range(200)])
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, source.slices)
    mean = len(drawn) / len(source.slices)
    assert counts.min() > mean / 2
    assert counts.max() < 2 * mean


def test_only_slices_of_the_patients_named(store: ArrayStore) -> None:
    wanted = patients_of(store)[1:4:2]
    own = [index for name in wanted for index in range(store.entry(name).start, store.entry(name).stop)]
    source = sampler(store, wanted)
    assert set(source.slices) == set(own)
    assert {int(index) for step in range(50) for index in source.indices(step)} <= set(own)


def test_the_order_of_the_patients_does_not_matter(store: ArrayStore) -> None:
    """A split comes back from its file in the order of names."""
    names = patients_of(store)[1:4]
    np.testing.assert_array_equal(sampler(store, names[::-1]).indices(0), sampler(store, names).indices(0))


def test_names_are_those_of_the_indices(store: ArrayStore) -> None:
    every_name = [name for entry in store.patients for name in entry.slice_names]
    source = sampler(store)
    for step in range(5):
        assert source.names(step) == [every_name[index] for index in source.indices(step)]


def test_a_batch_holds_slices_masks_and_their_patients_statistics(store: ArrayStore) -> None:
    source = sampler(store, batch_size=6)
    batch, indices = source.batch(2), source.indices(2)
    assert batch.images.shape == (6, 3, *store.images.shape[1:3])
    assert batch.masks.shape == (6, 1, *store.masks.shape[1:])
    for row, index in enumerate(indices):
        owner = next(entry for entry in store.patients if entry.start <= index < entry.stop)
        np.testing.assert_array_equal(batch.images[row].permute(1, 2, 0), store.images[index])
        np.testing.assert_array_equal(batch.masks[row, 0], store.masks[index])
        expected = intensity_statistics(store.volume(owner.patient), Preprocessing())
        np.testing.assert_array_equal(batch.statistics[row], expected)


def test_patients_differ_in_their_statistics(store: ArrayStore) -> None:
    """Otherwise the test above could not tell one patient's from another's."""
    found = [intensity_statistics(store.volume(name), Preprocessing()) for name in patients_of(store)]
    assert len({statistics.tobytes() for statistics in found}) == len(found)


@pytest.mark.parametrize(("batch_size", "steps"), [(4, 4), (18, 1), (19, 1), (5, 3)])
def test_an_epoch_is_as_many_slices_as_there_are(small_store: ArrayStore, batch_size: int, steps: int) -> None:
    patients = patients_of(small_store)[:3]
    assert sampler(small_store, patients, batch_size=batch_size).steps_per_epoch == steps


def test_without_patients(store: ArrayStore) -> None:
    with pytest.raises(GliosegError, match="the split has no training patient"):
        sampler(store, [])


def test_without_any_tumour(store: ArrayStore) -> None:
    healthy = replace(store, masks=np.zeros_like(store.masks))
    with pytest.raises(GliosegError, match="no training slice shows a tumour"):
        sampler(healthy)


def test_a_tumour_of_another_patient_does_not_count(store: ArrayStore) -> None:
    masks = np.array(store.masks)
    first = store.patients[0]
    masks[first.start : first.stop] = False
    with pytest.raises(GliosegError, match="no training slice shows a tumour"):
        sampler(replace(store, masks=masks), [first.patient])


def test_share_of_slices_at_the_poles(store: ArrayStore) -> None:
    source = sampler(store, batch_size=16, foreground_fraction=0.5, pole_share=0.25)
    drawn = np.array([source.indices(step) for step in range(40)])[:, -4:]
    assert not with_tumour(store, drawn.ravel()).any()
    for entry in (store.entry(name) for name in patients_of(store)[1:4]):
        own = drawn[(drawn >= entry.start) & (drawn < entry.stop)]
        place = (own - entry.start) / (entry.stop - entry.start)
        assert ((place < 0.25) | (place >= 0.75)).all()
        assert (place < 0.25).any()
        assert (place >= 0.75).any()


BuildConfig = Callable[..., TrainingConfig]


@pytest.mark.parametrize(
    ("name", "crop", "downsampling_factor", "fine", "coarse"),
    [
        ("unet", 192, 1, 192, 96),
        ("unet", 192, 2, 96, 48),
        ("resunet-a", 192, 2, 96, 64),
        ("resunet-pp", 36, 1, 40, 24),
    ],
)
def test_a_crop_has_the_size_that_the_network_computes(
    tiny_config: BuildConfig, name: str, crop: int, downsampling_factor: int, fine: int, coarse: int
) -> None:
    config = tiny_config(
        f"network.name={name}", f"sampling.crop_size={crop}", f"preprocessing.downsampling_factor={downsampling_factor}"
    )
    assert (crop_px(config), crop_px(config, coarse=True)) == (fine, coarse)
    assert (crop_downsampling(config), crop_downsampling(config, coarse=True)) == (
        downsampling_factor,
        2 * downsampling_factor,
    )
