"""What this product conforms to, written from its own tables: the DICOM Conformance Statement
(PS3.2) and the IHE Integration Statement. What others must be able to rely on is taken from the
code and the policy's defaults; what nobody has checked against the Standard's text is said.
"""

from pathlib import Path

from kiosk.cli.stating.dicom import conformance_statement
from kiosk.cli.stating.ihe import integration_statement

STATEMENTS = {
    "dicom-conformance-statement.md": conformance_statement,
    "ihe-integration-statement.md": integration_statement,
}


def write(folder: Path) -> list[Path]:
    """Both statements as Markdown files below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, statement in STATEMENTS.items():
        path = folder / name
        path.write_text(statement(), encoding="utf-8")
        paths.append(path)
    return paths
