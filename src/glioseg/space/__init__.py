"""Where voxels lie in the patient: affines, the axial view, resampling from one grid onto another."""
