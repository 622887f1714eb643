"""Pictures and a model that sees, from Slack to what the model server was shown."""

import io
import pathlib
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.acceptance import stack as stacks
from tests.acceptance.stack import ADA, GENERAL, MINJI, Stack

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def stack(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product before a model server that sees."""
    folder: pathlib.Path = tmp_path_factory.mktemp("stack")
    url = f"sqlite:///{folder / 'threadline.db'}"
    with stacks.running(url, valkey_url, folder, socket_mode=False, LLM_VISION="true") as running:
        yield running


def photo(width: int, height: int) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "SEKRET-PLACE"
    out = io.BytesIO()
    Image.new("RGB", (width, height), "navy").save(out, "JPEG", exif=exif)
    return out.getvalue()


def test_a_photo_is_shown_to_the_model(stack: Stack) -> None:
    """Made smaller, beside the person's words; the card says in their language that nothing in it is hidden."""
    stack.clear()
    stack.act("model", answer="echo")
    file = stack.attach(MINJI, "scene.jpg", photo(2400, 1200))
    ts = stack.say(MINJI, GENERAL, "<@U0BOT> ask 무엇이 보이나요?", files=[file])
    answer = str(stack.answer(GENERAL, ts)["blocks"])
    assert "무엇이 보이나요?" in answer
    assert "[picture 1]" in answer
    [shown] = stack.look("model")["pictures"]
    assert shown["type"] == "image/jpeg"
    assert shown["width"] == 2 * shown["height"]
    assert 900_000 < shown["width"] * shown["height"] <= 1_000_000
    card = stack.wait(
        lambda: [one for one in stack.replies(GENERAL, ts, "card") if "scene.jpg" in one["text"]], "the card"
    )[0]
    assert "scene.jpg: 그림 1장. 모델이 그림을 그대로 봅니다." in card["text"]


def test_a_model_that_sees_none_after_all_is_told_to_operators(stack: Stack) -> None:
    """A setting that is wrong fails the request in words, and the next one without a picture is answered."""
    stack.clear()
    stack.act("model", vision="refuse")
    ts = stack.say(ADA, "D0ADA", "", files=[stack.attach(ADA, "a.jpg", photo(60, 60))])
    stack.wait(lambda: stack.replies("D0ADA", ts, "failure"), "the failure")
    ts = stack.say(ADA, "D0ADA", "The ferry leaves at seven. The bus leaves at eight.")
    stack.answer("D0ADA", ts)
    stack.act("model", vision="take")


def test_a_picture_by_http_and_in_the_form(stack: Stack) -> None:
    """The same path for every door."""
    stack.clear()
    before = len(stack.look("model")["pictures"])
    files = [("file", ("a.png", photo(100, 50)))]
    job = stack.api("POST", "/api/analyses", files=files, data={"recipe": "summarize"}).json()["id"]
    stack.wait(lambda: stack.api("GET", f"/api/analyses/{job}").json()["state"] == "done", "the result")
    stack.act("command", user=ADA, channel=GENERAL, command="/analyze", text="")
    (view,) = stack.look("views", user=ADA)["views"]
    sent = stack.act(
        "submit", user=ADA, view_id=view["id"], values={"files": [stack.attach(ADA, "b.png", photo(50, 100))]}
    )
    assert not sent["ack"]
    pictures = stack.wait(
        lambda: (seen := stack.look("model")["pictures"][before:]) and len(seen) == 2 and seen,
        "both are seen",
    )
    assert [(one["width"], one["height"]) for one in pictures] == [(100, 50), (50, 100)]
