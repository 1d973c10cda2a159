import pytest

from glioseg.formats.sequences import is_folder_of_one_sequence, other_image, patient_of, sequence_of
from glioseg.volume import CHANNELS

FLAIR = """
BraTS21_00001_flair.nii.gz
Brats18_2013_0_1_flair.nii.gz
BraTS-GLI-00000-000-t2f.nii.gz
BraTS20_Training_001_flair.nii
UCSF-PDGM-0004_FLAIR.nii.gz
UCSF-PDGM-0004_FLAIR_bias.nii.gz
UPENN-GBM-00001_11_FLAIR.nii.gz
sub-01_FLAIR.nii.gz
sub-01_ses-2_acq-3d_run-1_FLAIR.nii.gz
sub-01_space-T1w_FLAIR.nii.gz
sub-post_ses-pre_FLAIR.nii.gz
flair.nrrd
FLAIR.nii
rFLAIR.nii
T2_FLAIR.nhdr
T2W_FLAIR
FLAIR_longTR
3D_Brain_VIEW_FLAIR_SHC
Ax Flair irFSE H
flair_blade_tra
t2flair.nii.gz
T2-FLAIR
AX FLAIR
AX T2 FLAIR
Ax T2 FLAIR FS
AXIAL FLAIR
Sag CUBE T2 FLAIR
Sag 3D FLAIR
3D_FLAIR_SPACE
FLAIR_LongTR
FLAIRax
AX FLAIR POST
AX FLAIR + C
T2 FLAIR POST GAD
FLAIR_to_T1.nii.gz
FLAIR_reg_T1ce.nii.gz
flair2t1.nii.gz
t2_tirm_tra_dark-fluid_3mm
t2_spc_da-fl_sag
t2_space_dark-fluid_sag_p2_iso
preop_FLAIR
TCGA-CS-4941_flair.nii.gz
PD_0012_flair.nii.gz
MD001_FLAIR.nii.gz
B12_flair.nii.gz
"""
PRE = """
BraTS21_00001_t1.nii.gz
BraTS-GLI-00000-000-t1n.nii.gz
UCSF-PDGM-0004_T1.nii.gz
UCSF-PDGM-0004_T1_bias.nii.gz
sub-01_T1w.nii.gz
sub-01_ses-post_T1w.nii.gz
sub-01_space-FLAIR_T1w.nii.gz
t1.nrrd
rT1.nii
pre.nii.gz
case7_pre.nii.gz
T1_pre
T1pre
t1_native
T1 nativ
t1 nativ tra
T1 AXIAL PRE GAD
AX T1 PRE
AX T1 W/O
AX T1 W/O CONTRAST
T1 w/o gad
AX T1 WITHOUT CONTRAST
T1 wo contrast
AX T1 non-contrast
Pre contrast T1
T1_precontrast
PRE GAD AXIAL T1
AX T1
Axial T1 SE
AX T1 FLAIR
Ax T1 FLAIR
T1 AX FLAIR
t1flair
SAG T1
3D T1 TFE
T1-weighted
T1 W 3D
t1_mprage_sag_p2_iso
MPRAGE
MP-RAGE sag
Ax 3D BRAVO
AX 3D SPGR
preop_T1
postop_T1.nii.gz
T1 post op
T1_post-surgery
T1 POST RADIATION
sub-01_post-treatment_T1
t1_to_flair.nii.gz
T1_reg_FLAIR.nii.gz
t12flair.nii.gz
T1 -C
T1 tra vor KM
T1 ohne KM
T1 sans gado
sT1W_3D_TFE
T1W_FFE
AX T1 THRU POST FOSSA
T1_resampled_to_FLAIR
T1_in_FLAIR
IR-FSPGR
T1 NO GAD
AX T1 PRE-CONTRAST
"""
POST = """
BraTS21_00001_t1ce.nii.gz
BraTS-GLI-00000-000-t1c.nii.gz
UCSF-PDGM-0004_T1gad.nii.gz
UPENN-GBM-00001_11_T1GD.nii.gz
sub-01_ce-gd_T1w.nii.gz
sub-01_ce-gadolinium_T1w.nii.gz
sub-01_ses-1_ce-GADAVIST_run-2_T1w.nii.gz
sub-01_acq-postcontrast_T1w.nii.gz
CT1_skull_strip.nii.gz
t1c.nrrd
T1CE.nii
T1Gd
T1 GD
t1km.nii.gz
t1_post
T1post.nii.gz
t1_postcontrast.nii.gz
post.nii.gz
case7_post.nii.gz
T1 AXIAL POST GAD
T1 AX POST
AX T1 POST CONTRAST
POST GAD AX T1
Post-Contrast T1
T1 +C
T1+C
AX T1 C+
AX T1 SE +C FS
T1 + GAD
T1 WITH CONTRAST
T1 W CONTRAST
T1 w/ contrast
T1 KM
t1_mprage_tra_KM
t1_mprage_sag_p2_iso_KM
T1 tra nach KM
MPRAGE POST
MPRAGE +C
MPRAGE GADO
SAG T1 GADOLINIUM
T1 Dotarem
Ax T1 FLAIR +C
T1 enhanced
T1 contrast-enhanced
contrast enhanced T1
3D T1 TFE CE
preop_t1ce
T1 post op +C
T1 2 mm POST
t1_2_post.nii.gz
T1_reg_post.nii.gz
T1_resampled_post
sT1W_3D_TFE_Gd
+C AX T1
AX T1 POST GD FLAIR
T1W_SE_GD
FSPGR BRAVO +C
t1ce_to_flair.nii.gz
"""
OTHER = """
BraTS21_00001_t2.nii.gz
BraTS-GLI-00000-000-t2w.nii.gz
BraTS21_00001_seg.nii.gz
UCSF-PDGM-0004_ADC.nii.gz
UCSF-PDGM-0004_DWI_bias.nii.gz
UCSF-PDGM-0004_SWI.nii.gz
UCSF-PDGM-0004_tumor_segmentation.nii.gz
UCSF-PDGM-0004_brain_segmentation.nii.gz
UPENN-GBM-00001_11_automated_approx_segm.nii.gz
sub-01_T2w.nii.gz
sub-01_dwi.nii.gz
sub-01_label-lesion_mask.nii.gz
flair_mask.nii.gz
FLAIR_seg.nii.gz
t1_brainmask.nii.gz
T1_label
T2
T2 POST
AX T2
Axial T2 FSE
T2_STAR
T2* GRE
t2star
DWI b1000
Ax DWI POST
eADC
ep2d_diff_3scan_trace
ADC map
T1 map
T1map
T1 rho
T1 SUBTRACTION
T1 POST SUBTRACTION
perfusion
DSC perfusion POST GAD
3D TOF MRA
localizer
3-plane Localiser
"""
OPEN = """
scan.nii.gz
image
volume_0001.nrrd
IM000001
brain
AX PD
B-TFE
T1 PRE AND POST GAD
T1 W/WO CONTRAST
T1 without and with contrast
FLAIR T1
pre post
contrast
"""


def lines(table: str) -> list[str]:
    return [line for line in table.splitlines() if line]


@pytest.mark.parametrize("name", lines(FLAIR))
def test_a_flair_is_known(name: str) -> None:
    assert sequence_of(name) == "flair"


@pytest.mark.parametrize("name", lines(PRE))
def test_a_t1_before_contrast_is_known(name: str) -> None:
    assert sequence_of(name) == "pre"


@pytest.mark.parametrize("name", lines(POST))
def test_a_t1_after_contrast_is_known(name: str) -> None:
    assert sequence_of(name) == "post"


@pytest.mark.parametrize("name", lines(OTHER))
def test_other_images_have_no_role(name: str) -> None:
    assert sequence_of(name) is None
    assert other_image(name)


@pytest.mark.parametrize("name", lines(OPEN))
def test_what_a_name_does_not_tell_is_left_open(name: str) -> None:
    assert sequence_of(name) is None
    assert not other_image(name)


@pytest.mark.parametrize("name", lines(FLAIR) + lines(PRE) + lines(POST))
def test_case_does_not_matter_and_no_role_is_another_image(name: str) -> None:
    assert sequence_of(name.upper()) == sequence_of(name.lower()) == sequence_of(name)
    assert sequence_of(name) in CHANNELS
    assert not other_image(name)


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("BraTS21_00001_t1ce.nii.gz", "BraTS21_00001"),
        ("BraTS-GLI-00000-000-t2f.nii.gz", "BraTS-GLI-00000-000"),
        ("UPENN-GBM-00001_11_T1GD.nii.gz", "UPENN-GBM-00001_11"),
        ("sub-01_ses-2_acq-3d_ce-gd_T1w.nii.gz", "sub-01_ses-2"),
        ("sub-01_ce-gd_T1w.nii", "sub-01"),
        ("sub-post_ses-pre_FLAIR.nii", "sub-post_ses-pre"),
        ("TCGA_CS_4941_19960909_flair.nrrd", "TCGA_CS_4941_19960909"),
        ("Müller 7 flair.nii.gz", "Müller 7"),
        ("AX FLAIR.nii.gz", ""),
        ("T1 AXIAL POST GAD.nii.gz", ""),
        ("flair.nii.gz", ""),
        ("scan.NII.GZ", "scan"),
        ("P1.v2_flair.nii.gz", "P1.v2"),
    ],
)
def test_what_stands_before_the_sequence_is_the_patient(name: str, patient: str) -> None:
    assert patient_of(name) == patient


@pytest.mark.parametrize(
    ("folder", "one"),
    [("FLAIR", True), ("T1 AX POST", True), ("ADC", True), ("P1_FLAIR", False), ("P1", False), ("post", False)],
)
def test_a_folder_may_be_named_for_its_sequence(folder: str, one: bool) -> None:
    """A folder "post" is as likely the time after an operation as the series after contrast."""
    assert is_folder_of_one_sequence(folder) is one
