"""A name is shown, stored in a bundle and sent out; it must be harmless in all three."""

import re

import pytest

from contracts.evidence import _FILE_PATH
from service.evidence.file_names import LONGEST, clean_name, disposition
from tests.service.evidence import hostile_files

JPEG = "image/jpeg"


@pytest.mark.parametrize(
    ("given", "media_type", "shown"),
    [
        ("front.jpg", JPEG, "front.jpg"),
        ("IMG 2041.JPEG", JPEG, "IMG 2041.JPEG"),
        ("../../../etc/passwd", JPEG, "passwd.jpg"),
        ("..\\..\\system32\\x.jpg", JPEG, "x.jpg"),
        ("front.jpg.exe", JPEG, "front.jpg.exe.jpg"),
        ("front\u202egpj.exe", JPEG, "frontgpj.exe.jpg"),
        ("front\x00\x1f.jpg", JPEG, "front.jpg"),
        ("a\nb\tc.jpg", JPEG, "a b c.jpg"),
        ("front.png", "application/pdf", "front.png.pdf"),
        ("scan.tiff", "image/tiff", "scan.tiff"),
        ("CON.jpg", JPEG, "_CON.jpg"),
        ("com1.tar.jpg", JPEG, "_com1.tar.jpg"),
        ("console.jpg", JPEG, "console.jpg"),
        ("nul", None, "_nul"),
        ("", JPEG, "document.jpg"),
        ("...", None, "document"),
        (".htaccess", JPEG, "htaccess.jpg"),
        ('a?b*c:d|e<f>g"h.jpg', JPEG, "a_b_c_d_e_f_g_h.jpg"),
        ("सर्वे नंबर १२.jpg", JPEG, "सर्वे नंबर १२.jpg"),
        ("e\u0301te\u0301.jpg", JPEG, "été.jpg"),
        ("\ud800.jpg", JPEG, "_.jpg"),
    ],
)
def test_a_name_keeps_what_is_harmless(given, media_type, shown):
    assert clean_name(given, media_type) == shown


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, 5_000])
def test_a_long_name_is_cut_and_keeps_its_ending(length):
    found = clean_name("a" * (length - 4) + ".jpg", JPEG)

    assert len(found) == min(length, LONGEST)
    assert found.endswith("a.jpg")


@pytest.mark.parametrize("name", [one.name for one in hostile_files.odd_names()])
def test_every_odd_name_can_stand_in_a_bundle_and_in_a_header(name):
    found = clean_name(name, JPEG)
    header = disposition(found)

    assert _FILE_PATH.fullmatch(found)
    assert 1 <= len(found) <= LONGEST
    assert re.fullmatch(
        r"attachment; filename=\"[A-Za-z0-9 ._()-]+\"; filename\*=UTF-8''[A-Za-z0-9%._~-]+", header
    )


def test_a_header_says_the_whole_name_in_its_second_part():
    assert disposition("été १.jpg") == (
        "attachment; filename=\"ete .jpg\"; filename*=UTF-8''%C3%A9t%C3%A9%20%E0%A5%A7.jpg"
    )
