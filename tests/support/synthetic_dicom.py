"""MR series written from an array and an affine, as a scanner would: the other side of the readers under test."""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

STUDY, FRAME_OF_REFERENCE = generate_uid(entropy_srcs=["study"]), generate_uid(entropy_srcs=["frame"])
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

Edit = Callable[[int, Dataset], None]


def stacked(directions: Iterable[Iterable[float]], spacing_mm: tuple[float, float, float], origin_mm=(-40, 30, 20)):
    """An affine from the RAS unit vectors of slice, row and column."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(list(directions), np.float64).T * spacing_mm
    affine[:3, 3] = origin_mm
    return affine


def rotation(x_degrees: float, y_degrees: float, z_degrees: float) -> NDArray[np.float64]:
    """Rotation matrix, about x first."""
    result = np.eye(3)
    for axis, degrees in enumerate((x_degrees, y_degrees, z_degrees)):
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        one, other = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[one, one] = turn[other, other] = cosine
        turn[one, other], turn[other, one] = -sine, sine
        result = turn @ result
    return result


AXIAL = stacked(([0, 0, 1], [0, -1, 0], [-1, 0, 0]), (3.0, 0.8, 0.9))
SAGITTAL = stacked(([-1, 0, 0], [0, 0, -1], [0, -1, 0]), (4.0, 1.0, 1.0))
CORONAL = stacked(([0, -1, 0], [0, 0, -1], [-1, 0, 0]), (2.0, 1.1, 0.7))
OBLIQUE = stacked((rotation(20, -15, 35) @ AXIAL[:3, :3] / (3.0, 0.8, 0.9)).T, (5.0, 0.6, 1.2))


def head(slices: int = 7, rows: int = 24, columns: int = 20, seed: int = 0) -> NDArray[np.uint16]:
    """An image without any symmetry, so that no flip passes unseen."""
    random = np.random.default_rng(seed)
    voxels = random.integers(0, 60, (slices, rows, columns)).astype(np.uint16)
    voxels[1:-1, 3:-5, 4:-3] += 400
    voxels[min(2, slices - 1), 5:9, 6:13] += 700
    voxels[:, 0, 0] = np.arange(slices) * 100 + 50
    return voxels


def blob(voxels: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """A mask without symmetry, on a few of the slices only."""
    inside = np.zeros(voxels.shape, np.bool_)
    inside[2, 5:9, 6:13] = True
    inside[3, 6:8, 7:10] = True
    inside[4, 6, 7] = True
    return inside


def write_series(
    folder: Path,
    voxels: NDArray[np.uint16],
    affine: NDArray[np.float64] = AXIAL,
    *,
    names: str = "shuffled",
    syntax: UID = ExplicitVRLittleEndian,
    edit: Edit = lambda index, dataset: None,
    **elements: object,
) -> Path:
    """A classic MR series, a file for each slice.

    Args:
        folder: Where to write; made if it is not there.
        voxels: Shape (slice, row, column).
        affine: (slice, row, column) to RAS+ millimetres.
        names: ``shuffled`` or ``reversed``: how file names and instance numbers follow the positions.
        syntax: The transfer syntax.
        edit: Changes the dataset of a slice before it is written.
        elements: Attributes that every slice shares, by keyword.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series = str(elements.pop("SeriesInstanceUID", "") or generate_uid())
    numbers = np.arange(len(voxels))[::-1]
    if names == "shuffled":
        numbers = np.random.default_rng(1).permutation(len(voxels))
    lps = RAS_TO_LPS @ affine
    for index, (image, number) in enumerate(zip(voxels, numbers, strict=True)):
        dataset = _common(MRImageStorage, series, image)
        dataset.InstanceNumber = int(number) + 1
        dataset.ImagePositionPatient = _decimals(lps @ [index, 0, 0, 1])
        dataset.ImageOrientationPatient = _orientation(lps)
        dataset.PixelSpacing = _decimals(np.linalg.norm(affine[:3, 1:3], axis=0))
        dataset.SliceThickness = 1.0
        dataset.PixelData = np.ascontiguousarray(image).tobytes()
        _set(dataset, elements)
        edit(index, dataset)
        save(dataset, folder / f"IM{number:04d}", syntax)
    return folder


def write_enhanced(
    path: Path, voxels: NDArray[np.uint16], affine: NDArray[np.float64], *, order: Iterable[int], **elements: object
) -> Path:
    """An enhanced MR file whose frames lie in the order given."""
    frames = list(order)
    dataset = _common(EnhancedMRImageStorage, generate_uid(), voxels[0])
    dataset.InstanceNumber = 1
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = np.ascontiguousarray(voxels[frames]).tobytes()
    for keyword in ("EchoTime", "InversionTime", "RepetitionTime", "ScanningSequence", "SequenceVariant"):
        delattr(dataset, keyword)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T2", "NONE"]
    lps = RAS_TO_LPS @ affine
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[
                _item(
                    PixelSpacing=_decimals(np.linalg.norm(affine[:3, 1:3], axis=0)),
                    SliceThickness=1.0,
                    SpacingBetweenSlices=float(np.linalg.norm(affine[:3, 0])),
                )
            ],
            PlaneOrientationSequence=[_item(ImageOrientationPatient=_orientation(lps))],
            MREchoSequence=[_item(EffectiveEchoTime=120.0)],
            MRModifierSequence=[_item(InversionTimes=[2500.0])],
            MRTimingAndRelatedParametersSequence=[_item(RepetitionTime=9000.0, FlipAngle=90.0, EchoTrainLength=1)],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=_decimals(lps @ [frame, 0, 0, 1]))],
            FrameContentSequence=[
                _item(StackID="1", InStackPositionNumber=frame + 1, DimensionIndexValues=[1, frame + 1])
            ],
            PixelValueTransformationSequence=[_item(RescaleSlope=2.0 + frame, RescaleIntercept=-5.0, RescaleType="US")],
        )
        for frame in frames
    ]
    organization = generate_uid()
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organization, DimensionIndexPointer=0x00209056, FunctionalGroupPointer=0x00209111
        ),
        _item(
            DimensionOrganizationUID=organization, DimensionIndexPointer=0x00209057, FunctionalGroupPointer=0x00209111
        ),
    ]
    _set(dataset, elements)
    save(dataset, path, ExplicitVRLittleEndian)
    return path


def write_single_frames(folder: Path, voxels: NDArray[np.uint16], affine: NDArray[np.float64]) -> Path:
    """An enhanced MR series of one frame a file, as some exports cut them."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = pydicom.dcmread(write_enhanced(folder / "whole", voxels, affine, order=range(len(voxels))))
    (folder / "whole").unlink()
    for number, (image, groups) in enumerate(zip(voxels, whole.PerFrameFunctionalGroupsSequence, strict=True)):
        one = copy.deepcopy(whole)
        one.SOPInstanceUID, one.InstanceNumber, one.NumberOfFrames = generate_uid(), number + 1, 1
        one.PerFrameFunctionalGroupsSequence = [groups]
        one.PixelData = np.ascontiguousarray(image).tobytes()
        save(one, folder / f"F{(number * 3) % len(voxels):04d}")
    return folder


def save(dataset: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> None:
    """Write a dataset as a DICOM file, compressed where the transfer syntax says so."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    if syntax.is_compressed:
        dataset.compress(
            syntax, generate_instance_uid=False, encoding_plugin="pydicom" if syntax == RLELossless else ""
        )
    dataset.save_as(path, enforce_file_format=True)


def _common(sop_class: UID, series: str, image: NDArray[np.uint16]) -> Dataset:
    return _item(
        SpecificCharacterSet="ISO_IR 100",
        ImageType=["ORIGINAL", "PRIMARY", "M", "ND"],
        SOPClassUID=sop_class,
        SOPInstanceUID=generate_uid(),
        StudyDate="20240229",
        SeriesDate="20240229",
        ContentDate="20240229",
        AcquisitionDate="20240229",
        StudyTime="101500",
        SeriesTime="101700",
        ContentTime="101800",
        AcquisitionTime="101800",
        AccessionNumber="A1",
        Modality="MR",
        Manufacturer="SIEMENS",
        ReferringPhysicianName="",
        SeriesDescription="AX FLAIR",
        ProtocolName="AX FLAIR",
        PatientName="Practice^Patient",
        PatientID="P-001",
        PatientBirthDate="19700101",
        PatientSex="O",
        ScanningSequence=["SE", "IR"],
        SequenceVariant="SK",
        ScanOptions="",
        MRAcquisitionType="2D",
        RepetitionTime=9000.0,
        EchoTime=120.0,
        InversionTime=2500.0,
        MagneticFieldStrength=3.0,
        EchoTrainLength=1,
        PatientPosition="HFS",
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=series,
        StudyID="1",
        SeriesNumber=4,
        AcquisitionNumber=1,
        FrameOfReferenceUID=FRAME_OF_REFERENCE,
        PositionReferenceIndicator="",
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=image.shape[0],
        Columns=image.shape[1],
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=0,
    )


def _item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def _set(dataset: Dataset, elements: dict[str, object]) -> None:
    """Set attributes by keyword; None takes one away."""
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)


def _orientation(lps: NDArray[np.float64]) -> list[str]:
    directions = [lps[:3, axis] / np.linalg.norm(lps[:3, axis]) for axis in (2, 1)]
    return _decimals(np.concatenate(directions), 6)


def _decimals(values: NDArray[np.float64], count: int = 3) -> list[str]:
    """As DICOM's decimal strings of at most 16 characters."""
    return [f"{value:.12f}"[:16] for value in values[:count]]
