"""What the closed process says is believed only as far as it can be true of the file."""

import json
import sys

import pytest

from service.errors import ServiceError
from service.evidence import examination
from service.evidence.examiner import perceptual_hash
from service.objects.storage import Stored
from tests.service.evidence import files
from tests.service.evidence.conftest import sha256

CONTENT = files.jpeg(300)
FACTS = {"sha256": sha256(CONTENT), "size": len(CONTENT), "media_type": "image/jpeg"}


@pytest.fixture
def answered(tmp_path, monkeypatch, settings):
    """answered(program) -> what comes of a process that runs this instead of opening the file."""

    def examine(program):
        (tmp_path / "file").write_bytes(CONTENT)
        real = examination.subprocess.Popen
        monkeypatch.setattr(
            examination.subprocess,
            "Popen",
            lambda _command, **more: real([sys.executable, "-c", program], **more),
        )
        return examination.examine(
            tmp_path / "file", Stored(FACTS["sha256"], FACTS["size"]), settings
        )

    return examine


def says(answer):
    return f"print({json.dumps(answer)!r})"


def test_an_honest_answer_is_believed(answered):
    found = answered(says({"facts": FACTS, "perceptual_hash": "00ff00ff00ff00ff"}))

    assert found.facts.sha256 == FACTS["sha256"]
    assert found.perceptual_hash == "00ff00ff00ff00ff"


@pytest.mark.parametrize(
    "program",
    [
        says({"facts": FACTS | {"sha256": "0" * 64}}),
        says({"facts": FACTS | {"size": 1}}),
        says({"facts": FACTS | {"surprise": 1}}),
        says({"facts": FACTS, "perceptual_hash": "'; drop table documents"}),
        says({"facts": None}),
        says({"refused": {"code": "PWNED", "what": "x"}}),
        says({"refused": "x"}),
        says([1]),
        "print('[' * 90_000)",
        "print('no json')",
        "pass",
        "import os; os.abort()",
        "import sys; sys.stdout.write('x' * 50_000_000)",
        "import os; os.write(1, b'\\xff\\xfe\\n')",
    ],
)
def test_a_file_that_takes_over_the_process_gains_nothing(answered, program):
    with pytest.raises(ServiceError, match="FILE_TOO_DEMANDING") as caught:
        answered(program)

    assert caught.value.status == 422


def test_a_process_that_does_not_end_is_ended(answered, monkeypatch):
    slow = examination.limits()
    looking = slow.looking.model_copy(update={"wall_seconds": 0.5})
    monkeypatch.setattr(examination, "limits", lambda: slow.model_copy(update={"looking": looking}))
    with pytest.raises(ServiceError, match="FILE_TOO_DEMANDING") as caught:
        answered("import time; time.sleep(60)")

    assert "within 0.5 seconds" in caught.value.detail


def test_when_too_many_files_are_looked_at_the_next_is_asked_to_come_again(answered, monkeypatch):
    import threading

    none_free = threading.BoundedSemaphore(1)
    none_free.acquire()
    monkeypatch.setattr(examination, "_places", lambda: none_free)
    few = examination.limits()
    looking = few.looking.model_copy(update={"wall_seconds": 0.1})
    monkeypatch.setattr(examination, "limits", lambda: few.model_copy(update={"looking": looking}))
    with pytest.raises(ServiceError, match="TRY_AGAIN") as caught:
        answered(says({"facts": FACTS}))

    assert caught.value.status == 503


def test_what_a_refusal_says_holds_no_control_characters(answered):
    told = {
        "code": "FILE_DAMAGED",
        "what": "is\x1b[31m broken\n" + "x" * 1_000,
        "why": "",
        "fix": "",
    }
    with pytest.raises(ServiceError, match="FILE_DAMAGED") as caught:
        answered(says({"refused": told}))

    assert caught.value.detail.isprintable()
    assert len(caught.value.detail) < 400


def test_a_picture_saved_anew_keeps_its_hash_within_the_limit_and_others_do_not():
    kept = examination.limits().similar_bits

    def bits(one, other):
        return (int(one, 16) ^ int(other, 16)).bit_count()

    def hash_of(picture, **more):
        return perceptual_hash(files.saved(picture, "JPEG", **more))

    pictures = [files.photograph(seed) for seed in range(40)]
    hashes = [hash_of(picture, quality=90) for picture in pictures]
    for picture, first in zip(pictures, hashes, strict=True):
        assert bits(hash_of(picture, quality=40), first) <= kept
        assert bits(hash_of(picture.resize((320, 240)), quality=80), first) <= kept
    pairs = [bits(a, b) for number, a in enumerate(hashes) for b in hashes[:number]]
    assert min(pairs) > kept
