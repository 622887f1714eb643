"""Pictures of text: screenshots, photos, scans."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from tasks.prepare.extract import limits, ocr
from tasks.prepare.extract.problem import Problem, over
from tasks.text.document import Document, Section

# Letters of a screenshot are about half as high as those of a scan.
_SMALL = 1600


def read(path: Path, name: str, kind: str) -> Document:
    """What can be read in the picture; of several pages in one file, a section each."""
    with opened(path) as picture:
        languages = ocr.languages()
        if not languages:
            raise Problem("no_ocr")
        texts = [ocr.read(ocr.as_pnm(_prepared(page)), languages) for page in _pages(picture, kind)]
    sections = [Section(text, page=number) for number, text in enumerate(texts, 1) if text]
    return Document(name, kind, sections, pages=len(texts) if len(texts) > 1 else None, notes=["recognised"])


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture in a file; raises Problem, also for what is found broken only while it is worked on."""
    Image.MAX_IMAGE_PIXELS = None  # Its own limit warns; ours, below, speaks to the person.
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > limits.PIXELS:
                raise over("pixels", picture.width * picture.height, limits.PIXELS)
            yield picture
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise Problem("broken") from error


def upright(picture: Image.Image) -> Image.Image:
    """The picture as it is to be looked at: turned as its camera says, and on white where it is see-through."""
    turned = ImageOps.exif_transpose(picture)
    if turned.mode in {"RGBA", "LA", "P", "PA"}:
        seen = turned.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return turned


def _pages(picture: Image.Image, kind: str) -> list[Image.Image]:
    """The pages of a fax; the first picture of what moves."""
    if kind != "tiff":
        return [picture]
    frames = getattr(picture, "n_frames", 1)
    if frames > limits.SCANNED_PAGES:
        raise over("scanned", frames, limits.SCANNED_PAGES)
    return [frame.copy() for frame in ImageSequence.Iterator(picture)]


def _prepared(picture: Image.Image) -> Image.Image:
    """Upright, and of the size that is read best."""
    grey = upright(picture).convert("L")
    pixels = grey.width * grey.height
    if pixels > ocr.PIXELS:
        share = (ocr.PIXELS / pixels) ** 0.5
        return grey.resize((max(1, int(grey.width * share)), max(1, int(grey.height * share))))
    if grey.width < _SMALL and pixels * 4 <= ocr.PIXELS:
        return grey.resize((grey.width * 2, grey.height * 2))
    return grey
