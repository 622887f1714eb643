"""Pictures for a model that sees: made ready in the reader's child, planned, counted, and sent beside their text."""

import base64
import io
import json

import pytest
from PIL import Image

from db.models import Job, Step
from tasks import understood
from tasks.infer.stage import serve
from tasks.prepare.extract import child, limits, picture
from tasks.prepare.extract.problem import Problem
from tasks.prepare.stage import prepare
from tasks.text.document import Document, Picture
from tests import documents, fakes
from tests.fakes import Model, accepted, in_line, rows, set_row, the
from tests.unit.test_material import attach

__all__ = ["attach"]


def drawn(width: int, height: int, kind: str = "PNG", mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, kind, **more)
    return out.getvalue()


def content(url: str) -> bytes:
    return base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))


def seen(folder, name: str, given: bytes) -> Document:
    path = folder / "file"
    path.write_bytes(given)
    found = child.read(path, name, "", 60, lambda: None, seen=True)
    assert isinstance(found, Document)
    return found


@pytest.fixture
def sees(resources):
    """Resources whose model server sees pictures, with this context."""

    def sees(context: int = 16_384) -> None:
        resources.__dict__["line"] = fakes.resources(
            resources.engine, resources.clock, llm_vision=True, llm_context=context
        ).line

    return sees


# What the child makes


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_a_picture_of_every_kind_is_made_anew(tmp_path, kind):
    found = seen(tmp_path, "a.picture", drawn(40, 30, kind))
    [made] = found.pictures
    with Image.open(io.BytesIO(content(made.url))) as again:
        assert (again.format, again.size, made.width, made.height) == ("JPEG", (40, 30), 40, 30)


@pytest.mark.parametrize("size", [(4000, 3000), (9000, 90), (7000, 7000)])
def test_no_picture_is_larger_than_a_model_looks_at(tmp_path, size):
    [made] = seen(tmp_path, "a.png", drawn(*size)).pictures
    assert made.width * made.height <= picture.MOST_PIXELS
    assert max(made.width, made.height) <= picture.LONGEST_SIDE
    assert made.tokens <= picture.MOST_TOKENS
    assert abs(made.width / made.height - size[0] / size[1]) / (size[0] / size[1]) < 0.1


def test_no_shape_takes_more_tokens_than_is_kept_for_a_picture():
    for width in range(1, picture.LONGEST_SIDE + 1):
        height = min(picture.LONGEST_SIDE, picture.MOST_PIXELS // width)
        assert Picture("", width, height).tokens <= picture.MOST_TOKENS


@pytest.mark.parametrize(("width", "height"), [(40, 30), (4000, 3000)])
def test_what_a_camera_wrote_stays_here(tmp_path, width, height):
    """Where and when a photo was taken; and it stands upright, however large it was."""
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned to the right.
    exif[0x010E] = "SEKRET"
    [made] = seen(tmp_path, "a.jpg", drawn(width, height, "JPEG", exif=exif)).pictures
    assert made.height > made.width
    assert b"SEKRET" not in content(made.url)
    with Image.open(io.BytesIO(content(made.url))) as again:
        assert not again.getexif()


def test_what_is_see_through_stands_on_white(tmp_path):
    [made] = seen(tmp_path, "a.png", drawn(20, 20, mode="RGBA")).pictures
    with Image.open(io.BytesIO(content(made.url))) as again:
        assert again.getpixel((10, 10)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (documents.png(50_000, 50_000), "pixels"),
        (drawn(400, 300)[:200], "broken"),
    ],
)
def test_bad_pictures_are_told(tmp_path, given, code):
    """As where their text is recognised: neither limits nor damage depend on who looks."""
    with pytest.raises(Problem) as raised:
        seen(tmp_path, "a.png", given)
    assert raised.value.code == code
    assert limits.PIXELS < 50_000 * 50_000


# From the request to the call


def test_a_picture_goes_to_the_model_that_sees(resources, attach, sees):
    """Its mark stands in the text, and its tokens are counted."""
    sees()
    files = attach(F1=("a.png", drawn(560, 280)), F2=("b.txt", b"The door is red."))
    job = accepted(resources.engine, text="What is this?", recipe="ask", files=files)
    prepare(resources, job.id)
    [step] = rows(resources.engine, Step)
    assert "## a.png\n\n[picture 1]" in step.messages[1]["content"]
    [shown] = step.pictures
    assert (shown["mark"], shown["tokens"]) == ("[picture 1]", 20 * 10 + 16)
    assert content(shown["url"])[:2] == b"\xff\xd8"
    assert step.tokens_in > shown["tokens"]


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ":page_facing_up: a.png: 1 picture. The model sees it as it is: private values"),
        ("ko", ":page_facing_up: a.png: 그림 1장. 모델이 그림을 그대로 봅니다."),
    ],
)
def test_the_card_says_that_nothing_in_it_is_hidden(resources, attach, sees, language, says):
    sees()
    job = accepted(resources.engine, text="", files=attach(F1=("a.png", drawn(60, 60))))
    prepare(resources, job.id)
    assert understood.lines(language, the(resources.engine, Job, job.id))[0].startswith(says)


def test_pictures_leave_half_of_the_context_to_the_rest(resources, attach, sees):
    """Those beyond are read, or told of, as by a server that sees none."""
    sees(6144)
    files = attach(**{f"F{n}": (f"{n}.png", drawn(1000, 1000)) for n in range(1, 4)})
    job = accepted(resources.engine, text="", files=files)
    prepare(resources, job.id)
    [step] = rows(resources.engine, Step)
    assert len(step.pictures) == 2
    [left] = [row for row in the(resources.engine, Job, job.id).understood if "problem" in row]
    assert left["name"] == "3.png"
    assert step.tokens_in + step.max_tokens <= 6144


def test_a_server_that_sees_none_gets_none(resources, attach):
    files = attach(F1=("a.png", drawn(60, 60)), F2=("b.txt", b"words"))
    prepare(resources, accepted(resources.engine, text="", files=files).id)
    assert [step.pictures for step in rows(resources.engine, Step)] == [None]


def test_of_many_calls_each_shows_its_own(resources, attach, sees):
    sees()
    files = attach(F1=("a.png", drawn(60, 60)), F2=("b.txt", b"Some words. " * 8000))
    prepare(resources, accepted(resources.engine, text="", files=files).id)
    steps = rows(resources.engine, Step)
    assert len(steps) > 1
    assert [bool(step.pictures) for step in steps] == [True] + [False] * (len(steps) - 1)


def shows(resources, **changes: object) -> Job:
    """A job whose one step shows a picture."""
    job = in_line(resources.engine, **changes)
    [step] = rows(resources.engine, Step)
    set_row(
        resources.engine,
        Step,
        step.id,
        pictures=[{"mark": "[picture 1]", "url": "data:image/jpeg;base64,/9j/", "tokens": 500}],
        messages=[
            {"role": "system", "content": "Look."},
            {"role": "user", "content": "<text>\n[picture 1]\n</text>"},
        ],
    )
    return job


def run(resources, model: Model) -> Model:
    with model.client() as http:
        resources.__dict__["http"] = http
        serve(resources, resources.line.server("main"))
    return model


def test_the_call_holds_it_in_openais_form_and_it_is_kept_no_longer(resources):
    job = shows(resources)
    model = run(resources, Model(fakes.says("A cat.", usage=None)))
    assert model.asked[0]["messages"] == [
        {"role": "system", "content": "Look."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<text>\n[picture 1]\n</text>"},
                {"type": "text", "text": "[picture 1]"},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
            ],
        },
    ]
    assert the(resources.engine, Job, job.id).result == "A cat."
    [step] = rows(resources.engine, Step)
    assert step.pictures is None
    assert step.tokens_in > 500


def test_a_repair_shows_it_again(resources):
    job = shows(resources, recipe="classify")
    [step] = rows(resources.engine, Step)
    set_row(resources.engine, Step, step.id, items=1)
    set_row(resources.engine, Job, job.id, question="a, b")
    run(resources, Model(fakes.says("No.")))
    [step] = rows(resources.engine, Step)
    assert (step.kind, step.tokens_in > 500) == ("repair", True)
    model = run(resources, Model())
    assert model.asked[0]["messages"][-1]["content"][-1]["type"] == "image_url"


def test_neither_it_nor_its_text_gets_into_an_error(resources):
    """I10: servers quote what they refuse."""
    shows(resources)
    [step] = rows(resources.engine, Step)
    url = "data:image/jpeg;base64,/9j/SEKRETSEKRET"
    set_row(resources.engine, Step, step.id, pictures=[{"mark": "[picture 1]", "url": url, "tokens": 500}])
    quoted = {"error": {"message": f"cannot decode {url[:35]}"}}
    run(resources, Model(fakes.refuses(400, quoted)))
    [job] = rows(resources.engine, Job)
    assert job.error == "model_refused"
    assert "SEKRET" not in json.dumps(job.error_params)
