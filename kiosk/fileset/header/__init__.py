"""The bytes of one DICOM file: its elements, what its header says, and whether it is whole."""
