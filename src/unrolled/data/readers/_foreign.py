"""Files that no reader takes, told by their first bytes or their suffix: what they are, and what to do with them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from unrolled.data.io.unpacking import Beginning

__all__ = ["Foreign", "foreign", "is_web_page"]


@dataclass(frozen=True, slots=True)
class Foreign:
    """A format that cannot be read: its name with an article, and a hint."""

    what: str
    hint: str


_UNPACK = "unpack it, and give one of its files or their folder"
_AS_TABLE = "save it as CSV"
_AS_PICTURE = "convert it to PNG or JPEG"
_AS_SOUND = "convert it to WAV or FLAC"

# A pattern at the start of a file. Each is binary or so long that no table or text begins so by accident.
_BEGINS: tuple[tuple[re.Pattern[bytes], Foreign], ...] = (
    (
        re.compile(rb"version https://git-lfs\.github\.com/"),
        Foreign("a Git LFS pointer, not the file itself", "fetch the file with: git lfs pull"),
    ),
    (re.compile(rb"%PDF-\d"), Foreign("a PDF document", "save its text as .txt, or its tables as CSV")),
    (re.compile(rb"\{\\rtf\d"), Foreign("a rich text document", "save it as plain text")),
    (
        re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        Foreign("an old Office document", "save it as .xlsx, CSV or text"),
    ),
    (re.compile(rb"(?s).{257}ustar"), Foreign("a tar archive", _UNPACK)),
    (re.compile(rb"Rar!\x1a\x07"), Foreign("a RAR archive", _UNPACK)),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), Foreign("a 7-Zip archive", _UNPACK)),
    (re.compile(rb"\x28\xb5\x2f\xfd"), Foreign("a file packed with Zstandard", "unpack it with unzstd")),
    (re.compile(rb"SQLite format 3\0"), Foreign("an SQLite database", "export a table of it as CSV")),
    (
        re.compile(rb"\x80[\x02-\x05](\x95|\}|\]|c|\(|q)"),
        Foreign("a Python pickle, which can run any program while it is read", "save the data as .npz, Parquet or CSV"),
    ),
    (re.compile(rb"(\x00{4}|\xff{4})?\x93PICKLE"), Foreign("a Python pickle", _AS_TABLE)),
    (re.compile(rb"RDX[23]\n|X\n\0\0\0"), Foreign("a file of R objects", "write the data frame as CSV")),
    (re.compile(rb"<stata_dta>|[\x71-\x73][\x01\x02]\x01\0"), Foreign("a Stata file", _AS_TABLE)),
    (re.compile(rb"\$FL[23]@\(#\)"), Foreign("an SPSS file", _AS_TABLE)),
    (re.compile(rb"(?s).{4}ftyp(hei[cx]|mif1|msf1|avif)"), Foreign("a HEIC or AVIF picture", _AS_PICTURE)),
    (re.compile(rb"(?s).{4}ftypM4[AB] "), Foreign("an AAC recording", _AS_SOUND)),
    (re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), Foreign("a Windows Media file", "convert it to WAV or MP4")),
    (re.compile(rb"LOCUS {7}\S"), Foreign("a GenBank record", "save it as FASTA")),
    (re.compile(rb"\x7fELF|MZ\x90\0"), Foreign("a program", "give a file of data")),
    (re.compile(rb"ORC\x08|ORC$"), Foreign("an ORC file", "write the table as Parquet")),
    (re.compile(rb"Obj\x01"), Foreign("an Avro file", "write the table as Parquet")),
)
_WEB_PAGE = re.compile(
    rb"(?i)\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|table|div|script)\b", re.DOTALL
)
_VECTOR = re.compile(rb"(?i)\s*(<\?xml[^>]*\?>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg\b", re.DOTALL)
_XML = re.compile(rb"\s*<\?xml\s")
_INSIDE = (  # what a zip archive is, by the name of a file in it
    ("word/", Foreign("a Word document", "save it as plain text")),
    ("ppt/", Foreign("a PowerPoint presentation", "save its text as .txt")),
    ("META-INF/container.xml", Foreign("an e-book", "convert it to plain text")),
    ("content.xml", Foreign("an OpenDocument file", "save it as .xlsx, CSV or text")),
)


def foreign(beginning: Beginning) -> Foreign | None:
    """What the file is, if it is of a known format that no reader takes."""
    data = beginning.data
    for name, known in _INSIDE:
        if any(member.startswith(name) for member in beginning.members):
            return known
    if _VECTOR.match(data[:4096]):
        return Foreign("an SVG drawing", "export it as PNG")
    return next((known for begins, known in _BEGINS if begins.match(data)), None)


def is_web_page(beginning: Beginning) -> Foreign | None:
    """What the file is, if it is HTML or XML, which may also be meant as a text."""
    if _WEB_PAGE.match(beginning.data[:4096]):
        return Foreign("a web page (HTML), perhaps that of a login or an error", "download the data itself")
    if _XML.match(beginning.data):
        return Foreign("an XML document", "convert it to CSV or JSON Lines")
    return None
