"""What a template may print: a bundle as nested names, each leaf a final text with its field.

A leaf is `{"text", "field", "known"}`. Names are those of the contract and of the rule set. Some
leaves have variants beside them, `fmv_words` beside `fmv`, whose field is `fmv:words`. What the
contract leaves out is there as well and says so; lists that are left out are empty.

`..._code`, `id` and `serial` are plain values, for a template's conditions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from contracts.case import Firm, Valuer
from contracts.contract import (
    AgriculturalParcel,
    Contract,
    CostHead,
    Flat,
    Floor,
    Guideline,
    Item,
    OwnerShare,
    Parcel,
    Projection,
    Row,
    SaleInstance,
    StageItem,
    Trees,
)
from contracts.quantities import Quantity, QuantityError, parse_quantity, plain, quantity_from
from engine.rules.contract_paths import Leaf, look_up, reader, row_ids
from engine.units.registry import Converted, Unit
from factory.report import printing
from factory.report.printing import NOT_KNOWN, NOT_STATED

if TYPE_CHECKING:
    from pydantic import BaseModel

    from contracts.evaluation import Finding, NamedValue, TraceEntry
    from factory.report.bundle_parts import BundleParts

#: Sections of the contract, at the top of the data.
SECTIONS = (
    "meta", "party", "property", "valuation_inputs", "stage", "project", "previous_valuation",
    "manual_fields",
)  # fmt: skip

#: Tables at the top of the data, whatever the rule set: where their rows stand in the contract.
TABLES: Mapping[str, tuple[str, type[Row]]] = {
    "owners": ("party.owners", OwnerShare),
    "parcels": ("property.parcels", Parcel),
    "floors": ("property.floors", Floor),
    "flats": ("property.flats", Flat),
    "farmland": ("property.agriculture.parcels", AgriculturalParcel),
    "trees": ("property.agriculture.trees", Trees),
    "guideline": ("valuation_inputs.guideline", Guideline),
    "extras": ("valuation_inputs.extras", Item),
    "amenities": ("valuation_inputs.amenities", Item),
    "miscellaneous": ("valuation_inputs.miscellaneous", Item),
    "services": ("valuation_inputs.services", Item),
    "abstract": ("valuation_inputs.abstract", Item),
    "sale_instances": ("valuation_inputs.sale_instances", SaleInstance),
    "stages": ("stage.items", StageItem),
    "cost": ("project.cost", CostHead),
    "finance": ("project.means_of_finance", CostHead),
    "projections": ("project.projections", Projection),
}

#: Names that templates may always use of mappings whose keys the contract leaves free.
USUAL_KEYS: Mapping[str, tuple[str, ...]] = {
    "rooms": (
        "living_dining", "living", "dining", "bedrooms", "kitchen", "toilets", "bathrooms",
        "balconies", "pooja", "store", "utility", "parking",
    ),
    "site": (
        "locality", "development", "flooding", "amenities", "level", "shape", "use",
        "restriction", "approved_layout", "corner_or_intermediate", "road", "road_type",
        "road_width", "land_locked", "water", "drainage", "power", "advantages", "remarks",
        "enactments", "insurance", "disputes", "tax", "electricity_connection",
    ),
    "specification": (
        "foundation", "basement", "superstructure", "joinery", "rcc", "plaster", "flooring",
        "finish", "roofing", "drainage", "compound_wall", "wiring", "fittings", "plumbing",
        "condition", "units", "quality", "appearance", "maintenance", "lift", "water",
        "parking", "pavement", "deviations", "earthquake_resistance",
    ),
}  # fmt: skip

#: Variants of a leaf, by what it holds.
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "money": ("words", "plain", "short"),
    "area": ("entered", "sqm", "both"),
    "rate": ("entered", "sqm", "both"),
    "length": ("entered", "m", "both"),
}
#: Variants of a computed figure that is a rate or an area.
FIGURE_VARIANTS = ("entered", "both")

_METRIC = {"area": "sqm", "rate": "INR/sqm", "length": "m"}
# Units that every bank knows; what any other is worth is printed.
_WELL_KNOWN = frozenset({"sqm", "sqft", "sqyd", "m", "ft", "INR", "year", "percent"})
_LEFT_OUT = frozenset({"audit", "computed_values", "annexures", "accepted_findings"})
_LABELS = ("label", "name", "kind", "item", "location", "year", "door_no", "survey_no")
_ROW = re.compile(r"([a-z0-9_]+)\[(.+)\]\.([a-z0-9_]+)")
_EXACT = Context(prec=60)
_NOT_ADDED = frozenset({"text", "boolean", "date", "year", "month", "m", "as given"})
_MEASURED = frozenset({"area", "money/area"})
_SHARES = frozenset({"share_percent", "weight", "earned"})
_DIGEST_SHOWN = 12

Data = dict[str, Any]


def report_data(parts: BundleParts) -> Data:
    """Everything that a template may print of a bundle."""
    return _Writer(parts).everything()


def leaf(written: str, field: str, *, known: bool = True) -> Data:
    """A printable text and the field it shows."""
    return {"text": written, "field": printing.text(field), "known": known}


def is_leaf(value: Any) -> bool:
    """Whether a value of the data is a printable text."""
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def leaves_of(data: Any) -> Iterator[Data]:
    """Every leaf of the data."""
    if is_leaf(data):
        yield data
    elif isinstance(data, dict):
        for inner in data.values():
            yield from leaves_of(inner)
    elif isinstance(data, list):
        for inner in data:
            yield from leaves_of(inner)


def fields_of(data: Data) -> dict[str, str]:
    """What each field prints."""
    return {item["field"]: item["text"] for item in leaves_of(data)}


def kinds_of(model: type[BaseModel]) -> Iterator[tuple[str, Leaf]]:
    """The fields of a part of the contract that a template may print, with what they hold."""
    for name in model.model_fields:
        if name not in _LEFT_OUT and not (issubclass(model, Row) and name == "id"):
            kind = look_up(name, model)
            assert isinstance(kind, Leaf)
            yield name, kind


@dataclass(frozen=True, slots=True)
class _Column:
    """A value of one row that can be added up."""

    value: Decimal | None
    unit: str


class _Writer:
    """Writes the data of one bundle."""

    def __init__(self, parts: BundleParts) -> None:
        self.parts = parts
        self.contract = parts.contract
        self.entries = {entry.field: entry for entry in parts.evaluation.trace}
        self.rules: Mapping[str, Any] = parts.ruleset.get("values", {})
        self.sums: dict[str, dict[str, list[_Column]]] = {}

    def everything(self) -> Data:
        data: Data = {name: self._section(name) for name in SECTIONS}
        tables = self._tables()
        figures = self._figures()
        data |= tables
        data |= {
            "documents": data["property"]["documents"],
            "stated": self._rows(Contract, "stated", "contract.stated"),
            "totals": self._totals(),
            "firm": self._firm(),
            "report": self._report(),
            "parameters": self._parameters(),
            "overrides": self._overrides(),
            "land_units": self._land_units(),
            "findings": self._accepted(),
            "warnings": self._remaining(),
            "evidence": self._evidence(),
        }
        data["figures"] = figures
        return figures | data

    # ---- the contract ---------------------------------------------------------------------------

    def _section(self, name: str) -> Data:
        kind = look_up(name)
        assert isinstance(kind, Leaf)
        assert kind.row is not None
        section = self._part(kind.row, getattr(self.contract, name), f"contract.{name}")
        if name == "property":
            section["coordinates"]["position"] = self._position()
        if name == "manual_fields":
            section["checklist"] = list(self._checklist())
        return section

    def _part(self, model: type[BaseModel], part: BaseModel | None, field: str) -> Data:
        written: Data = {}
        variants: Data = {}
        for name, kind in kinds_of(model):
            value = None if part is None else getattr(part, name)
            own = f"{field}.{name}"
            if kind.kind == "part":
                assert kind.row is not None
                written[name] = self._part(kind.row, value, own)
            elif kind.kind == "table":
                written[name] = self._rows_of(kind.row, value, own)
            elif kind.kind == "mapping":
                written[name], variants[f"{name}_rows"] = self._mapping(name, value, own)
            elif kind.kind.startswith("list of"):
                variants[f"{name}_text"] = self._listed(value, own)
                written[name] = [
                    self._plain(item, kind, f"{own}[{number}]")
                    for number, item in enumerate(value or (), 1)
                ]
            elif name == "market_rate_range":
                written[name] = self._range(value, own)
            elif name != "checklist_json":
                written[name], more = self._value(name, value, kind, own)
                variants |= {f"{name}_{suffix}": item for suffix, item in more.items()}
        return variants | written

    def _value(self, name: str, value: Any, kind: Leaf, field: str) -> tuple[Data, Data]:
        """A leaf, and its variants by their suffixes."""
        if isinstance(value, Quantity):
            return self._quantity(value, kind.kind, field)
        if kind.kind in VARIANTS:
            return self._missing(field), {
                suffix: self._missing(f"{field}:{suffix}") for suffix in VARIANTS[kind.kind]
            }
        if kind.options or kind.kind == "boolean":
            return self._plain(value, kind, field), {"code": value}
        if name == "item" and isinstance(value, str):
            value = printing.WORDS.get(value, value)
        if name.startswith("year_") and value is not None:
            return leaf(str(value), field), {}
        return self._plain(value, kind, field), {}

    def _plain(self, value: Any, kind: Leaf, field: str) -> Data:
        written = ""
        if isinstance(value, bool):
            written = printing.yes_no(value)
        elif isinstance(value, str):
            written = printing.choice(value) if kind.options else printing.text(value)
        elif isinstance(value, datetime):
            written = printing.moment(value)
        elif isinstance(value, date):
            written = printing.day(value)
        elif isinstance(value, int):
            written = printing.figure(Decimal(value), "number")
        elif isinstance(value, Decimal):
            written = plain(value)
        known = bool(written) and value != "UNKNOWN"
        return leaf(written, field) if known else self._missing(field)

    @staticmethod
    def _missing(field: str) -> Data:
        return leaf(NOT_STATED, field, known=False)

    def _quantity(self, quantity: Quantity, kind: str, field: str) -> tuple[Data, Data]:
        entered = self._entered(quantity)
        main = leaf(entered, field)
        if kind == "money":
            rupees = self._converted(quantity, "INR")
            return main, _unknown_amounts(NOT_KNOWN, field) if rupees is None else _amounts(
                rupees, field
            )
        if kind not in _METRIC:
            return main, {}
        metric, both = NOT_KNOWN, entered
        value = self._converted(quantity, _METRIC[kind])
        if value is not None:
            metric = printing.figure(value, _METRIC[kind])
            both = metric if metric == entered else f"{metric} ({entered})"
        suffix = VARIANTS[kind][1]
        return main, {
            "entered": leaf(entered, f"{field}:entered"),
            suffix: leaf(metric, f"{field}:{suffix}", known=value is not None),
            "both": leaf(both, f"{field}:both"),
        }

    def _entered(self, quantity: Quantity) -> str:
        terms = []
        for number, unit in quantity.terms:
            known = None if unit is None else self.parts.units.canonical(unit)
            terms.append((number, known if isinstance(known, str) else unit))
        return printing.entered(Quantity(tuple(terms), quantity.place))

    def _converted(self, quantity: Quantity, unit: str) -> Decimal | None:
        converted = self.parts.units.convert(quantity, unit, self.parts.place)
        return converted.value if isinstance(converted, Converted) else None

    def _mapping(
        self, name: str, value: Mapping[str, Any] | None, field: str
    ) -> tuple[Data, list[Data]]:
        stated = value or {}
        kind = Leaf("text")
        named = {
            key: self._plain(stated.get(key), kind, f"{field}.{key}")
            for key in (*USUAL_KEYS.get(name, ()), *stated)
        }
        rows = [
            {
                "id": key,
                "serial": str(number),
                "label": leaf(printing.readable(key), f"{field}.{key}:label"),
                "value": named[key],
            }
            for number, key in enumerate(stated, 1)
        ]
        return named, rows

    def _listed(self, value: Sequence[Any] | None, field: str) -> Data:
        items = [self._plain(item, Leaf("text"), field)["text"] for item in value or ()]
        if items:
            return leaf(", ".join(items), field)
        return self._missing(field) if value is None else leaf("none", field)

    def _range(self, value: tuple[Quantity, Quantity] | None, field: str) -> Data:
        if value is None:
            return self._missing(field)
        low, high = (self._entered(item) for item in value)
        return leaf(f"{low} to {high}", field)

    def _position(self) -> Data:
        found = self.contract.property.coordinates
        field = "contract.property.coordinates"
        if found is None or found.latitude is None or found.longitude is None:
            return self._missing(field)
        return leaf(_position(found.latitude, found.longitude), field)

    def _checklist(self) -> Iterator[Data]:
        """The ticks of a bank's checklist, as a person set them."""
        field = "contract.manual_fields.checklist_json"
        for number, (path, value) in enumerate(
            _flattened(self.contract.manual_fields.checklist_json or {}), 1
        ):
            key = ".".join(path)
            label = ": ".join(printing.readable(step) for step in path)
            yield {
                "id": key,
                "serial": str(number),
                "label": leaf(label, f"{field}.{key}:label"),
                "value": self._plain(value, Leaf("text"), f"{field}.{key}"),
                "value_code": value if isinstance(value, bool) else None,
            }

    # ---- tables ---------------------------------------------------------------------------------

    def _rows(self, model: type[BaseModel], name: str, field: str) -> list[Data]:
        kind = look_up(name, model)
        assert isinstance(kind, Leaf)
        return self._rows_of(kind.row, reader(name, model)(self.contract), field)

    def _rows_of(self, model: Any, rows: Sequence[Row] | None, field: str) -> list[Data]:
        written = []
        ids, _ = row_ids(tuple(rows or ()))
        for serial, (row_id, row) in enumerate(zip(ids, rows or (), strict=True), 1):
            data = self._part(model, row, f"{field}[{row_id}]")
            data |= {"id": row_id, "serial": str(serial)}
            if not data["label"]["known"]:
                data["label"] = leaf(_label(data, row_id), f"{field}[{row_id}].label")
            written.append(data)
        return written

    def _tables(self) -> Data:
        """The rows of each table: the contract's own facts, and what the rule set computed."""
        paths = {name: path for name, (path, _) in TABLES.items()}
        for name, declared in self.parts.ruleset.get("inputs", {}).items():
            if "columns" in declared:
                paths[name] = declared["from"]
        computed: dict[tuple[str, str], Data] = {}
        for entry in self.entries.values():
            match = _ROW.fullmatch(entry.field)
            if match is not None:
                table, row, column = match.groups()
                computed.setdefault((table, row), {}).update(self._figure(column, entry))
                self._add_up(table, column, entry.value, entry.unit)
        tables: Data = {}
        for name, path in paths.items():
            kind = look_up(path)
            if not isinstance(kind, Leaf) or kind.kind != "table":
                continue
            rows = reader(path)(self.contract)
            tables[name] = self._rows_of(kind.row, rows, f"contract.{path}")
            for row in tables[name]:
                row.update(computed.get((name, row["id"]), {}))
            self._add_up_facts(name, rows or ())
        return tables

    def _add_up(self, table: str, column: str, value: Any, unit: str | None) -> None:
        """Note a value of a column whose sum says something: amounts, areas, shares, counts."""
        if unit is None or "/" in unit or unit in _NOT_ADDED:
            return
        if unit == "percent" and column not in _SHARES:
            return
        number = value if isinstance(value, Decimal) else None
        self.sums.setdefault(table, {}).setdefault(column, []).append(_Column(number, unit))

    def _add_up_facts(self, table: str, rows: Sequence[Row]) -> None:
        computed = set(self.sums.get(table, {}))
        for row in rows:
            for name, kind in kinds_of(type(row)):
                if name not in computed:
                    self._add_up_fact(table, name, kind.kind, getattr(row, name))

    def _add_up_fact(self, table: str, name: str, kind: str, value: Any) -> None:
        if kind == "money":
            rupees = None if value is None else self._converted(value, "INR")
            self._add_up(table, name, rupees, "INR")
        elif kind == "area":
            metric = None if value is None else self._converted(value, "sqm")
            self._add_up(table, f"{name}_sqm", metric, "sqm")
            self._add_up(table, name, *_one_term(value))
        elif kind == "percent":
            self._add_up(table, name, None if value is None else value.value, "percent")
        elif name == "count":
            self._add_up(table, name, None if value is None else Decimal(value), "number")

    def _totals(self) -> Data:
        """The sum of each column, known where every row is, in the unit that all rows have."""
        totals: Data = {}
        for table, columns in self.sums.items():
            own: Data = {}
            for name, items in columns.items():
                field = f"totals.{table}.{name}"
                units = {item.unit for item in items}
                values = [item.value for item in items if item.value is not None]
                known = len(units) == 1 and len(values) == len(items) and "" not in units
                total = sum(values, Decimal(0)) if known else None
                written, variants = self._written(total, units.pop(), field, NOT_KNOWN)
                own[name] = written
                for suffix, item in variants.items():
                    own.setdefault(f"{name}_{suffix}", item)
            totals[table] = own
        return totals

    # ---- figures --------------------------------------------------------------------------------

    def _figures(self) -> Data:
        """Every figure and decision that is no column of a table."""
        figures: Data = {}
        variants: Data = {}
        for entry in self.entries.values():
            if _ROW.fullmatch(entry.field):
                continue
            *path, name = entry.field.split(".")
            home = figures
            for step in path:
                home = home.setdefault(step, {})
            own = self._figure(name, entry)
            home[name] = own.pop(name)
            if not path:
                variants |= own
        return variants | figures

    def _figure(self, name: str, entry: TraceEntry) -> Data:
        """A figure under its name, with its variants."""
        address = _ROW.sub(r"\1.\3", entry.field)
        unknown = self.rules.get(address, {}).get("unknown") or NOT_KNOWN
        main, variants = self._written(entry.value, entry.unit, entry.field, unknown)
        if self._is_measured(entry.unit):
            variants |= self._beside(entry, main)
        return {f"{name}_{suffix}": item for suffix, item in variants.items()} | {name: main}

    def _is_measured(self, unit: str | None) -> bool:
        """Whether a figure is a rate by area or an area."""
        return unit is not None and self.parts.units.dimension_of(unit) in _MEASURED

    def _written(
        self, value: Any, unit: str | None, field: str, unknown: str
    ) -> tuple[Data, dict[str, Any]]:
        if isinstance(value, tuple):
            texts = [self._written(item, unit, field, unknown)[0]["text"] for item in value]
            return leaf(", ".join(texts) or "none", field), {}
        coded = isinstance(value, str) and re.fullmatch(r"[A-Z][A-Z0-9_]*", value) is not None
        code = {"code": value} if unit in {"text", "boolean"} else {}
        if value is None or value == "UNKNOWN":
            main = leaf(unknown, field, known=False)
            return main, _unknown_amounts(unknown, field) if unit == "INR" else code
        if isinstance(value, bool):
            return leaf(printing.yes_no(value), field), code
        if isinstance(value, Decimal):
            written = printing.figure(value, unit)
            return leaf(written, field), _amounts(value, field) if unit == "INR" else {}
        if isinstance(value, str):
            written = printing.WORDS.get(value, value) if coded else printing.text(value)
            return leaf(written or unknown, field, known=bool(written)), code
        return leaf(printing.day(value), field), {}

    def _beside(self, entry: TraceEntry, main: Data) -> Data:
        """What the case gave for a rate or an area, alone and beside the figure."""
        entered = self._given_for(entry) if entry.value is not None else None
        both = main["text"]
        if entered is not None and entered != both:
            both = f"{both} ({entered})"
        return {
            "entered": leaf(
                entered or NOT_KNOWN, f"{entry.field}:entered", known=entered is not None
            ),
            "both": leaf(both, f"{entry.field}:both", known=main["known"]),
        }

    def _given_for(self, entry: TraceEntry) -> str | None:
        """The quantity that a figure hands on, as it was entered; None if it was computed."""
        if entry.given is not None:
            return None
        for item in entry.inputs:
            value = item.value
            if isinstance(value, tuple):
                value = value[0] if len(value) == 1 else None
            if value is None or value != entry.unrounded:
                continue
            if item.written is not None:
                return self._read_entered(item.written)
            return self._given_by(item, entry)
        return None

    def _given_by(self, item: NamedValue, entry: TraceEntry) -> str | None:
        name = item.name
        match = _ROW.fullmatch(entry.field)
        if name.startswith("row.") and match is not None:
            name = f"{match[1]}[{match[2]}].{name.removeprefix('row.')}"
        elif "." in name:
            table, column = name.split(".", maxsplit=1)
            rows = self.parts.ruleset.get("inputs", {}).get(table)
            ids = (
                None if rows is None else row_ids(tuple(reader(rows["from"])(self.contract) or ()))
            )
            if ids is None or len(ids[0]) != 1:
                return None
            name = f"{table}[{ids[0][0]}].{column}"
        deeper = self.entries.get(name)
        if deeper is not None:
            return self._given_for(deeper)
        fact = self._fact(name)
        if isinstance(fact, Quantity):
            return self._entered(fact)
        value = item.value
        return printing.figure(value, item.unit) if isinstance(value, Decimal) else None

    def _fact(self, name: str) -> Any:
        """What the contract says for an input of the rule set."""
        inputs = self.parts.ruleset.get("inputs", {})
        match = _ROW.fullmatch(name)
        if match is None:
            declared = inputs.get(name, {})
            return reader(declared["from"])(self.contract) if "from" in declared else None
        table, row_id, column = match.groups()
        declared = inputs.get(table, {})
        if column not in declared.get("columns", {}):
            return None
        path = declared["columns"][column].get("from", column)
        rows = reader(declared["from"])(self.contract) or ()
        found = dict(zip(row_ids(tuple(rows))[0], rows, strict=True)).get(row_id)
        return None if found is None else reader(path, type(found))(found)

    def _read_entered(self, written: str) -> str:
        try:
            return self._entered(parse_quantity(written))
        except QuantityError:
            return printing.text(written)

    # ---- parameters and units -------------------------------------------------------------------

    def _parameters(self) -> Data:
        """Every parameter as this case uses it."""
        own = self.parts.case.parameters
        written: Data = {}
        for name, raw in self.parts.ruleset.get("parameters", {}).items():
            field = f"parameters.{name}"
            value = own[name].value if name in own else self._in_force(raw)
            unit = _first(raw).get("unit")
            written[name] = self._parameter(value, unit, field)
        return written

    def _overrides(self) -> list[Data]:
        """The parameters that this case sets otherwise than its rule set, with their sources."""
        declared = self.parts.ruleset.get("parameters", {})
        rows: list[Data] = []
        for name, override in self.parts.case.parameters.items():
            if name not in declared:
                continue
            field = f"parameters.{name}"
            unit = _first(declared[name]).get("unit")
            label = _first(declared[name]).get("label") or printing.readable(name)
            rows.append(
                {
                    "id": name,
                    "serial": str(len(rows) + 1),
                    "label": leaf(printing.text(label), f"{field}.label"),
                    "value": self._parameter(override.value, unit, field),
                    "value_in_rules": self._parameter(
                        self._in_force(declared[name]), unit, f"{field}.value_in_rules"
                    ),
                    "source": self._plain(override.source, Leaf("text"), f"{field}.source"),
                }
            )
        return rows

    def _in_force(self, raw: Any) -> Any:
        as_of = self.parts.evaluation.as_of
        found = None
        for entry in raw if isinstance(raw, list) else [raw]:
            start, until = entry.get("from"), entry.get("until")
            if as_of is None or (
                (start is None or start <= as_of.isoformat())
                and (until is None or as_of.isoformat() <= until)
            ):
                found = entry.get("value")
        return found

    def _parameter(self, raw: Any, unit: str | None, field: str) -> Data:
        if raw is None:
            return leaf(NOT_KNOWN, field, known=False)
        quantity = quantity_from(raw, unit if unit != "number" else None)
        return leaf(self._entered(quantity), field)

    def _land_units(self) -> list[Data]:
        """Each local unit that the contract uses: its worth, in square metres too, and source."""
        found: dict[str, tuple[Unit, Quantity]] = {}
        for quantity in _quantities(self.contract):
            units = self.parts.units
            place = self.parts.place if quantity.place is None else units.place(quantity.place)
            for _, written in quantity.terms:
                resolved = None if written is None else units.resolve(written, place)
                if isinstance(resolved, Unit):
                    for name, _ in resolved.powers:
                        if name not in _WELL_KNOWN:
                            self._note_unit(found, name, quantity)
        rows = []
        for serial, (name, (unit, quantity)) in enumerate(found.items(), 1):
            field = f"land_units[{name}]"
            step = self.parts.units.convert(
                Quantity(((Decimal(1), unit.name),), quantity.place),
                "sqm" if unit.dimension == "area" else "m",
                self.parts.place,
            )
            metric = NOT_KNOWN
            if isinstance(step, Converted):
                metric = f"{plain(step.value.normalize(_EXACT))} {printing.unit_words(step.unit)}"
            rows.append(
                {
                    "id": name,
                    "serial": str(serial),
                    "unit": leaf(printing.text(name), f"{field}.unit"),
                    "entered": leaf(self._entered(quantity), f"{field}.entered"),
                    "definition": self._plain(
                        printing.definition(unit.definition), Leaf("text"), f"{field}.definition"
                    ),
                    "metric": leaf(
                        metric.replace(" ", printing.NO_BREAK),
                        f"{field}.metric",
                        known=isinstance(step, Converted),
                    ),
                    "source": self._plain(unit.source, Leaf("text"), f"{field}.source"),
                    "note": self._plain(unit.note, Leaf("text"), f"{field}.note"),
                }
            )
        return rows

    def _note_unit(
        self, found: dict[str, tuple[Unit, Quantity]], name: str, quantity: Quantity
    ) -> None:
        units = self.parts.units
        place = self.parts.place if quantity.place is None else units.place(quantity.place)
        unit = units.resolve(name, place)
        if isinstance(unit, Unit) and unit.dimension in {"area", "length"}:
            found.setdefault(name, (unit, quantity))

    # ---- firm, report, findings, evidence -------------------------------------------------------

    def _firm(self) -> Data:
        firm = self.parts.firm
        data: Data = {}
        for name in Firm.model_fields:
            value = None if firm is None else getattr(firm, name)
            field = f"firm.{name}"
            if name in {"address", "registration"}:
                data[name] = [
                    self._plain(item, Leaf("text"), f"{field}[{number}]")
                    for number, item in enumerate(value or (), 1)
                ]
                joined = ", ".join(item["text"] for item in data[name] if item["known"])
                data[f"{name}_text"] = leaf(joined, field) if joined else self._missing(field)
            elif name == "valuer":
                data[name] = {
                    key: self._plain(
                        None if value is None else getattr(value, key),
                        Leaf("text"),
                        f"{field}.{key}",
                    )
                    for key in Valuer.model_fields
                }
            elif name == "logo":
                data["logo_file"] = value
            else:
                data[name] = self._plain(value, Leaf("text"), field)
        return data

    def _report(self) -> Data:
        parts, contract = self.parts, self.contract
        evaluation, inputs = parts.evaluation, contract.valuation_inputs
        rules, profile = evaluation.ruleset, evaluation.profile
        text = Leaf("text")
        days = parts.firm.validity_days if parts.firm else None
        until = None
        if inputs.report_date is not None and days is not None:
            until = _day_after(inputs.report_date, days)
        title = parts.profile.title if parts.profile else None
        validity = None if days is None else f"{days}{printing.NO_BREAK}days"
        return {
            "number": self._plain(contract.meta.report_number, text, "contract.meta.report_number"),
            "version": self._plain(
                contract.meta.report_version, text, "contract.meta.report_version"
            ),
            "date": self._plain(inputs.report_date, text, "contract.valuation_inputs.report_date"),
            "digest": leaf(parts.digest, "bundle.digest"),
            "digest_short": leaf(parts.digest[:_DIGEST_SHOWN], "bundle.digest:short"),
            "validity": self._plain(validity, text, "report.validity"),
            "validity_until": self._plain(until, text, "report.validity_until"),
            "as_of": self._plain(evaluation.as_of, text, "report.as_of"),
            "ruleset": leaf(f"{rules.id}@{rules.version}", "report.ruleset"),
            "ruleset_title": self._plain(parts.ruleset.get("title"), text, "report.ruleset_title"),
            "profile": leaf(f"{profile.id}@{profile.version}", "report.profile"),
            "profile_title": self._plain(title, text, "report.profile_title"),
            "template_key": leaf(parts.template.key, "report.template_key"),
            "case": leaf(parts.case.case, "report.case"),
            "title": self._plain(parts.case.title, text, "report.title"),
            "source": self._plain(parts.case.source, text, "report.source"),
            "ready": self._plain(evaluation.readiness.ready, text, "report.ready"),
            "ready_code": evaluation.readiness.ready,
            "score": self._plain(evaluation.readiness.completeness_score, text, "report.score"),
        }

    def _acceptance(self, finding: Finding) -> Any:
        """Who takes responsibility for a finding; an acceptance without a row covers every row."""
        accepted = {
            (item.code if item.row is None else f"{item.code}[{item.row}]"): item
            for item in self.contract.accepted_findings or ()
        }
        return accepted.get(finding.code) or accepted.get(finding.code.partition("[")[0])

    def _accepted(self) -> list[Data]:
        rows: list[Data] = []
        for finding in self.parts.evaluation.findings:
            found = self._acceptance(finding)
            if found is not None:
                field = f"findings[{finding.code}]"
                rows.append(
                    self._finding(finding, len(rows) + 1)
                    | {
                        "name": self._plain(found.name, Leaf("text"), f"{field}.name"),
                        "reason": self._plain(found.reason, Leaf("text"), f"{field}.reason"),
                    }
                )
        return rows

    def _remaining(self) -> list[Data]:
        rows: list[Data] = []
        for finding in self.parts.evaluation.findings:
            settled = finding.outcome in {"pass", "not_applicable"}
            if not settled and self._acceptance(finding) is None:
                rows.append(self._finding(finding, len(rows) + 1))
        return rows

    def _finding(self, finding: Finding, serial: int) -> Data:
        field = f"findings[{finding.code}]"
        text = Leaf("text")
        return {
            "id": finding.code,
            "serial": str(serial),
            "code": leaf(finding.code, f"{field}.code"),
            "label": self._plain(printing.readable(finding.name.lower()), text, f"{field}.label"),
            "message": self._plain(finding.message, text, f"{field}.message"),
            "remedy": self._plain(finding.remedy, text, f"{field}.remedy"),
            "severity": leaf(finding.severity, f"{field}.severity"),
            "severity_code": finding.severity,
        }

    def _evidence(self) -> list[Data]:
        captions = {
            image.evidence: image.label
            for page in self.parts.annexures.pages
            for section in page.sections
            for image in section.images
        }
        text, words = Leaf("text"), Leaf("text", ("coded",))
        rows = []
        for serial, piece in enumerate(self.parts.case.evidence, 1):
            field = f"evidence[{piece.key}]"
            facts = piece.facts
            label = captions.get(piece.key) or piece.label or printing.readable(piece.key)
            at = piece.located_at or (facts and facts.located_at)
            where = None
            if at and at.latitude is not None and at.longitude is not None:
                where = _position(at.latitude, at.longitude)
            taken = piece.captured_at or (facts and facts.captured_at)
            category = piece.tags.get("category")
            rows.append(
                {
                    "id": piece.key,
                    "serial": str(serial),
                    "label": self._plain(label, text, f"{field}.label"),
                    "type": self._plain(piece.type, words, f"{field}.type"),
                    "type_code": piece.type,
                    "doc_type": self._plain(piece.doc_type, words, f"{field}.doc_type"),
                    "doc_type_code": piece.doc_type,
                    "category": self._plain(
                        category and printing.readable(category), text, f"{field}.category"
                    ),
                    "status": leaf(printing.readable(piece.status), f"{field}.status"),
                    "captured_at": self._plain(taken, text, f"{field}.captured_at"),
                    "position": self._plain(where, text, f"{field}.position"),
                }
            )
        return rows


def _amounts(value: Decimal, field: str) -> Data:
    return {
        "words": leaf(printing.amount_words(value), f"{field}:words"),
        "plain": leaf(printing.amount_plain(value), f"{field}:plain"),
        "short": leaf(printing.amount_short(value), f"{field}:short"),
    }


def _unknown_amounts(unknown: str, field: str) -> Data:
    return {suffix: leaf(unknown, f"{field}:{suffix}", known=False) for suffix in VARIANTS["money"]}


def _label(row: Data, row_id: str) -> str:
    """What a row without a label is called."""
    for name in _LABELS:
        item: Any = row.get(name)
        if is_leaf(item) and item["known"]:
            return str(item["text"])
    return f"No.{printing.NO_BREAK}{row_id}" if row_id.isdigit() else printing.readable(row_id)


def _one_term(quantity: Quantity | None) -> tuple[Decimal | None, str]:
    """A quantity's number and unit; an empty unit where they cannot be added to others."""
    if quantity is None or len(quantity.terms) != 1 or quantity.place or quantity.unit is None:
        return None, ""
    return quantity.value, quantity.unit


def _first(raw: Any) -> Mapping[str, Any]:
    """The oldest entry of a parameter's history."""
    found: Mapping[str, Any] = raw[0] if isinstance(raw, list) else raw
    return found


def _position(latitude: Decimal, longitude: Decimal) -> str:
    north = printing.coordinate(latitude, "N", "S")
    return f"{north}, {printing.coordinate(longitude, 'E', 'W')}"


def _day_after(start: date, days: int) -> date | None:
    try:
        return start + timedelta(days=days)
    except OverflowError:
        return None


def _flattened(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What stands at the ends of a checklist, with the keys on the way there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flattened(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value, 1):
            yield from _flattened(inner, (*path, str(number)))
    else:
        yield path, value


def _quantities(part: Any) -> Iterable[Quantity]:
    """Every quantity of a part of the contract."""
    if isinstance(part, Quantity):
        yield part
    elif isinstance(part, tuple | list):
        for inner in part:
            yield from _quantities(inner)
    elif hasattr(type(part), "model_fields"):
        for name in type(part).model_fields:
            if name not in _LEFT_OUT:
                yield from _quantities(getattr(part, name))
