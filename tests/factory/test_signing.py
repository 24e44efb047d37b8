import stat

import pytest

from factory.bundle import SIGNATURE
from factory.signing import make_keys, read_public_key, sign_bundle, signed_by
from factory.verification import verify_bundle
from tests.errors.steps import alter, entries_of


@pytest.fixture
def keys(tmp_path):
    pair, problems = make_keys(tmp_path / "firm.key")
    assert not problems
    return pair


@pytest.fixture
def signed(bundle, keys):
    signature, problems = sign_bundle(bundle.path, keys.private, bundle.digest, signer="A firm")
    assert not problems
    return signature


def test_the_private_key_is_for_its_owner_alone(keys):
    assert stat.S_IMODE(keys.private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in keys.public.read_bytes()
    assert read_public_key(keys.public) == (keys.fingerprint, ())


@pytest.mark.parametrize("name", ["firm.key", "firm.key.pub"])
def test_a_key_is_never_overwritten(keys, tmp_path, name):
    before = {path: path.read_bytes() for path in (keys.private, keys.public)}
    other = keys.public if name.endswith("pub") else keys.private
    for path in before:
        if path != other:
            path.unlink()

    pair, problems = make_keys(tmp_path / "firm.key")

    assert pair is None
    assert problems[0].code == "E620"
    assert [path.name for path in tmp_path.iterdir() if "key" in path.name] == [name]
    assert other.read_bytes() == before[other]


def test_a_signature_leaves_digest_and_payload_as_they_were(bundle, signed):
    found = verify_bundle(bundle.path, recompute=True)

    assert found.sound
    assert found.digest == bundle.digest == signed.bundle_sha256
    assert found.signature == signed
    assert signed_by(found.signature, signed.public_key, "a bundle") == ()


def test_signing_twice_with_one_key_gives_the_same_bytes(bundle, signed, keys):
    before = bundle.path.read_bytes()
    again, _ = sign_bundle(bundle.path, keys.private, bundle.digest, signer=signed.signer)

    assert again == signed
    assert bundle.path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("A firm", "B firm"), ('"signature":"', '"signature":"0'), ("Ed25519", "Ed25518")],
)
def test_a_signature_that_was_changed_does_not_fit(bundle, signed, old, new):
    del signed
    entries = entries_of(bundle.path)
    if new.endswith("0"):
        new = new[:-1]
        old += entries[SIGNATURE].decode().partition(old)[2][:1]
        new += "f" if old[-1] != "f" else "e"
    alter(str(bundle.path), SIGNATURE, old, new)

    found = verify_bundle(bundle.path)

    assert {problem.code for problem in found.problems} <= {"E616", "E621"}
    assert not found.sound
    assert found.signature is None


def test_a_signature_of_another_bundle_does_not_fit(bundle, keys):
    sign_bundle(bundle.path, keys.private, "0" * 64)

    assert {p.code for p in verify_bundle(bundle.path).problems} == {"E621"}


def test_another_key_neither_replaces_nor_vouches_for_a_signature(bundle, signed, tmp_path):
    other, _ = make_keys(tmp_path / "other.key")
    before = bundle.path.read_bytes()

    signature, problems = sign_bundle(bundle.path, other.private, bundle.digest)

    assert signature is None
    assert problems[0].code == "E622"
    assert bundle.path.read_bytes() == before
    assert signed_by(signed, other.fingerprint, "a bundle")[0].code == "E621"


def test_an_unsigned_bundle_is_vouched_for_by_nobody(bundle, keys):
    found = verify_bundle(bundle.path)

    assert found.signature is None
    assert signed_by(found.signature, keys.fingerprint, "a bundle")[0].code == "E621"


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_refused(bundle, tmp_path, content):
    path = tmp_path / "no.key"
    path.write_bytes(content)

    assert sign_bundle(bundle.path, path, bundle.digest)[1][0].code == "E620"
    assert read_public_key(path)[1][0].code == "E620"


def test_the_halves_of_a_pair_are_not_taken_for_each_other(bundle, keys):
    assert sign_bundle(bundle.path, keys.public, bundle.digest)[1][0].code == "E620"
    assert read_public_key(keys.private)[1][0].code == "E620"
