"""Files that mean harm, each made here from nothing, and what the service has to answer to them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pikepdf
from PIL import Image

from tests.service.evidence import files

DAMAGED = (422, "FILE_DAMAGED")
UNKNOWN = (415, "FILE_KIND_REFUSED")
TOO_LARGE = (422, "PICTURE_TOO_LARGE")
DEMANDING = (422, "FILE_TOO_DEMANDING")
ACTIVE = (422, "PDF_ACTIVE")
TAKEN = (201, "")
#: The server is started with this as the largest file.
MOST_BYTES = 2_000_000


@dataclass(frozen=True)
class Hostile:
    """A file, the name it comes under, and the answers that are right."""

    about: str
    content: bytes
    answers: tuple[tuple[int, str], ...]
    name: str = "front.jpg"
    fields: tuple[tuple[str, str], ...] = ()


def png(width: int, height: int, rows: bytes, *, kind: int = 0, more: bytes = b"") -> bytes:
    """A PNG that claims a size and has some compressed rows."""
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + more
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def zeros(count: int) -> bytes:
    """So many zeros, compressed; made without having them."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(bytes(count & 0xFFFFF)), packer.flush()])


def archive(names: dict[str, bytes], *, times: int = 1) -> bytes:
    """A ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(times):
            for name, content in names.items():
                made.writestr(f"{number}/{name}" if times > 1 else name, content)
    return out.getvalue()


def tiff(entries: list[tuple[int, int, int, int]], *, next_directory: int = 0) -> bytes:
    """A TIFF of one directory; an entry is tag, type, count and value."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (
        b"II*\x00\x08\x00\x00\x00"
        + struct.pack("<H", len(entries))
        + body
        + struct.pack("<I", next_directory)
        + bytes(64)
    )


def tiff_of(width: int, height: int, *, next_directory: int = 0) -> bytes:
    """A grey TIFF that claims a size."""
    return tiff(
        [
            (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1),
            (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 64),
        ],
        next_directory=next_directory,
    )  # fmt: skip


def box(name: bytes, content: bytes) -> bytes:
    """A box of a HEIC."""
    return struct.pack(">I", len(content) + 8) + name + content


def raw_pdf(*objects: bytes, root: int = 1, more: bytes = b"") -> bytes:
    """A PDF of objects as they are written, numbered from 1."""
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    out += b"trailer\n<< /Size %d /Root %d 0 R %b >>\n" % (size, root, more)
    return out + b"startxref\n%d\n%%%%EOF\n" % table


def made_pdf(change: Callable[[Any], None], **options: Any) -> bytes:
    """A PDF of one page, after a change."""
    document = pikepdf.new()
    document.add_blank_page()
    change(document)
    out = io.BytesIO()
    document.save(out, **options)
    return out.getvalue()


def _action(document: Any, **action: Any) -> None:
    document.Root.OpenAction = pikepdf.Dictionary(**action)


def _attach(document: Any) -> None:
    document.attachments["run.exe"] = b"MZ" + bytes(100)


def _deep_script(document: Any) -> None:
    one: Any = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")
    for _ in range(5):
        one = pikepdf.Dictionary(Next=pikepdf.Array([one]))
    document.pages[0].obj.Annots = pikepdf.Array([pikepdf.Dictionary(A=one)])


def _bomb(document: Any) -> None:
    document.pages[0].obj.Contents = document.make_stream(bytes(200_000_000))


def pictures() -> Iterator[Hostile]:
    """Pictures that are too large, broken off, odd or not what they claim."""
    whole = files.jpeg(1)
    whole_png, webp = (
        files.saved(files.photograph(2), "PNG"),
        files.saved(files.photograph(3), "WEBP"),
    )
    heic = files.saved(files.photograph(4), "HEIF")
    yield Hostile(
        "a PNG of 12,000 by 12,000 in few bytes",
        png(12_000, 12_000, zeros(12_000 * 12_001)),
        (TOO_LARGE,),
    )
    yield Hostile(
        "a PNG that claims 2^31 by 2^31",
        png(2**31 - 1, 2**31 - 1, zeros(100)),
        (TOO_LARGE, DAMAGED),
    )
    yield Hostile(
        "a PNG of RGBA just below the limit of pixels",
        png(7_000, 7_100, zeros(7_100 * 28_001), kind=6),
        (TAKEN, DEMANDING),
    )
    yield Hostile("a PNG without pixels", png(0, 0, b""), (DAMAGED,))
    yield Hostile("a PNG whose rows do not decompress", png(64, 64, b"no zlib at all"), (DAMAGED,))
    yield Hostile("a PNG with too few rows", png(640, 480, zeros(1_000)), (DAMAGED,))
    yield Hostile(
        "a PNG with far too many rows", png(64, 64, zeros(100_000_000)), (TAKEN, DAMAGED, DEMANDING)
    )
    yield Hostile(
        "a PNG whose text decompresses to 500 MB",
        png(8, 8, zeros(72), more=chunk(b"zTXt", b"a\0\0" + zeros(500_000_000))),
        (TAKEN, DAMAGED, DEMANDING),
    )
    yield Hostile(
        "a PNG whose colour profile decompresses to 300 MB",
        png(8, 8, zeros(72), more=chunk(b"iCCP", b"a\0\0" + zeros(300_000_000))),
        (TAKEN, DAMAGED, DEMANDING),
    )
    yield Hostile("a PNG broken off", whole_png[: len(whole_png) // 2], (DAMAGED,))
    yield Hostile("a PNG with a false checksum", whole_png.replace(b"IDAT", b"IDAU", 1), (DAMAGED,))
    yield Hostile(
        "an animated PNG of a million frames",
        png(8, 8, zeros(72), more=chunk(b"acTL", struct.pack(">II", 1_000_000, 0))),
        (TAKEN, DAMAGED),
    )
    yield Hostile("a JPEG broken off in its head", whole[:200], (DAMAGED,))
    yield Hostile("a JPEG broken off in its picture", whole[: len(whole) // 2], (DAMAGED,))
    yield Hostile(
        "a JPEG whose picture is missing but whose end is there",
        whole[:800] + b"\xff\xd9",
        # Every viewer shows it, with a grey rest.
        (TAKEN,),
    )
    yield Hostile("a JPEG of three bytes", b"\xff\xd8\xff", (DAMAGED,))
    yield Hostile(
        "a JPEG that claims 65,500 by 65,500", _resized(whole, 65_500, 65_500), (TOO_LARGE, DAMAGED)
    )
    yield Hostile("a JPEG without width", _resized(whole, 0, 480), (DAMAGED,))
    yield Hostile("a JPEG with a ZIP behind it", whole + archive({"x.sh": b"rm"}), (TAKEN,))
    yield Hostile(
        "a JPEG with a page behind it", whole + b"<html><script>alert(1)</script>", (TAKEN,)
    )
    yield Hostile(
        "a JPEG with a page in its comment",
        _commented(whole, b"<script>alert(1)</script>" * 100),
        (TAKEN,),
        "front.html",
    )
    yield Hostile(
        "a JPEG with EXIF of many megabytes' promise",
        _exif(whole, b"MM\0*\0\0\0\x08" + struct.pack(">H", 0xFFFF) + bytes(40_000)),
        (TAKEN, DAMAGED),
    )
    yield Hostile(
        "a JPEG with EXIF that points at itself",
        _exif(
            whole,
            b"II*\0\x08\0\0\0"
            + struct.pack("<H", 1)
            + struct.pack("<HHII", 0x8769, 4, 1, 8)
            + struct.pack("<I", 8),
        ),
        (TAKEN,),
    )
    yield Hostile(
        "a JPEG with sixty blocks of EXIF",
        _exif(whole, b"II*\0" + b"A" * 60_000, times=25),
        (TAKEN, DAMAGED),
    )
    yield Hostile("a JPEG whose position is divided by nothing", _located(whole), (TAKEN,))
    yield Hostile("a JPEG called a program", whole, (TAKEN,), "front.jpg.exe")
    yield Hostile(
        "a progressive JPEG of 8,000 by 8,000", _grey(8_000, progressive=True), (TAKEN, DEMANDING)
    )
    yield Hostile("a WebP broken off", webp[: len(webp) // 2], (DAMAGED,))
    yield Hostile(
        "a WebP that claims 16,383 by 16,383", _webp(16_383, 16_383), (TOO_LARGE, DAMAGED)
    )
    yield Hostile("a WebP with a length of nothing", b"RIFF\0\0\0\0WEBPVP8 ", (DAMAGED,))
    yield Hostile("an animated WebP", _animated(), (TAKEN,))
    yield Hostile(
        "a TIFF whose directories go round", tiff_of(8, 8, next_directory=8), (TAKEN, DAMAGED)
    )
    yield Hostile(
        "a TIFF that claims 60,000 by 60,000", tiff_of(60_000, 60_000), (TOO_LARGE, DAMAGED)
    )
    yield Hostile(
        "a TIFF with 65,535 entries", b"II*\0\x08\0\0\0\xff\xff" + bytes(65_535 * 12), (DAMAGED,)
    )
    yield Hostile(
        "a TIFF whose directory lies behind its end",
        b"II*\0\xff\xff\xff\x7f" + bytes(64),
        (DAMAGED,),
    )
    yield Hostile(
        "a TIFF with strips that lie elsewhere",
        tiff(
            [
                (256, 4, 1, 64),
                (257, 4, 1, 64),
                (258, 3, 1, 8),
                (259, 3, 1, 1),
                (262, 3, 1, 1),
                (273, 4, 1, 2**31),
                (279, 4, 1, 4096),
            ]
        ),
        (DAMAGED,),
    )
    yield Hostile(
        "a TIFF with two billion values of one tag",
        tiff([(256, 4, 2**31 - 1, 8), (257, 4, 1, 8)]),
        (DAMAGED, DEMANDING),
    )
    yield Hostile("a HEIC broken off", heic[: len(heic) // 2], (DAMAGED,))
    yield Hostile(
        "a HEIC with nothing but its first box", box(b"ftyp", b"heic\0\0\0\0heicmif1"), (DAMAGED,)
    )
    yield Hostile(
        "a HEIC whose box has no room for its head",
        box(b"ftyp", b"heic\0\0\0\0heicmif1") + b"\0\0\0\x04meta" + bytes(20),
        (DAMAGED,),
    )
    yield Hostile(
        "a HEIC whose boxes lie in boxes lie in boxes",
        box(b"ftyp", b"heic\0\0\0\0heicmif1") + _nested(2_000),
        (DAMAGED, DEMANDING),
    )
    yield Hostile(
        "a HEIC with its inside shuffled",
        heic[:200] + bytes(reversed(heic[200:])),
        (DAMAGED, DEMANDING),
    )
    yield Hostile(
        "a HEIC that claims another size", _heic_resized(heic), (TOO_LARGE, DAMAGED, DEMANDING)
    )


def _resized(jpeg: bytes, width: int, height: int) -> bytes:
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def _commented(jpeg: bytes, words: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", len(words) + 2) + words + jpeg[2:]


def _exif(jpeg: bytes, block: bytes, *, times: int = 1) -> bytes:
    part = b"Exif\0\0" + block
    return jpeg[:2] + (b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part) * times + jpeg[2:]


def _located(jpeg: bytes) -> bytes:
    entries = [(1, 2, 2, 0x4E), (2, 5, 3, 100), (3, 2, 2, 0x45), (4, 5, 3, 100)]
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x8825, 4, 1, 26)
    block += bytes(4) + struct.pack("<H", len(entries))
    block += b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return _exif(jpeg, block.ljust(200, b"\0"))


def _grey(side: int, **more: Any) -> bytes:
    return files.saved(Image.new("L", (side, side), 128), "JPEG", **more)


def _webp(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4)
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _animated() -> bytes:
    frames = [Image.new("RGB", (64, 64), (number, 0, 0)) for number in range(200)]
    return files.saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def _nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = box(b"meta", bytes(4) + inner)
    return inner


def _heic_resized(heic: bytes) -> bytes:
    at = heic.index(b"ispe")
    return heic[: at + 8] + struct.pack(">II", 30_000, 30_000) + heic[at + 16 :]


def papers() -> Iterator[Hostile]:
    """PDFs that act, lock, go round or grow."""
    kids = b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"
    name = "deed.pdf"
    yield Hostile(
        "a PDF with a script",
        made_pdf(lambda d: _action(d, S=pikepdf.Name.JavaScript, JS="app.alert(1)")),
        (ACTIVE,),
        name,
    )
    yield Hostile("a PDF with a script deep inside", made_pdf(_deep_script), (ACTIVE,), name)
    yield Hostile(
        "a PDF with a script in a packed object",
        made_pdf(_deep_script, object_stream_mode=pikepdf.ObjectStreamMode.generate),
        (ACTIVE,),
        name,
    )
    yield Hostile(
        "a PDF that starts a program",
        made_pdf(lambda d: _action(d, S=pikepdf.Name.Launch, F="cmd.exe")),
        (ACTIVE,),
        name,
    )
    yield Hostile("a PDF with a program inside", made_pdf(_attach), (ACTIVE,), name)
    yield Hostile(
        "a PDF that opens with a password",
        made_pdf(lambda _: None, encryption=pikepdf.Encryption(owner="o", user="u")),
        ((422, "PDF_LOCKED"),),
        name,
    )
    yield Hostile("a PDF of 2,001 pages", files.pdf(2_001), ((422, "PDF_TOO_LARGE"),), name)
    yield Hostile(
        "a PDF without pages",
        raw_pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"),
        (DAMAGED,),
        name,
    )
    yield Hostile(
        "a PDF whose pages are their own children",
        raw_pdf(b"<< /Type /Catalog /Pages 2 0 R >>", kids),
        (DAMAGED,),
        name,
    )
    yield Hostile(
        "a PDF that says it has a billion pages",
        raw_pdf(
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1000000000 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        ),
        (TAKEN, DAMAGED, (422, "PDF_TOO_LARGE")),
        name,
    )
    yield Hostile(
        "a PDF of lists in lists in lists",
        raw_pdf(
            b"<< /Type /Catalog /Pages 2 0 R /X " + b"[" * 200_000 + b"]" * 200_000 + b" >>", kids
        ),
        (DAMAGED, DEMANDING),
        name,
    )
    yield Hostile(
        "a PDF with 200 MB in a page", made_pdf(_bomb, compress_streams=True), (TAKEN,), name
    )
    yield Hostile(
        "a PDF with two billion objects promised",
        files.pdf().replace(b"/Size ", b"/Size 2147483647 %"),
        (TAKEN, DAMAGED),
        name,
    )
    yield Hostile("a PDF broken off", files.pdf(40)[:-400], (DAMAGED,), name)
    yield Hostile(
        "a PDF of rubbish", b"%PDF-1.7\n" + bytes(range(256)) * 100 + b"\n%%EOF", (DAMAGED,), name
    )
    yield Hostile(
        "a page that says it is a PDF",
        b"%PDF-1.7\n<html><script>alert(1)</script></html>\n%%EOF",
        (DAMAGED,),
        name,
    )
    yield Hostile(
        "a PDF that is a ZIP too", files.pdf() + archive({"x": b"y"}) + b"%%EOF", (TAKEN,), name
    )


def others() -> Iterator[Hostile]:
    """Files of kinds that are not taken, whatever they are called."""
    office = archive({"[Content_Types].xml": b"<Types/>", "word/document.xml": bytes(30_000_000)})
    yield Hostile("nothing", b"", (DAMAGED,))
    yield Hostile("one byte", b"\xff", (UNKNOWN,))
    yield Hostile("a ZIP that grows", archive({"zeros": bytes(100_000_000)}), (UNKNOWN,))
    yield Hostile(
        "a ZIP of two thousand files", archive({"a": b"b"}, times=2_000), (UNKNOWN,), "deed.pdf"
    )
    yield Hostile("a Word document that grows", office, (UNKNOWN,), "deed.docx")
    yield Hostile(
        "an SVG with a script",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        (UNKNOWN,),
        "plan.svg",
    )
    yield Hostile(
        "an XML with its entities in entities",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><a>&b;</a>',
        (UNKNOWN,),
        "plan.svg",
    )
    yield Hostile("a page", b"<!doctype html><script>alert(1)</script>", (UNKNOWN,), "front.jpg")
    yield Hostile(
        "an EPS",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(r) (/etc/passwd) file\n",
        (UNKNOWN,),
    )
    yield Hostile(
        "a PSD",
        b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(64),
        (UNKNOWN,),
    )
    yield Hostile("a GIF", files.saved(files.photograph(5), "GIF"), (UNKNOWN,), "front.gif")
    yield Hostile(
        "a BMP that claims to be huge",
        b"BM"
        + struct.pack("<IHHI", 1 << 30, 0, 0, 54)
        + struct.pack("<IiiHH", 40, 30_000, 30_000, 1, 24)
        + bytes(24),
        (UNKNOWN,),
    )
    yield Hostile("an ICO", files.saved(files.photograph(6), "ICO"), (UNKNOWN,))
    yield Hostile("a program", b"\x7fELF\x02\x01\x01" + bytes(2_000), (UNKNOWN,), "front.jpg")
    yield Hostile(
        "a film in the same kind of boxes as HEIC",
        box(b"ftyp", b"isom\0\0\0\0mp42") + bytes(100),
        (UNKNOWN,),
        "film.mp4",
    )
    yield Hostile("an AVIF", box(b"ftyp", b"avif\0\0\0\0mif1") + bytes(100), (UNKNOWN,))


def odd_names() -> Iterator[Hostile]:
    """A good picture under names that no system likes; it is taken, under a name that all do."""
    for number, name in enumerate((
        "../../../etc/passwd", "..\\..\\windows\\system32\\x.jpg", "/absolute/front.jpg",
        "front\x01\x1f.jpg", "a" * 300 + ".jpg", "front\u202egpj.exe", "CON.jpg", "nul", "com1.jpg",
        ".htaccess", "   ", "...", "front.jpg:stream", "<script>alert(1)</script>.jpg",
        "सर्वे नंबर १२.jpg", "$(reboot).jpg", "'; drop table documents; --.jpg", "\U0001f3e0.jpg",
    )):  # fmt: skip
        yield Hostile(f"a picture called {name[:30]!r}", files.jpeg(100 + number), (TAKEN,), name)


def sizes() -> Iterator[Hostile]:
    """Both sides of the largest size, and sums that are not the file's."""
    whole = files.jpeg(7)
    filled = whole + bytes(MOST_BYTES - len(whole))
    yield Hostile("a file of exactly the largest size", filled, (TAKEN,))
    yield Hostile("a file of one byte more", filled + b"\0", ((413, "FILE_TOO_LARGE"),))
    yield Hostile(
        "a file of a megabyte and a half more",
        filled + bytes(1_500_000),
        ((413, "BODY_TOO_LARGE"),),
    )
    wrong = (("sha256", "0" * 64),)
    yield Hostile("a file with another's sha256", whole, ((422, "FILE_DIFFERS"),), fields=wrong)


def all_files() -> list[Hostile]:
    """The whole collection."""
    return [*pictures(), *papers(), *others(), *odd_names(), *sizes()]


def forms(boundary: str = "x") -> list[tuple[str, str, bytes, tuple[int, ...]]]:
    """Bodies of forms that are not as forms should be: about, content type, body, right statuses."""
    kind = f"multipart/form-data; boundary={boundary}"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f.jpg"\r\n'
    file = head.encode() + b"\r\n" + files.jpeg(8) + f"\r\n--{boundary}".encode()
    field = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'.encode()
    end = f"--{boundary}--\r\n".encode()

    def named(name: str, value: bytes) -> bytes:
        lead = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        return lead + value + b"\r\n"

    return [
        ("no boundary", "multipart/form-data", file + b"--\r\n", (400, 422)),
        ("another boundary", "multipart/form-data; boundary=y", file + b"--\r\n", (400, 422)),
        ("a boundary of 3,000 characters", "multipart/form-data; boundary=" + "b" * 3_000, file, (400, 422)),
        ("no body", kind, b"", (400, 422)),
        ("an end without a beginning", kind, end, (400, 422)),
        ("a file that never ends", kind, file[:-200], (400, 422)),
        ("a hundred thousand parts", kind, field * 100_000 + end, (400, 413, 422)),
        ("a field of a megabyte", kind, named("remarks", b"a" * 1_000_000) + end, (400, 413, 422)),
        ("a part with endless heads", kind, head.encode() + b"X: y\r\n" * 20_000 + b"\r\nz\r\n" + end, (400, 413, 415, 422)),
        ("a part whose head never ends", kind, head.encode() + b"X: " + b"y" * 500_000, (400, 413, 422)),
        ("two files", kind, file.removesuffix(f"--{boundary}".encode()) + file + b"--\r\n", (422,)),
        ("the file as a field", kind, named("file", b"text") + end, (422,)),
        ("a field that nobody knows", kind, named("tenant_id", b"1") + file + b"--\r\n", (422,)),
        ("a field twice", kind, named("remarks", b"1") + named("remarks", b"2") + file + b"--\r\n", (422,)),
        ("a field of nested brackets", kind, named("remarks", b"[" * 100_000) + file + b"--\r\n", (422,)),
        ("a NUL in a field", kind, named("remarks", b"a\0b") + file + b"--\r\n", (422,)),
        ("a field that is no UTF-8", kind, named("remarks", b"\xff\xfe") + file + b"--\r\n", (201, 400, 422)),
        ("a form that is no form", "application/x-www-form-urlencoded", b"file=abc", (415,)),
        ("JSON", "application/json", b'{"file": "abc"}', (415,)),
        ("the bare file", "image/jpeg", files.jpeg(9), (415,)),
    ]  # fmt: skip
