import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from factory.case_files import read_case_file
from service.identifiers import new_id
from tests.factory.conftest import photograph
from tests.service.workorders.cases import actor_of, enter_case

ROOT = Path(__file__).resolve().parents[3]
ORDERS = "/v1/repogen/work-orders"

#: Ready by the original's rules: bank, address, area, rate, and six photographs.
READY = """\
case: ready
as_of: 2026-03-31
ruleset: m5.4-v1
contract:
  meta: {report_type: VALUATION, bank_type: SBI}
  party: {bank_name: State Bank of India, borrower_name: Meenakshi Honnali}
  property: {address: 12 Specimen Street, city: Mysuru, land_area: 100 sqm}
  valuation_inputs: {guideline_rate_input: 10000 INR/sqm, land_value: 1000000, building_value: 500000}
evidence:
"""


@pytest.fixture(scope="session")
def specimen_folder(tmp_path_factory):
    """The specimen house with its pictures drawn."""
    folder = tmp_path_factory.mktemp("specimen-house")
    shipped = ROOT / "fixtures/cases/specimen-house/case.yaml"
    (folder / "case.yaml").write_bytes(shipped.read_bytes())
    script = ROOT / "scripts/draw_specimen_photographs.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def specimen(specimen_folder):
    """The specimen house as it is read."""
    read = read_case_file(specimen_folder)
    assert not read.problems
    return read


@pytest.fixture(scope="session")
def ready_case(tmp_path_factory):
    """A small case that nothing is missing from."""
    folder = tmp_path_factory.mktemp("ready")
    lines = []
    for number in range(6):
        photograph(folder / f"evidence/{number}.jpg", size=(40 + number, 30))
        lines.append(f"  - {{key: photo-{number}, type: PHOTO, file: evidence/{number}.jpg}}\n")
    (folder / "case.yaml").write_text(READY + "".join(lines), encoding="utf-8")
    read = read_case_file(folder)
    assert not read.problems
    return read


@pytest.fixture(scope="module")
def firm(make_firm):
    return make_firm()


@pytest.fixture(scope="module")
def person(firm, make_user):
    """Somebody of the firm who may do everything."""
    return make_user(firm)


@pytest.fixture(scope="module")
def actor(person):
    return actor_of(person)


@pytest.fixture(scope="module")
def desk(person, sign_in):
    """That person's client."""
    return sign_in(person)


@pytest.fixture
def create(desk):
    """create(**fields) -> a new work order as it was answered."""

    def made(**fields):
        body = {"report_type": "VALUATION", "bank_type": "SBI", "bank_name": "SBI", **fields}
        answer = desk.post(ORDERS, json=body)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.get_json()

    return made


@pytest.fixture
def ready(service, actor, ready_case):
    """The id of a work order in the state DRAFT that nothing is missing from."""
    return enter_case(service, actor, ready_case, reference=f"ready-{new_id().hex[-12:]}")


@pytest.fixture
def set_status(owner_engine):
    """set_status(work_order_id, status), whatever it was."""

    def done(work_order_id, status):
        with owner_engine.begin() as connection:
            connection.execute(
                text("update work_orders set status = :status where work_order_id = :id"),
                {"status": status, "id": work_order_id},
            )

    return done


@pytest.fixture
def rows(owner_engine):
    """rows(sql, **values) -> what the superuser sees."""

    def read(statement, **values):
        with owner_engine.connect() as connection:
            return connection.execute(text(statement), values).all()

    return read
