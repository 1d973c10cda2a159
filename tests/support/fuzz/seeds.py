"""Sound files of every format, small and the same in every run, and what is done with them once they are damaged."""

import gzip
import hashlib
import io
import itertools
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nibabel
import nrrd
import numpy as np
import synthetic_dicom
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, RLELossless
from untrained import untrained_contract

from glioseg.commands.measure import measure
from glioseg.dataset.lgg import find_patients, read_patient
from glioseg.dataset.phantom import make_phantom
from glioseg.dataset.splits import fold_splits, load_split, save_split
from glioseg.errors import GliosegError
from glioseg.evaluation.patient_scores import score_patient
from glioseg.evaluation.score_files import read_patient_values
from glioseg.evaluation.scores import Scores
from glioseg.inference.contract import CONTRACT, MODEL_INT8, MODEL_ONNX, WEIGHTS
from glioseg.inference.external import predict_external
from glioseg.inference.model import Model
from glioseg.inference.shipped import find_model
from glioseg.outputs import Outputs
from glioseg.patients.find import find_sources
from glioseg.patients.source import OutputOptions, Result
from glioseg.volume import Mask, Volume

Files = dict[str, bytes]

SIZE, SLICES = 64, 8
AFFINE = np.array([[-0.9, 0, 0, 30], [0, -0.9, 0, 30], [0, 0, 5, -15], [0, 0, 0, 1]])
T1_AFFINE = np.array([[1.2, 0, 0, -36], [0, 1.1, 0, -35], [0, 0, 4, -15], [0, 0, 0, 1]])


class _BrightFlair:
    """In a network's place: tumour is where the normalised FLAIR is bright."""

    name, device, precision = "torch", "fuzz", "32"

    def logits(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return 4 * (images[:, 1:2] - 1.5)


UNTRAINED = untrained_contract(width=8, threshold=0.5, flip=False)


@dataclass(frozen=True)
class Seed:
    """Files that belong together.

    Attributes:
        name: Of the format.
        files: Their content by path.
        use: Reads them all, from the folder that they were written to, and works with what it read.
        mend: Makes consistent what a change would otherwise be noticed by at once, as a hash.
    """

    name: str
    files: Files
    use: Callable[[Path], object]
    mend: Callable[[Files], None] = lambda files: None


def predict_scans(folder: Path) -> None:
    """All that ``glioseg predict`` does with patients, without catching what one of them raises."""
    found = find_sources([folder])
    model = Model.of(_BrightFlair(), UNTRAINED)  # type: ignore[arg-type]
    for source in found.sources:
        read = source.read()
        predicted = model.predict(read.volume) if source.is_dataset else predict_external(model, read.volume)
        result = Result(predicted, "model", "0" * 64, origin=read.origin)
        outputs = Outputs(folder.parent / f"{folder.name}_out")
        source.write(result, outputs, OutputOptions(probabilities=True, nifti=True))
        for error in outputs.failures.values():
            raise error
    if not found.sources:
        raise GliosegError("; ".join(map(str, found.failures.values())) or "no patient")


def read_training(folder: Path) -> None:
    for files in find_patients(folder):
        read_patient(files)


def load_model(folder: Path) -> None:
    Model.load(folder, backend="torch").predict(Volume("P", np.full((2, 32, 32, 3), 90, np.uint8)))


def load_graph(folder: Path) -> None:
    Model.load(folder, backend="onnxruntime").predict(Volume("P", np.full((2, 32, 32, 3), 90, np.uint8)))


def all_seeds() -> list[Seed]:
    """Every seed, in one order. UIDs count up instead of being drawn, so that the same bytes come every time."""
    numbers = itertools.count(1)
    with patch.object(synthetic_dicom, "generate_uid", lambda **_: f"1.2.826.0.1.3680043.10.{next(numbers)}"):
        return [*_nifti(), *_nrrd(), *_dicom(), *_tif(), *_models()]


def _flair() -> NDArray[np.int16]:
    """Of a head, shape (column, row, slice)."""
    return make_phantom(5, size=SIZE, slices=SLICES)[0].channel("flair").T.astype(np.int16) * 4


def _nifti() -> list[Seed]:
    by_sform = nibabel.Nifti1Image(_flair(), AFFINE)
    by_qform = nibabel.Nifti1Image(_flair().astype(np.float32), AFFINE)
    by_qform.set_sform(None, 0)
    by_qform.set_qform(AFFINE, 1)
    wide = nibabel.Nifti2Image(_flair(), AFFINE)
    t1 = nibabel.Nifti1Image(_flair()[::-1, ::-1].astype(np.float64) + 20, T1_AFFINE)
    mask = nibabel.Nifti1Image((_flair() > 600).astype(np.uint8), AFFINE)
    packed = {name: gzip.compress(image.to_bytes(), 6, mtime=0) for name, image in (("s", by_sform), ("t1", t1))}
    return [
        Seed("nifti", {"flair.nii": by_sform.to_bytes()}, predict_scans),
        Seed("nifti.gz", {"flair.nii.gz": packed["s"]}, predict_scans),
        Seed("nifti qform", {"flair.nii": by_qform.to_bytes()}, predict_scans),
        Seed("nifti-2", {"flair.nii": wide.to_bytes()}, predict_scans),
        Seed("nifti of two", {"P_flair.nii.gz": packed["s"], "P_t1.nii.gz": packed["t1"]}, predict_scans),
        Seed("nifti mask", {"P_mask.nii": mask.to_bytes()}, lambda folder: measure([folder / "P_mask.nii"])),
    ]


def _nrrd() -> list[Seed]:
    header = {"space": "left-posterior-superior", "space directions": np.diag([0.9, 0.9, 5]), "space origin": [0, 0, 0]}
    seeds = []
    for encoding in ("raw", "gzip", "bzip2", "ascii"):
        voxels = _flair() if encoding != "ascii" else _flair()[::2, ::2]
        files = _written(lambda folder: nrrd.write(str(folder / "flair.nrrd"), voxels, header | {"encoding": encoding}))  # noqa: B023
        seeds.append(Seed(f"nrrd {encoding}", files, predict_scans))
    files = _written(lambda folder: nrrd.write(str(folder / "flair.nhdr"), _flair(), header))
    return [*seeds, Seed("nhdr", files, predict_scans)]


def _dicom() -> list[Seed]:
    voxels = _flair().T.astype(np.uint16)

    def series(folder: Path) -> None:
        synthetic_dicom.write_series(folder, voxels, syntax=ExplicitVRLittleEndian)

    def packed(folder: Path) -> None:
        synthetic_dicom.write_series(folder, voxels, syntax=RLELossless)

    def enhanced(folder: Path) -> None:
        affine, order = synthetic_dicom.AXIAL, range(SLICES)
        synthetic_dicom.write_enhanced(folder / "IM1", voxels, affine, order=order)

    plain = _written(series)
    return [
        Seed("dicom", plain, predict_scans),
        Seed("dicom RLE", _written(packed), predict_scans),
        Seed("dicom enhanced", _written(enhanced), predict_scans),
        Seed("zip", {"scan.zip": _zipped(plain)}, lambda folder: predict_scans(folder / "scan.zip")),
    ]


def _tif() -> list[Seed]:
    volume, mask = make_phantom(5, size=SIZE, slices=SLICES)
    pictures, masks = volume.voxels[2:4], mask.voxels[2:4].astype(np.uint8) * 255
    seeds = []
    for way in ("plain", "deflate", "lzw", "jpeg", "planes", "palette"):
        files = _written(lambda folder: _write_patient(folder / "P_X_1", pictures, masks, way))  # noqa: B023
        seeds.append(Seed(f"tif {way}", files, predict_scans if way in ("plain", "jpeg") else read_training))
    return seeds


def _write_patient(folder: Path, pictures: NDArray[np.uint8], masks: NDArray[np.uint8], way: str) -> None:
    folder.mkdir()
    for number, (picture, mask) in enumerate(zip(pictures, masks, strict=True), start=1):
        names = [folder / f"P_X_1_{number}{ending}.tif" for ending in ("", "_mask")]
        if way in ("lzw", "jpeg"):
            for path, pixels in zip(names, (picture, mask), strict=True):
                packing = f"tiff_{way}" if way == "lzw" else way if pixels is picture else None
                Image.fromarray(pixels).save(path, compression=packing)
            continue
        planes = {"planarconfig": "separate"} if way == "planes" else {}
        stored = np.ascontiguousarray(np.moveaxis(picture, -1, 0)) if planes else picture
        palette = {"photometric": "palette", "colormap": np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))}
        packing = "deflate" if way == "deflate" else None
        tifffile.imwrite(names[0], stored, photometric="rgb", metadata=None, compression=packing, **planes)
        of_mask = palette if way == "palette" else {"photometric": "minisblack"}
        tifffile.imwrite(names[1], mask, metadata=None, compression=packing, **of_mask)


def _models() -> list[Seed]:
    import torch

    from glioseg.inference.bundle import save_bundle
    from glioseg.networks import build_network

    torch.manual_seed(0)
    network = build_network("unet", 8)
    files = _written(lambda folder: _discard(save_bundle(folder, network, UNTRAINED, "# Card\n", half=True)))
    return [
        Seed("bundle", files, load_model),
        Seed("bundle signed", files, load_model, _sign),
        Seed("bundle onnx", _shipped(), load_graph),
        Seed("scores", _scores(), lambda folder: read_patient_values(folder / "scores.json", "dice")),
        Seed("split", _split(), lambda folder: load_split(folder / "split.json")),
    ]


def _shipped() -> Files:
    """One of the networks that come with the program, as graphs beside its weights."""
    folder = find_model("best") / "unet-16_fold-0"
    return {name: (folder / name).read_bytes() for name in (CONTRACT, WEIGHTS, MODEL_ONNX, MODEL_INT8)}


def _scores() -> Files:
    true, found = np.zeros((2, 1, 1, 4), np.bool_)
    true[..., :2] = found[..., 1:3] = True
    scored = Scores((score_patient(Mask("A", found), Mask("A", true)),), libraries={"monai": "1"})
    return {"scores.json": scored.to_json().encode()}


def _split() -> Files:
    split = fold_splits([f"TCGA_DU_{number:04d}_1999" for number in range(20)], folds=4)[0]
    return _written(lambda folder: save_split(split, folder / "split.json"))


def _sign(files: Files) -> None:
    """Weights that lost their meaning, under the hash that the contract names."""
    try:
        contract = json.loads(files[CONTRACT])
        contract["weights_sha256"] = hashlib.sha256(files[WEIGHTS]).hexdigest()
        files[CONTRACT] = json.dumps(contract).encode()
    except (ValueError, TypeError, KeyError):
        return


def _discard(_: object) -> None: ...


def _written(write: Callable[[Path], object]) -> Files:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _zipped(files: Files) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
