from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from glioseg.dataset import phantom
from glioseg.dataset.lgg import find_patients, read_clinical, read_patient
from glioseg.dataset.phantom import SITES, make_phantom, missing_sequences, site_sequence, write_phantoms
from glioseg.dataset.phantom_anatomy import Tissue, make_anatomy
from glioseg.dataset.phantom_space import smooth_noise
from glioseg.errors import GliosegError
from glioseg.volume import CHANNELS, Mask, Volume

SIZE = 64
HEADER = (
    "Patient,RNASeqCluster,MethylationCluster,miRNACluster,CNCluster,RPPACluster,OncosignCluster,COCCluster,"
    "histological_type,neoplasm_histologic_grade,tumor_tissue_site,laterality,tumor_location,gender,"
    "age_at_initial_pathologic,race,ethnicity,death01"
)
WITHIN_THE_SKULL = {Tissue.FLUID, Tissue.GREY, Tissue.WHITE, Tissue.DEEP_GREY, Tissue.VESSEL, Tissue.SCAR}


@pytest.fixture(scope="module")
def phantoms() -> list[tuple[Volume, Mask]]:
    return [make_phantom(seed, size=SIZE) for seed in range(24)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("phantoms") / "new" / "folder"
    return root, write_phantoms(root, patients=6, seed=3, size=SIZE)


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_patient_has_the_form_of_the_dataset() -> None:
    volume, mask = make_phantom(5, size=SIZE, slices=21, name="PHANTOM_DU_0001_19990101")
    assert volume.voxels.shape == (21, SIZE, SIZE, 3)
    assert volume.voxels.dtype == np.uint8
    assert volume.channels == CHANNELS
    assert mask.voxels.shape == (21, SIZE, SIZE)
    assert volume.slice_names == mask.slice_names
    assert volume.slice_names[0] == "PHANTOM_DU_0001_19990101_1"
    assert volume.slice_names[-1] == "PHANTOM_DU_0001_19990101_21"


def test_slice_counts_are_those_of_thick_slices(phantoms: list[tuple[Volume, Mask]]) -> None:
    counts = {len(volume.voxels) for volume, _ in phantoms}
    assert min(counts) >= 20
    assert max(counts) <= 40
    assert len(counts) > 8


def test_the_same_seed_gives_the_same_patient() -> None:
    (first, first_mask), (again, again_mask) = make_phantom(11, size=SIZE), make_phantom(11, size=SIZE)
    assert np.array_equal(first.voxels, again.voxels)
    assert np.array_equal(first_mask.voxels, again_mask.voxels)
    assert not np.array_equal(first_mask.voxels[:20], make_phantom(12, size=SIZE)[1].voxels[:20])


@pytest.mark.parametrize("seed", range(8))
def test_the_tumour_lies_within_the_skull(seed: int) -> None:
    anatomy = make_anatomy(np.random.default_rng(seed), SIZE, 24)
    assert set(np.unique(anatomy.tissue[anatomy.tumour.mask])) <= WITHIN_THE_SKULL


@pytest.mark.parametrize("seed", range(8))
def test_the_tumour_is_one_piece_of_a_plausible_size(seed: int) -> None:
    anatomy = make_anatomy(np.random.default_rng(seed), SIZE, 24)
    _, pieces = ndimage.label(anatomy.tumour.mask)
    share = anatomy.tumour.mask.sum() / np.isin(anatomy.tissue, list(WITHIN_THE_SKULL)).sum()
    assert pieces == 1
    assert 0.002 < share < 0.16


@pytest.mark.parametrize("seed", range(8))
def test_the_tumour_fades_across_its_contour(seed: int) -> None:
    tumour = make_anatomy(np.random.default_rng(seed), SIZE, 24).tumour
    assert tumour.share[tumour.mask].min() < 0.7
    assert 0 < tumour.share[~tumour.mask].max() < 0.5
    assert tumour.share[tumour.mask].min() >= 0.5


def test_slices_with_tumour_are_about_as_frequent_as_in_the_dataset(phantoms: list[tuple[Volume, Mask]]) -> None:
    share = np.mean([mask.voxels.any(axis=(1, 2)).mean() for _, mask in phantoms])
    assert 0.28 < share < 0.45


def test_the_tumour_is_brighter_on_flair_than_the_brain_around_it(phantoms: list[tuple[Volume, Mask]]) -> None:
    ratios = []
    for volume, mask in phantoms:
        flair = volume.channel("flair")
        disc = ndimage.generate_binary_structure(2, 1)[None]
        near = ndimage.binary_dilation(mask.voxels, disc, iterations=4)
        around = near & ~ndimage.binary_dilation(mask.voxels, disc) & (flair > 10)
        ratios.append(flair[mask.voxels].mean() / flair[around].mean())
    assert np.mean(ratios) > 1.3
    assert np.mean(np.array(ratios) > 1.1) > 0.85


def test_no_threshold_on_flair_finds_the_tumours(phantoms: list[tuple[Volume, Mask]]) -> None:
    assert np.mean([best_threshold_dice(volume.channel("flair"), mask.voxels) for volume, mask in phantoms]) < 0.4


def test_no_threshold_finds_them_even_without_the_scalp() -> None:
    """The bright spots and caps, the uneven slices and the faded border matter, not only the fat."""
    scores = []
    for seed in range(12):
        volume, mask, tissue = phantom_with_tissue(seed, size=SIZE, slices=24)
        brain = np.isin(tissue, list(WITHIN_THE_SKULL))
        scores.append(best_threshold_dice(volume.channel("flair") * brain, mask.voxels))
    assert 0.3 < np.mean(scores) < 0.75


def phantom_with_tissue(seed: int, size: int, slices: int) -> tuple[Volume, Mask, np.ndarray]:
    """A patient and the anatomy behind it, made again from the same random numbers."""
    volume, mask = make_phantom(seed, size=size, slices=slices)
    rng = np.random.default_rng(seed)
    rng.integers(20, 41)
    anatomy = make_anatomy(rng, size, slices)
    assert np.array_equal(anatomy.tumour.mask, mask.voxels)
    return volume, mask, anatomy.tissue


def best_threshold_dice(flair: np.ndarray, truth: np.ndarray) -> float:
    found = [flair > threshold for threshold in range(10, 250, 8)]
    return max(2 * (f & truth).sum() / (f.sum() + truth.sum()) for f in found)


def test_intensity_scales_differ_between_patients(phantoms: list[tuple[Volume, Mask]]) -> None:
    middles = [np.median(v.voxels[len(v.voxels) // 2, 24:40, 24:40], axis=(0, 1)) for v, _ in phantoms]
    darkest, brightest = np.percentile(middles, [5, 95], axis=0)
    assert (brightest > 1.6 * darkest).all()


def test_the_background_is_black(phantoms: list[tuple[Volume, Mask]]) -> None:
    for volume, _ in phantoms:
        assert volume.voxels[:, :3, :3].mean() < 6


def test_sequences_show_different_contrasts(phantoms: list[tuple[Volume, Mask]]) -> None:
    for volume, mask in phantoms:
        assert volume.missing == ()
        pre, flair, post = (volume.channel(sequence)[mask.voxels].mean() for sequence in CHANNELS)
        normal = np.median(volume.voxels[len(volume.voxels) // 2, 24:40, 24:40], axis=(0, 1))
        assert flair / normal[1] > max(pre / normal[0], post / normal[2])


def test_contrast_agent_lights_up_vessels() -> None:
    """Judged where the anatomy has vessels: brighter than white matter after contrast, darker before it."""
    volume, _, tissue = phantom_with_tissue(2, size=128, slices=20)
    core = ndimage.binary_erosion(tissue == Tissue.VESSEL, np.ones((1, 2, 2)))
    white = tissue == Tissue.WHITE
    pre, post = volume.channel("pre").astype(float), volume.channel("post").astype(float)
    assert np.median(post[core]) > 1.1 * np.median(post[white])
    assert np.median(pre[core]) < np.median(pre[white])


@pytest.mark.parametrize("missing", [("post",), ("pre", "post")])
def test_a_missing_sequence_is_an_exact_copy_of_the_flair(missing: tuple[str, ...]) -> None:
    whole, _ = make_phantom(4, size=SIZE)
    lacking, _ = make_phantom(4, size=SIZE, missing=missing)
    assert lacking.missing == missing
    assert np.array_equal(whole.channel("flair"), lacking.channel("flair"))


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_one_patient_in_ten_misses_a_sequence(seed: int) -> None:
    missing = [missing_sequences(seed, k) for k in range(500)]
    assert missing.count(("pre", "post")) == 30
    assert missing.count(("post",)) == 20
    assert missing.count(()) == 450
    assert any(missing[:6])


def test_hospitals_come_in_the_proportions_of_the_dataset() -> None:
    sites = list(islice(site_sequence(), 109))
    assert {site: sites.count(site) for site in SITES} == {"DU": 45, "HT": 34, "CS": 16, "FG": 14}
    assert set(sites[:8]) == set(SITES)


def test_files_have_the_form_of_the_dataset(dataset: tuple[Path, list[str]]) -> None:
    root, names = dataset
    assert sorted(path.name for path in root.iterdir()) == sorted([*names, "data.csv"])
    for name in names:
        slices = len(list((root / name).iterdir())) // 2
        for n in range(1, slices + 1):
            with tifffile.TiffFile(root / name / f"{name}_{n}.tif") as file:
                page = file.pages.first
                assert (page.shape, page.dtype) == ((SIZE, SIZE, 3), np.uint8)
                assert page.photometric == tifffile.PHOTOMETRIC.RGB
                assert page.compression == tifffile.COMPRESSION.NONE
            mask = tifffile.imread(root / name / f"{name}_{n}_mask.tif")
            assert (mask.shape, mask.dtype) == ((SIZE, SIZE), np.uint8)
            assert set(np.unique(mask)) <= {0, 255}


def test_the_dataset_reader_reads_what_was_written(dataset: tuple[Path, list[str]]) -> None:
    root, names = dataset
    found = {files.patient: read_patient(files) for files in find_patients(root)}
    assert set(found) == set(names)
    assert any(volume.missing for volume, _ in found.values())
    for k, name in enumerate(names):
        volume, mask = found[name]
        assert volume.missing == missing_sequences(3, k)
        assert mask is not None
        assert mask.voxels.any()


def test_the_clinical_table_has_the_columns_of_the_dataset(dataset: tuple[Path, list[str]]) -> None:
    root, names = dataset
    lines = (root / "data.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    assert [line.split(",")[0] for line in lines[1:]] == ["_".join(name.split("_")[:3]) for name in names]
    assert {line.count(",") for line in lines} == {HEADER.count(",")}
    assert len(read_clinical(root)) == len(names)


def test_a_patient_is_the_same_however_many_are_written(dataset: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, names = dataset
    fewer = write_phantoms(tmp_path, patients=2, seed=3, size=SIZE)
    assert fewer == names[:2]
    for name in fewer:
        assert folder_bytes(tmp_path / name) == folder_bytes(root / name)
    table = (tmp_path / "data.csv").read_bytes()
    assert (root / "data.csv").read_bytes().startswith(table)


def test_another_seed_gives_other_patients(dataset: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, names = dataset
    (other,) = write_phantoms(tmp_path, patients=1, seed=4, size=SIZE)
    images = {content for name, content in folder_bytes(root / names[0]).items() if "mask" not in name}
    assert images.isdisjoint(folder_bytes(tmp_path / other).values())


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(GliosegError, match="not an empty folder"):
        write_phantoms(tmp_path, patients=1, size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(GliosegError, match="not an empty folder"):
        write_phantoms(tmp_path / "notes.txt", patients=1, size=SIZE)


def test_what_a_killed_call_left_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_phantoms(tmp_path / "whole", patients=3, size=32)
    write, left = phantom.write_patient, iter(range(2))

    def killed(*arguments: object) -> None:
        next(left)
        write(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(phantom, "write_patient", killed)
        with pytest.raises(StopIteration):
            write_phantoms(tmp_path / "data", patients=3, size=32)
    (tmp_path / "data" / f".{whole[2]}.abc.unfinished").mkdir()
    assert write_phantoms(tmp_path / "data", patients=3, size=32) == whole
    assert {path.name for path in (tmp_path / "data").iterdir()} == {*whole, "data.csv"}
    for name in whole:
        assert folder_bytes(tmp_path / "data" / name) == folder_bytes(tmp_path / "whole" / name)
    with pytest.raises(GliosegError, match="not an empty folder"):
        write_phantoms(tmp_path / "data", patients=3, size=32)


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"patients": 10_000}, {"size": 31}, {"seed": -1}])
def test_impossible_numbers_are_refused_before_anything_is_written(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(GliosegError):
        write_phantoms(tmp_path / "new", **{"patients": 1, **wrong})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("wrong", [{"slices": 7}, {"slices": 0}, {"size": 16}, {"missing": ("flair",)}])
def test_an_impossible_patient_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(GliosegError):
        make_phantom(0, **wrong)  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), slices=st.integers(8, 20))
def test_every_seed_gives_a_patient_with_a_tumour(seed: int, slices: int) -> None:
    volume, mask = make_phantom(seed, size=32, slices=slices)
    assert mask.voxels.any()
    assert volume.channel("flair")[mask.voxels].min() > 0


def test_smooth_noise_is_smooth_and_standardised() -> None:
    noise = smooth_noise(np.random.default_rng(0), (30, 128, 128), 12)
    assert abs(noise.mean()) < 0.1
    assert 0.9 < noise.std() < 1.1
    assert np.abs(np.diff(noise, axis=2)).max() < 1


def test_a_full_disk_leaves_whole_patients_and_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, written = tifffile.imwrite, []

    def full_in_the_second_patient(path: Path, *arguments: object, **named: object) -> None:
        if isinstance(path, Path) and "0002" in path.name and path.name.endswith("_3.tif"):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        written.append(path)
        whole(path, *arguments, **named)

    monkeypatch.setattr(tifffile, "imwrite", full_in_the_second_patient)
    with pytest.raises(GliosegError, match=r"cannot write .*PHANTOM_\w+: No space left on device"):
        write_phantoms(tmp_path / "data", patients=3, size=32)
    (folder,) = (tmp_path / "data").iterdir()
    assert "0001" in folder.name
    assert find_patients(tmp_path / "data")[0].masks
