"""Pictures for a model that sees: made anew, so that nothing goes with them that a camera or a program wrote into them."""

import base64
import io
from pathlib import Path

from PIL import Image

from tasks.prepare.extract import image
from tasks.text.document import Document, Picture

# What models look at: larger ones are made smaller by the servers themselves, at the price of their bytes.
MOST_PIXELS = 1_000_000
LONGEST_SIDE = 2000
MOST_TOKENS = 1500
"""What no picture of that size takes more of, by `Picture.tokens`."""

# Letters stay sharp, and a million pixels take some 200 KB.
_QUALITY = 85


def read(path: Path, name: str, kind: str) -> Document:
    """The picture, upright and no larger than a model looks at; the first one of what moves."""
    with image.opened(path) as found:
        # Made small first: the child has room for one picture of many pixels, and not for two.
        seen = image.upright(_small(found)).convert("RGB")
        out = io.BytesIO()
        seen.save(out, "JPEG", quality=_QUALITY, subsampling=0)
    url = f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
    return Document(name, kind, [], notes=["seen"], pictures=[Picture(url, seen.width, seen.height)])


def _small(found: Image.Image) -> Image.Image:
    share = min((MOST_PIXELS / (found.width * found.height)) ** 0.5, LONGEST_SIDE / max(found.size))
    if share >= 1:
        return found
    # Colours of a palette have nothing between them.
    mixed = found.convert("RGBA") if found.mode in {"P", "PA"} else found
    return mixed.resize((max(1, int(found.width * share)), max(1, int(found.height * share))))
