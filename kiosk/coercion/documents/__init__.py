"""Reports that lie on a medium beside the images, as DICOM objects of the study they belong to.

Made in the sandboxed child that looks at the medium, of the patient as the disc states them: from
there on they are coerced, sent and proved as any other instance.
"""

from kiosk.coercion.documents.attaching import attached

__all__ = ["attached"]
