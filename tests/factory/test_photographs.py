import io
import random
from decimal import Decimal

import pillow_heif
import pytest
from PIL import Image

from factory.photographs import MOST_PIXELS, ending_of, read_facts
from tests.factory.conftest import camera_exif, photograph

pillow_heif.register_heif_opener()

KINDS = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
    "TIFF": ("image/tiff", "tif"),
    "HEIF": ("image/heic", "heic"),
}


def content(tmp_path, kind, **more):
    return photograph(tmp_path / f"picture.{kind}", kind, **more).read_bytes()


def facts_of(data):
    facts, problems = read_facts(io.BytesIO(data), "a file")
    assert not problems
    return facts


def problem_of(data):
    facts, problems = read_facts(io.BytesIO(data), "a file")
    assert facts is None
    (problem,) = problems
    return problem


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_tells_its_kind_size_time_and_position(tmp_path, kind):
    exif = camera_exif()
    data = content(tmp_path, kind, exif=exif.tobytes())

    facts = facts_of(data)

    assert (facts.media_type, ending_of(facts.media_type)) == KINDS[kind]
    assert (facts.width, facts.height, facts.size) == (64, 48, len(data))
    assert facts.captured_at.isoformat() == "2026-03-30T10:15:00+05:30"
    # 12 + 20/60 + 15/3600 = 12.3375
    assert facts.located_at.latitude == Decimal("12.3375")
    assert facts.located_at.longitude == Decimal("76.6")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_sensor_is_told_with_the_stored_sides(tmp_path, kind):
    facts = facts_of(content(tmp_path, kind, exif=camera_exif(turn=6).tobytes()))

    assert (facts.width, facts.height, facts.orientation) == (64, 48, 6)


def test_a_kind_whose_decoder_turns_the_picture_is_upright_already(tmp_path):
    heic = facts_of(content(tmp_path, "HEIF", exif=camera_exif(turn=6).tobytes()))
    tiff = facts_of(content(tmp_path, "TIFF", exif=camera_exif(turn=6).tobytes()))

    assert (heic.orientation, tiff.orientation) == (1, 1)
    with Image.open(tmp_path / "picture.TIFF") as picture:
        picture.load()
        assert picture.size == (tiff.width, tiff.height)
    with Image.open(tmp_path / "picture.HEIF") as picture:
        assert picture.size == (heic.width, heic.height)


def test_a_document_has_no_sides(tmp_path):
    facts = facts_of(content(tmp_path, "PDF"))

    assert (facts.media_type, facts.width, facts.orientation) == ("application/pdf", None, None)


@pytest.mark.parametrize("kind", [*KINDS, "PDF"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
def test_a_file_that_breaks_off_is_refused(tmp_path, kind, share):
    data = content(tmp_path, kind)

    assert problem_of(data[: int(len(data) * share)]).code == "E606"


def test_a_film_behind_a_photograph_does_no_harm(tmp_path):
    data = content(tmp_path, "JPEG")

    assert facts_of(data + b"a moving picture" * 5_000).width == 64


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph(tmp_path):
    exif = camera_exif().tobytes() + content(tmp_path, "JPEG")
    data = content(tmp_path, "JPEG", exif=exif)

    assert b"\xff\xd9" in data[:-40]
    assert problem_of(data[:-40]).what == "'a file' breaks off before its end"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "E606"),
        (b"The owner was not at home.", "E605"),
        (b"GIF89a" + b"\x00" * 40, "E605"),
        (b"PK\x03\x04" + b"\x00" * 40, "E605"),
        (b"\xff\xd8\xff" + b"not a photograph" * 9, "E606"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 60, "E606"),
        (b"RIFF\x10\x00\x00\x00WEBP" + b"\x00" * 12, "E606"),
        (b"II*\x00" + b"\xff" * 40, "E606"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 12, "E606"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_content(data, code):
    assert problem_of(data).code == code


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_small_file_that_claims_a_huge_picture_is_refused(tmp_path, kind):
    path = tmp_path / "huge"
    Image.new("1", (20_000, 20_000)).save(path, kind, compression="group4")
    assert path.stat().st_size < 200_000
    assert MOST_PIXELS < 20_000 * 20_000

    assert problem_of(path.read_bytes()).code == "E607"


def test_a_webp_is_measured_before_its_decoder_takes_memory():
    # The canvas of an extended file: 16383 by 16383, written as one less in three bytes each.
    canvas = b"VP8X\x0a\x00\x00\x00" + bytes(4) + b"\xfe\x3f\x00" * 2
    data = b"RIFF" + (4 + len(canvas)).to_bytes(4, "little") + b"WEBP" + canvas

    assert problem_of(data).code == "E607"


@pytest.mark.parametrize(
    "position",
    [
        ((0.0, 0.0, 0.0), "N", (0.0, 0.0, 0.0), "E"),
        ((91.0, 0.0, 0.0), "N", (76.0, 0.0, 0.0), "E"),
        ((12.0, 0.0, 0.0), "X", (76.0, 0.0, 0.0), "E"),
    ],
)
def test_a_position_that_cannot_be_is_left_out(tmp_path, position):
    data = content(tmp_path, "JPEG", exif=camera_exif(position=position))

    assert facts_of(data).located_at is None


def test_south_and_west_are_negative(tmp_path):
    position = ((12.0, 30.0, 0.0), "S", (76.0, 0.0, 0.0), "W")
    place = facts_of(content(tmp_path, "JPEG", exif=camera_exif(position=position))).located_at

    assert (place.latitude, place.longitude) == (Decimal("-12.5"), Decimal(-76))


@pytest.mark.parametrize("taken", ["2026:02:30 10:15:00", "0000:00:00 00:00:00", "yesterday", ""])
def test_a_time_that_cannot_be_is_left_out(tmp_path, taken):
    assert facts_of(content(tmp_path, "JPEG", exif=camera_exif(taken=taken))).captured_at is None


def test_a_camera_without_a_zone_gives_its_own_time(tmp_path):
    facts = facts_of(content(tmp_path, "JPEG", exif=camera_exif(zone=None)))

    assert facts.captured_at.isoformat() == "2026-03-30T10:15:00"


def test_no_damage_to_a_header_raises_anything(tmp_path, capfd):
    exif = camera_exif()
    bases = [content(tmp_path, kind, exif=exif.tobytes()) for kind in KINDS]
    chance = random.Random(5)  # noqa: S311 - damage, not secrets
    for _ in range(1_500):
        data = bytearray(chance.choice(bases))
        for _ in range(chance.randint(1, 10)):
            at = chance.randrange(min(len(data), chance.choice([60, 400, len(data)])))
            data[at] = chance.choice([0, 255, chance.randrange(256)])
        facts, problems = read_facts(io.BytesIO(bytes(data)), "damaged")
        assert (facts is None) == bool(problems)

    assert capfd.readouterr() == ("", "")
