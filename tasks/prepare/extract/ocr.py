"""Text recognition by tesseract, where it is installed with the languages that we speak."""

import functools
import io
import os
import shutil
import subprocess

from PIL import Image

from tasks.prepare.extract.problem import Problem

# Tesseract's own advice for print; a page then has about 4 million pixels.
DPI = 200
PIXELS = 12_000_000

_WANTED = ("kor", "eng")
# Korean is read without the spaces between its words unless they are asked for.
_OPTIONS = ("--dpi", str(DPI), "-c", "preserve_interword_spaces=1")


@functools.cache
def languages() -> str:
    """Which of our languages can be read, in tesseract's words; "" without tesseract."""
    if shutil.which("tesseract") is None:
        return ""
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    return "+".join(name for name in _WANTED if name in listed.stdout.split())


def as_pnm(picture: Image.Image) -> bytes:
    """A picture as tesseract takes it by pipe, without the work of packing it."""
    out = io.BytesIO()
    picture.convert("L").save(out, "PPM")
    return out.getvalue()


def read(picture: bytes, spoken: str) -> str:
    """The text in a picture."""
    command = ["tesseract", "stdin", "stdout", "-l", spoken, *_OPTIONS]
    # One thread: the other cores belong to other requests.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(command, input=picture, capture_output=True, env=environment, check=False)
    if done.returncode != 0:
        raise Problem("broken")
    return done.stdout.decode("utf-8", "replace").replace("\x0c", "").strip()
