import subprocess
import sys

import pytest

from factory.case_files import read_case_file
from factory.verification import verify_bundle
from service.workorders.bundles import read_bundle, write_bundle
from service.workorders.evaluating import find
from tests.factory.conftest import CASE, make_case
from tests.service.workorders.cases import acting, actor_of, enter_case, remove_piece
from tests.service.workorders.conftest import ROOT

ZENOPS = [sys.executable, "-c", "from factory.command_line import main; main()"]


@pytest.fixture
def actor(make_firm, make_user):
    return actor_of(make_user(make_firm()))


def built(folder, target):
    """The bundle that the command line builds of a case folder."""
    subprocess.run(
        [*ZENOPS, "build", str(folder), "-o", str(target), "--data", str(ROOT)],
        check=False, capture_output=True, cwd=ROOT,
    )  # fmt: skip
    return target


def stored(service, actor, work_order_id, target, version=None):
    """The bundle that the service puts together of a snapshot."""
    with acting(service, actor) as connection:
        order = find(connection, actor.tenant_id, work_order_id)
        kept = read_bundle(
            connection, actor.tenant_id, work_order_id, version or order.snapshot_version
        )
    return write_bundle(service.objects, kept, target)


def test_the_specimen_gives_the_digest_and_bytes_that_zenops_build_gives(
    service, actor, specimen, specimen_folder, tmp_path
):
    work_order_id = enter_case(service, actor, specimen)
    made = stored(service, actor, work_order_id, tmp_path / "service.zip")

    expected = built(specimen_folder, tmp_path / "line.zip")
    assert made.path.read_bytes() == expected.read_bytes()
    assert made.digest == verify_bundle(expected).digest


RICH = CASE.replace(
    "evidence:\n",
    "parameters: {depreciation_floor: {value: 20 %, source: the bank's circular}}\nevidence:\n",
) + ("firm: {name: A firm, logo: evidence/back.png, address: [Here]}\n")


@pytest.mark.parametrize("text", [CASE, RICH], ids=["small", "with a logo and parameters"])
def test_a_case_with_pending_and_deleted_evidence_gives_the_same_digest(
    service, actor, tmp_path, text
):
    text = text.replace(
        "{key: front, type: PHOTO,",
        "{key: front, type: PHOTO, captured_at: 2026-03-30T10:15:00+05:30, annexure_order: 3, "
        "located_at: {latitude: 12.3375120, longitude: 76.6}, sensitivity: pii, "
        "classification: site_photo, source: mobile_camera,",
    )
    folder = make_case(tmp_path / "small", text)
    read = read_case_file(folder)
    assert not read.problems
    work_order_id = enter_case(service, actor, read, reference="small")
    made = stored(service, actor, work_order_id, tmp_path / "service.zip")

    expected = built(folder, tmp_path / "line.zip")
    assert made.path.read_bytes() == expected.read_bytes()


def test_an_old_snapshot_gives_its_old_bytes_after_evidence_and_contract_changed(
    service, actor, specimen, tmp_path
):
    work_order_id = enter_case(service, actor, specimen)
    with acting(service, actor) as connection:
        version = find(connection, actor.tenant_id, work_order_id).snapshot_version
    before = stored(service, actor, work_order_id, tmp_path / "before.zip", version)
    remove_piece(service, actor, work_order_id, "sale-deed")

    after = stored(service, actor, work_order_id, tmp_path / "after.zip", version)

    assert after.path.read_bytes() == before.path.read_bytes()
    assert verify_bundle(after.path, recompute=True).sound
