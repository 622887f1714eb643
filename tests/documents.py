"""Files for tests, made by hand or by other programs; nothing here is made by what reads them."""

import io
import pathlib
import subprocess
import zipfile
import zlib

from tests import services

ENGLISH = "The harbour opens at nine. Costs fell by two percent."
KOREAN = "항구는 아홉 시에 문을 연다. 비용은 이 퍼센트 줄었다."
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_P = 'xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph"'
PAGE = (
    "<html><head><meta charset='utf-8'><title>Report</title><script>hidden()</script></head><body>"
    f"<h1>Report</h1><p>{ENGLISH}</p><p>{KOREAN}</p>"
    "<table border='1'><tr><td>Item</td><td>값</td></tr><tr><td>예산</td><td>300</td></tr></table>"
    "<ul><li>first point</li><li>둘째</li></ul></body></html>"
)


def zipped(*parts: tuple[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return out.getvalue()


def docx(body: str, *more: tuple[str, str | bytes]) -> bytes:
    return zipped(
        ("[Content_Types].xml", "<Types/>"),
        ("word/document.xml", f"<w:document {_W}><w:body>{body}</w:body></w:document>"),
        *more,
    )


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def hwpx(*texts: str) -> bytes:
    """The parts that KS X 6101 asks for, with a table at the end."""
    said = "".join(f"<hp:p><hp:run><hp:t>{text}</hp:t></hp:run></hp:p>" for text in texts)
    cells = "".join(
        f"<hp:tc><hp:subList><hp:p><hp:run><hp:t>{cell}</hp:t></hp:run></hp:p></hp:subList></hp:tc>"
        for cell in ("항목", "값")
    )
    table = f"<hp:p><hp:run><hp:tbl><hp:tr>{cells}</hp:tr></hp:tbl></hp:run></hp:p>"
    return zipped(
        ("mimetype", "application/hwp+zip"), ("Contents/section0.xml", f"<hs {_P}>{said}{table}</hs>")
    )


def pdf(pages: int, text: str = "Hello from a page") -> bytes:
    """A PDF, each page with one line."""
    return _pdf([f"BT /F1 12 Tf 72 720 Td ({text} {n + 1}) Tj ET" for n in range(pages)])


def pdf_of(*words: tuple[float, float, str]) -> bytes:
    """A PDF of one page with words at (x, y), drawn in this order."""
    return _pdf(["".join(f"BT /F1 12 Tf {x} {y} Td ({word}) Tj ET " for x, y, word in words)])


def _pdf(drawn: list[str]) -> bytes:
    """A PDF by the book (ISO 32000), a page for each piece of what draws it."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>"]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(drawn)))
    objects.append(f"<</Type/Pages/Count {len(drawn)}/Kids[{kids}]>>")
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for n, said in enumerate(drawn):
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {5 + 2 * n} 0 R>>"
        )
        objects.append(f"<</Length {len(said)}>>stream\n{said}\nendstream")
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj{content}endobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
    return bytes(out)


def png(width: int, height: int, *rows: bytes) -> bytes:
    """A grey picture that says how large it is; without rows it holds nothing."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    chunks = (
        (b"IHDR", head),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


def by_office(
    folder: pathlib.Path, source: str, content: str, ending: str, *options: str, seconds: float = 120
) -> bytes:
    """What LibreOffice makes of a file."""
    soffice = services.need("libreoffice-writer", "soffice")
    (folder / source).write_text(content, "utf-8")
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = [soffice, profile, "--headless", *options, "--convert-to", ending, "--outdir", folder, source]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=seconds)
    made = (folder / source).with_suffix("." + ending.partition(":")[0])
    return made.read_bytes()


def by_chromium(folder: pathlib.Path, page: str, how: str, *more: str) -> bytes:
    """A page as the browser prints it (`--print-to-pdf`) or shows it (`--screenshot`)."""
    chromium = services.need("chromium", "chromium")
    (folder / "page.html").write_text(page, "utf-8")
    # Of a screenshot, Chromium looks at the ending, and makes none without.
    made = folder / ("made.png" if how == "--screenshot" else "made.pdf")
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-pdf-header-footer",
        "--window-size=1000,700",
    )
    command = [chromium, *options, *more, f"{how}={made}", f"file://{folder}/page.html"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return made.read_bytes()
