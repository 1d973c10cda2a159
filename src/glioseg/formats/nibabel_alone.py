"""nibabel without pydicom, which it loads for an extension of headers that is not read here.

That would take longer than all of nibabel, for scans that are no DICOM. Whoever imported nibabel before
has it as ever, and pydicom is there for everybody afterwards.
"""

import sys

_HIDDEN = "nibabel" not in sys.modules and "pydicom" not in sys.modules
if _HIDDEN:
    sys.modules["pydicom"] = None  # type: ignore[assignment]
try:
    from nibabel.nifti1 import Nifti1Header, Nifti1Image
    from nibabel.nifti2 import Nifti2Header, Nifti2Image
    from nibabel.spatialimages import HeaderDataError
finally:
    if _HIDDEN:
        del sys.modules["pydicom"]

__all__ = ["HeaderDataError", "Nifti1Header", "Nifti1Image", "Nifti2Header", "Nifti2Image"]
