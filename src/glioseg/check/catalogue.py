"""Every kind of finding: how bad it usually is, what it means, what to do."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""An error makes training or scores wrong, a warning deserves a look, a note is a fact worth knowing."""


@dataclass(frozen=True)
class Kind:
    """What all findings of one code share.

    Attributes:
        group: ``structure``, ``content``, ``set`` or ``labels``.
        severity: The usual one.
        title: A name in a few words.
        meaning: How it is recognised.
        remedy: What to do about it.
    """

    group: Literal["structure", "content", "set", "labels"]
    severity: Severity
    title: str
    meaning: str
    remedy: str


KINDS: dict[str, Kind] = {
    # Structure: what can be told from names, headers and value ranges.
    "patient_unreadable": Kind(
        "structure",
        "error",
        "Patient without a readable slice",
        "no image of the patient could be read",
        "Fetch the patient again or leave it out",
    ),
    "file_misnamed": Kind(
        "structure",
        "error",
        "Misnamed file",
        "a tif whose name does not carry its folder's name and a slice number",
        "Rename it to <patient>_<n>.tif or <patient>_<n>_mask.tif, or remove it",
    ),
    "file_extra": Kind(
        "structure",
        "warning",
        "Extra file",
        "a file that belongs to no slice",
        "Remove it; it is not read",
    ),
    "file_unreadable": Kind(
        "structure",
        "error",
        "Unreadable file",
        "the file cannot be decoded",
        "Fetch it again; it is damaged or cut short",
    ),
    "slice_claimed_twice": Kind(
        "structure",
        "error",
        "Two files for one slice",
        "two file names give the same slice number",
        "Keep the right one",
    ),
    "slice_missing": Kind(
        "structure",
        "error",
        "Gap in the numbering",
        "neither image nor mask of a slice between two others, or before the first where all others begin earlier",
        "Fetch the slice again; a gap puts a wrong neighbour beside a slice",
    ),
    "picture_missing": Kind(
        "structure", "error", "Mask without an image", "a mask whose image is not there", "Fetch the image again"
    ),
    "mask_missing": Kind(
        "structure", "error", "Image without a mask", "an image whose mask is not there", "Fetch the mask again"
    ),
    "picture_form": Kind(
        "structure",
        "error",
        "Image of another form",
        "not uint8 (row, column, 3 channels)",
        "Export it again as 8 bits with the three sequences as channels",
    ),
    "picture_size": Kind(
        "structure",
        "error",
        "Slice of another size",
        "rows or columns differ from most slices of the patient",
        "Export the patient again on one grid",
    ),
    "picture_range": Kind(
        "structure",
        "error",
        "Image of a wrong range",
        "intensities fill less than a twentieth of 0 to 255 while the image is not black",
        "Scale the images to 0 to 255",
    ),
    "patient_size": Kind(
        "structure",
        "note",
        "Patient of another size",
        "rows or columns differ from most patients",
        "Nothing, if the program that reads them allows it",
    ),
    "patient_size_untrainable": Kind(
        "structure",
        "error",
        "Patient of another size",
        "rows or columns differ from most patients of a set in the dataset's layout, which train takes in one size",
        "Bring all patients to one size, or move the others away",
    ),
    "mask_form": Kind(
        "structure", "error", "Mask of another form", "not uint8 (row, column)", "Write it as one channel of 8 bits"
    ),
    "mask_size": Kind(
        "structure",
        "error",
        "Mask not aligned with its image",
        "the mask's grid is not the image's",
        "Export image and mask on one grid; never stretch a mask to fit",
    ),
    "mask_not_binary": Kind(
        "structure",
        "error",
        "Mask that is not binary",
        "values other than 0 and 255",
        "Write 255 inside the tumour and 0 outside",
    ),
    "mask_empty": Kind(
        "structure",
        "warning",
        "No tumour in any mask",
        "every mask of the patient is empty",
        "Look whether the contour was lost; without it the patient teaches that its tumour is none",
    ),
    "geometry_differs": Kind(
        "structure",
        "error",
        "Files of one patient lie elsewhere in space",
        "the affines of two files of a patient differ",
        "Resample them to one grid",
    ),
    "sequence_missing": Kind(
        "structure",
        "note",
        "Sequence without a file",
        "no file of the patient is named for this sequence",
        "Nothing, if it was not taken",
    ),
    "clinical_unreadable": Kind(
        "structure",
        "error",
        "Unreadable clinical table",
        "data.csv cannot be read or has no column Patient",
        "Fetch it again",
    ),
    "clinical_without_patient": Kind(
        "structure",
        "warning",
        "Row without a patient",
        "data.csv tells of a patient without a folder",
        "Fetch the patient",
    ),
    "patient_without_clinical": Kind(
        "structure",
        "warning",
        "Patient without a row",
        "data.csv does not tell of this patient",
        "Add the row; without it the patient falls out of subgroup analyses",
    ),
    # Content: what can be told from one patient's images.
    "sequence_copied": Kind(
        "content",
        "warning",
        "Sequence copied into another",
        "the images of two sequences are equal on every slice",
        "Report the patient in a subgroup of its own and train with sequence dropout; the sequence was not taken",
    ),
    "slices_copied": Kind(
        "content",
        "warning",
        "Sequence copied on some slices",
        "the images of two sequences are equal on some slices that are not black",
        "Export the patient again",
    ),
    "slice_black": Kind(
        "content",
        "error",
        "Black slice within the head",
        "hardly any voxel is brighter than the background, between slices that show the head",
        "Export the patient again",
    ),
    "slice_black_at_end": Kind(
        "content",
        "note",
        "Black slice at an end of the scan",
        "hardly any voxel is brighter than the background, and no slice beyond it shows the head",
        "Nothing; it may be left out",
    ),
    "sequence_black": Kind(
        "content",
        "error",
        "Black sequence in a slice",
        "one sequence is black where another shows the head, between slices where it is not",
        "Export the patient again",
    ),
    "sequence_short": Kind(
        "content",
        "warning",
        "Sequence that covers less of the head",
        "one sequence is black at an end of the scan where another shows the head",
        "Know it; a network sees these slices without the sequence",
    ),
    "slice_saturated": Kind(
        "content",
        "warning",
        "Saturated slice",
        "a large share of the head lies at 255",
        "Export the patient again with a wider intensity window",
    ),
    "slice_degraded": Kind(
        "content",
        "warning",
        "Slice ruined by motion, blur or noise",
        "its roughness, or the intensity around the head, is far from that of the slices next to it",
        "Look at it; leave the slice's patient out if the tumour cannot be seen",
    ),
    "slice_brightness": Kind(
        "content",
        "warning",
        "Slice of another brightness",
        "its mean intensity in the head is far from that of the slices next to it",
        "Look at it; export the patient again if slices were scaled one by one",
    ),
    "slice_repeated": Kind(
        "content",
        "warning",
        "Slice repeated within a patient",
        "two slices of a patient are equal",
        "Export the patient again",
    ),
    "slice_out_of_order": Kind(
        "content",
        "warning",
        "Slice out of order",
        "the slice resembles its neighbours much less than those at another place of the scan",
        "Number the slices by position again",
    ),
    "head_cut": Kind(
        "content",
        "warning",
        "Head cut by the frame",
        "the head runs along a border of the frame for a long way",
        "Know it; export with a larger field of view if there is one",
    ),
    # The set: what can be told only by comparing patients.
    "patient_repeated": Kind(
        "set",
        "error",
        "Patient stands twice in the set",
        "most slices of two patients are the same images",
        "Keep one of the two; otherwise it may stand in training and in test",
    ),
    "slice_shared": Kind(
        "set",
        "warning",
        "Slice of two patients",
        "a slice of one patient is the same image as a slice of another",
        "Find out whose it is; in two parts of a split it is a leak",
    ),
    "split_leak": Kind(
        "set",
        "error",
        "Leak between the parts of a split",
        "a person, or the same images, stand in two parts of the split",
        "Give the person to one part only",
    ),
    "split_incomplete": Kind(
        "set",
        "warning",
        "Split and data do not fit",
        "the split names a patient that the data lacks, or the reverse",
        "Make the split for this data",
    ),
    "intensity_outlier": Kind(
        "set",
        "warning",
        "Intensities unlike the set's",
        "the middle or the upper end of a sequence's intensities in the head is far from the other patients'",
        "Look whether the sequence is what its place says; normalise by patient",
    ),
    "orientation_differs": Kind(
        "set",
        "warning",
        "Turned or flipped against the set",
        "the patient's images fit the set's average much better when they are turned, flipped or reversed",
        "Turn images and masks as the others; whether left and right are exchanged cannot be known from images",
    ),
    # Labels: what can be told from the masks.
    "mask_outside_head": Kind(
        "labels",
        "error",
        "Mask outside of the head",
        "a large part of a slice's mask lies on background",
        "Look whether the mask belongs to this slice and is not flipped or shifted",
    ),
    "mask_on_skull": Kind(
        "labels",
        "warning",
        "Mask on scalp or skull",
        "a large part of a slice's mask lies right at the head's surface",
        "Look whether the mask is shifted",
    ),
    "mask_speck": Kind(
        "labels",
        "warning",
        "Speck beside the tumour",
        "a few voxels of mask that touch no other",
        "Remove it, unless it is a lesion of its own",
    ),
    "mask_hole": Kind(
        "labels",
        "warning",
        "Hole in the mask",
        "background enclosed by mask within a slice",
        "Fill it, unless a cyst was left out on purpose",
    ),
    "mask_gap": Kind(
        "labels",
        "warning",
        "Slice without mask inside of the tumour",
        "an empty mask between two slices with tumour at one place",
        "Contour the slice",
    ),
    "mask_jump": Kind(
        "labels",
        "warning",
        "Jump of the contour",
        "the masks before and after a slice fit each other much better than the slice's own",
        "Look at the slice's contour",
    ),
    "mask_repeated": Kind(
        "labels",
        "warning",
        "The same mask twice",
        "two slices, of one patient or of two, have the same mask of some size",
        "Look whether a contour was copied",
    ),
    "mask_at_scan_end": Kind(
        "labels",
        "note",
        "Tumour at the end of the scan",
        "the first or the last slice has a mask of some size, so that the tumour may go on beyond",
        "Know it; the volume is a lower bound",
    ),
    "label_suspect": Kind(
        "labels",
        "warning",
        "Suspected label error",
        "a network that has not seen the patient is sure of something else than the mask, away from its contour",
        "Look at the slice; the list is ranked, and the network may be wrong",
    ),
}
