"""Word documents as a firm makes them: paragraphs, tables, runs wherever Word splits them."""

import io
import zipfile

import docx
from docx.oxml import parse_xml

NAMES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)


def saved(document):
    """The bytes of a document."""
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def form(*paragraphs, tables=(), header=None, footer=None):
    """A form; a paragraph that is a list is split into runs, a table is a list of rows."""
    document = docx.Document()
    for paragraph in paragraphs:
        runs = [paragraph] if isinstance(paragraph, str) else paragraph
        added = document.add_paragraph()
        for run in runs:
            added.add_run(run)
    for rows in tables:
        table = document.add_table(len(rows), len(rows[0]))
        for number, row in enumerate(rows):
            for cell, text in zip(table.rows[number].cells, row, strict=True):
                cell.text = text
    if header is not None:
        document.sections[0].header.paragraphs[0].text = header
    if footer is not None:
        document.sections[0].footer.paragraphs[0].text = footer
    return saved(document)


def form_with(xml):
    """A form of one paragraph with a piece of Word's own language in it."""
    document = docx.Document()
    paragraph = document.add_paragraph("before ")
    paragraph._p.append(parse_xml(xml.replace(">", f" {NAMES}>", 1)))
    return saved(document)


def altered(content, name, old, new):
    """A document with a part changed, or added if it is not there."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(out, "w") as written:
        for entry in archive.namelist():
            part = archive.read(entry)
            if entry == name:
                assert old in part
                part = part.replace(old, new)
            written.writestr(entry, part)
    return out.getvalue()
