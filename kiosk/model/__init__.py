"""The words: what a patient brings, as DICOM, HL7 and IHE name it. Frozen values, no behaviour
beyond their own invariants, standard library only. Everybody may import it."""
