"""How large a tumour is, where it lies, and how it changes: in millimetres where the mask knows its place in space."""
