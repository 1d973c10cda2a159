"""The LGG dataset: its layout, splits by patient, an array store, practice patients."""
