"""The canonical contract: every fact of a valuation assignment, as entered.

Field names of the original system are kept; what real reports need beside them is added
(docs/reading-input.md). A contract holds facts and choices, never a result:
`computed_values` is written by an evaluation and ignored when read.

Absent and null mean the same here: not known. A list that is absent is not known, an empty one
says that there is none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from contracts.dates import Day, Moment
from contracts.quantities import (
    Area,
    Length,
    Measure,
    Money,
    Percent,
    QuantityError,
    Rate,
    RatePerSqm,
    Years,
    check_number,
    parse_number,
    plain,
)

Text = Annotated[str, StringConstraints(max_length=4_000)]
LongText = Annotated[str, StringConstraints(max_length=40_000)]
#: Addresses a row of a table: `floors[house].net`.
RowId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


def _exact(raw: Any) -> Decimal:
    try:
        if isinstance(raw, str):
            return parse_number(raw)
        if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
            return check_number(Decimal(raw), str(raw))
    except QuantityError as error:
        raise PydanticCustomError("number", "{reason}", {"reason": str(error)}) from None
    raise PydanticCustomError("number", "a number is written plainly, such as 1250.50")


def _whole(raw: Any) -> Any:
    if isinstance(raw, bool):
        raise PydanticCustomError("number", "true and false are not numbers")
    return raw


Number = Annotated[Decimal, BeforeValidator(_exact)]
WholeNumber = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[WholeNumber, Field(ge=0, le=100_000)]
Year = Annotated[WholeNumber, Field(ge=1500, le=2200)]
#: true or false; "no" in quotes is a text.
Flag = Annotated[bool, Strict()]


def _without_numbers(raw: Any) -> Any:
    """Ticks and remarks as they stand; a number among them is kept as the text it is written in."""
    if isinstance(raw, dict):
        return {key: _without_numbers(inner) for key, inner in raw.items()}
    if isinstance(raw, list | tuple):
        return [_without_numbers(inner) for inner in raw]
    if raw is None or isinstance(raw, str | bool):
        return raw
    return plain(_exact(raw))


#: A mapping that a bank's checklist shapes, of texts, ticks, lists and mappings.
Checklist = Annotated[dict[str, Any], BeforeValidator(_without_numbers)]

ReportType = Literal["VALUATION", "DPR", "REVALUATION", "STAGE_PROGRESS"]
BankType = Literal["SBI", "PSU_GENERIC", "COOP", "AGRI", "OTHER"]
ValueSlab = Literal["LT_5CR", "GT_5CR", "UNKNOWN"]
TemplateSelector = Literal[
    "SBI_FORMAT_A", "BOI_PSU_GENERIC", "COOP_GENERIC", "AGRI_GENERIC", "UNKNOWN"
]
PropertyKind = Literal["LAND_BUILDING", "LAND", "FLAT", "SHOP", "AGRICULTURAL", "INDUSTRIAL"]


class Part(BaseModel):
    """A part of the contract: unknown fields are refused, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="rust-regex")


class Row(Part):
    """A row of a table; without an `id` it is addressed by its number, from 1."""

    id: RowId | None = None
    label: Text | None = None


class Meta(Part):
    """What kind of report, for what kind of bank."""

    report_type: ReportType
    bank_type: BankType | None = None
    value_slab: ValueSlab | None = None
    template_selector: TemplateSelector | None = None
    purpose: Text | None = None
    report_number: Text | None = None
    report_version: Count | None = None
    external_inspection_only: Flag | None = None
    npa_account: Flag | None = None


class OwnerShare(Row):
    """One owner and the share held."""

    name: Text
    share_percent: Percent | None = None


class Party(Part):
    """Who asked, who owns, who values."""

    borrower_name: Text | None = None
    owner_name: Text | None = None
    purchaser_name: Text | None = None
    client_name: Text | None = None
    bank_name: Text | None = None
    bank_branch_name: Text | None = None
    bank_branch_code: Text | None = None
    bank_branch_address: Text | None = None
    addressee: Text | None = None
    valuer_id: Text | None = None
    valuer_name: Text | None = None
    valuer_registration: Text | None = None
    second_valuer_name: Text | None = None
    second_valuer_registration: Text | None = None
    engineer_id: Text | None = None
    application_no: Text | None = None
    contact_phone: Text | None = None
    owners: tuple[OwnerShare, ...] | None = None
    persons_accompanying: tuple[Text, ...] | None = None


class Parcel(Row):
    """A piece of land: its extent by deed, measurement and plan, its dimensions and rate."""

    survey_no: Text | None = None
    deed: Area | None = None
    measured: Area | None = None
    plan: Area | None = None
    length: Length | None = None
    width: Length | None = None
    rate: Rate | None = None
    land_class: Text | None = None


class Floor(Row):
    """A floor or block: plinth area, age, life, rate, and how far it is built."""

    area: Area | None = None
    plinth: Area | None = None
    plan: Area | None = None
    carpet: Area | None = None
    length: Length | None = None
    width: Length | None = None
    roof_height: Length | None = None
    roof: Text | None = None
    use: Text | None = None
    year_built: Year | None = None
    age: Years | None = None
    residual: Years | None = None
    life: Years | None = None
    rate: Rate | None = None
    salvage_percent: Percent | None = None
    depreciation_percent: Percent | None = None
    stage: Text | None = None
    done_percent: Percent | None = None
    recommended_percent: Percent | None = None


class Flat(Row):
    """A unit valued by a composite rate."""

    door_no: Text | None = None
    floor_no: Text | None = None
    tower: Text | None = None
    area: Area | None = None
    area_basis: Literal["CARPET", "BUILT_UP", "SUPER_BUILT_UP", "SALEABLE"] | None = None
    carpet: Area | None = None
    built_up: Area | None = None
    saleable: Area | None = None
    undivided_share: Area | None = None
    undivided_share_percent: Percent | None = None
    rate: Rate | None = None
    building_rate: Rate | None = None
    age: Years | None = None
    life: Years | None = None
    salvage_percent: Percent | None = None
    rooms: Text | None = None
    quality: Text | None = None
    maintenance_charge: Money | None = None


class AgriculturalParcel(Row):
    """A piece of farm land."""

    survey_no: Text | None = None
    revenue_record: Text | None = None
    land_class: Literal["WET", "DRY", "GARDEN", "PLANTATION", "PASTURE"] | None = None
    area: Area | None = None
    measured: Area | None = None
    rate: Rate | None = None
    soil: Text | None = None
    crop: Text | None = None
    crops_a_year: Count | None = None
    irrigation: Text | None = None
    land_revenue: Money | None = None


class Trees(Row):
    """Trees of one kind."""

    kind: Text | None = None
    count: Count | None = None
    age: Years | None = None
    amount_each: Money | None = None


class Agriculture(Part):
    """What an agricultural report says beyond the land itself."""

    parcels: tuple[AgriculturalParcel, ...] | None = None
    trees: tuple[Trees, ...] | None = None
    water_source: Text | None = None
    approach_road: Text | None = None
    distance_to_town: Text | None = None
    conversion_potential: Text | None = None
    transfer_restriction: Text | None = None
    mutation: Text | None = None
    encumbrance: Text | None = None


class Boundary(Part):
    """One side: what the deed says, what is there."""

    deed: Text | None = None
    actual: Text | None = None


class Boundaries(Part):
    """The four sides and whether they agree."""

    north: Boundary | None = None
    south: Boundary | None = None
    east: Boundary | None = None
    west: Boundary | None = None
    match: Flag | None = None


class DocumentSeen(Row):
    """A document the valuer saw, with who approved it and when."""

    kind: Text | None = None
    seen: Flag | None = None
    authority: Text | None = None
    number: Text | None = None
    dated: Day | None = None
    valid_until: Day | None = None


class Coordinates(Part):
    """Degrees north and east, as read at the site."""

    latitude: Number | None = None
    longitude: Number | None = None


class Tenancy(Part):
    """Who occupies, at what rent, on what lease."""

    occupancy: Literal["OWNER", "TENANT", "VACANT", "PARTLY_LET"] | None = None
    tenant_name: Text | None = None
    relation: Text | None = None
    years_of_occupancy: Years | None = None
    monthly_rent: Money | None = None
    expected_rent: Money | None = None
    lease_total: Years | None = None
    lease_remaining: Years | None = None
    lease_start: Day | None = None


class Property(Part):
    """The property itself."""

    kind: PropertyKind | None = None
    address: Text | None = None
    landmark: Text | None = None
    city: Text | None = None
    ward: Text | None = None
    taluk: Text | None = None
    village: Text | None = None
    district: Text | None = None
    state: Text | None = None
    pin_code: Text | None = None
    door_no: Text | None = None
    plot_no: Text | None = None
    survey_no: Text | None = None
    cts_no: Text | None = None
    khata_no: Text | None = None
    local_body: Text | None = None
    tenure: Literal["FREEHOLD", "LEASEHOLD"] | None = None
    land_use: Text | None = None
    locality_class: Text | None = None
    independent_access: Flag | None = None
    plot_demarcated: Flag | None = None
    violations: Text | None = None
    land_area: Area | None = None
    built_up_area: Area | None = None
    permitted_built_up_area: Area | None = None
    carpet_area: Area | None = None
    saleable_area: Area | None = None
    structure: Text | None = None
    year_built: Year | None = None
    age: Years | None = None
    residual: Years | None = None
    life: Years | None = None
    total_floors: Count | None = None
    rooms: dict[Text, Count] | None = None
    parcels: tuple[Parcel, ...] | None = None
    floors: tuple[Floor, ...] | None = None
    flats: tuple[Flat, ...] | None = None
    agriculture: Agriculture | None = None
    boundaries: Boundaries | None = None
    documents: tuple[DocumentSeen, ...] | None = None
    coordinates: Coordinates | None = None
    tenancy: Tenancy | None = None
    site: dict[Text, Text] | None = None
    specification: dict[Text, Text] | None = None


class Guideline(Row):
    """A slab of the registrar's guideline value: area and rate, or the stated value."""

    area: Area | None = None
    rate: Rate | None = None
    value: Money | None = None
    zone: Text | None = None
    authority: Text | None = None


class Item(Row):
    """An extra item, amenity, miscellaneous item or service, with its amount."""

    amount: Money | None = None
    remark: Text | None = None


class SaleInstance(Row):
    """A comparable sale."""

    location: Text | None = None
    sold_on: Day | None = None
    area: Area | None = None
    rate: Rate | None = None
    amount: Money | None = None
    source: Text | None = None


class ValuationInputs(Part):
    """Rates, areas' rates and figures that the valuation starts from."""

    guideline_rate_per_sqm: RatePerSqm | None = None
    guideline_rate_input: Rate | None = None
    market_rate_input: Rate | None = None
    adopted_rate_input: Rate | None = None
    building_rate: Rate | None = None
    land_value: Money | None = None
    building_value: Money | None = None
    fmv_input: Money | None = None
    market_total_value_input: Money | None = None
    adopted_total_value_input: Money | None = None
    forced_sale_value: Money | None = None
    purchase_price: Money | None = None
    stamp_duty: Money | None = None
    insurable_area: Area | None = None
    insurable_rate: Rate | None = None
    user_input_units: Text | None = None
    depreciation_percent: Percent | None = None
    guideline_screenshot_present: Flag | None = None
    guideline_value: Money | None = None
    guideline: tuple[Guideline, ...] | None = None
    extras: tuple[Item, ...] | None = None
    amenities: tuple[Item, ...] | None = None
    miscellaneous: tuple[Item, ...] | None = None
    services: tuple[Item, ...] | None = None
    abstract: tuple[Item, ...] | None = None
    sale_instances: tuple[SaleInstance, ...] | None = None
    market_rate_range: tuple[Rate, Rate] | None = None
    rate_remark: Text | None = None
    inspection_date: Day | None = None
    valuation_date: Day | None = None
    report_date: Day | None = None
    appointment_date: Day | None = None
    inspection_dates_mentioned: tuple[Day, ...] | None = None


class StageItem(Row):
    """A part of the work by the lender's list, and how much of it is done."""

    item: Text
    done: Percent | None = None


class Stage(Part):
    """Progress of a construction."""

    description: Text | None = None
    done_percent: Percent | None = None
    recommended_percent: Percent | None = None
    items: tuple[StageItem, ...] | None = None
    insurable_area: Area | None = None
    insurable_rate: Rate | None = None
    estimate: Money | None = None
    estimate_reasonable: Flag | None = None
    plan_approved: Flag | None = None
    plinth_as_plan: Area | None = None
    plinth_at_site: Area | None = None


class CostHead(Row):
    """A head of a project's cost, or a means of its finance."""

    amount: Money | None = None


class Projection(Row):
    """One year of a project's projections."""

    year: Text
    revenue: Money | None = None
    expenses: Money | None = None
    interest: Money | None = None
    repayment: Money | None = None
    depreciation: Money | None = None
    tax: Money | None = None


class Project(Part):
    """A detailed project report."""

    summary: LongText | None = None
    promoters: LongText | None = None
    product: LongText | None = None
    market: LongText | None = None
    technical: LongText | None = None
    schedule: LongText | None = None
    risks: LongText | None = None
    clearances: LongText | None = None
    cost: tuple[CostHead, ...] | None = None
    means_of_finance: tuple[CostHead, ...] | None = None
    projections: tuple[Projection, ...] | None = None
    cost_total: Money | None = None


class PreviousValuation(Part):
    """The report that a revaluation follows."""

    report_number: Text | None = None
    valued_on: Day | None = None
    fmv: Money | None = None
    rate: Rate | None = None
    area: Area | None = None
    changes: Text | None = None
    rate_change_reason: Text | None = None


class GroupHint(Part):
    """How many pictures a page may hold."""

    min: Annotated[WholeNumber, Field(ge=1, le=4)] | None = None
    max: Annotated[WholeNumber, Field(ge=2, le=4)] | None = None
    preferred: Annotated[WholeNumber, Field(ge=2, le=4)] | None = None


class AnnexureItem(Part):
    """A picture or document in the annexures."""

    evidence_item_id: Text
    label: Text | None = None
    category: Text | None = None
    sort_order: Count | None = None
    group_hint: GroupHint | None = None


class ImageGrouping(Part):
    """Fewest and most pictures on a page."""

    min: Annotated[WholeNumber, Field(ge=1, le=4)] = 2
    max: Annotated[WholeNumber, Field(ge=2, le=4)] = 4


class Annexures(Part):
    """The pictures' order, and how they share pages."""

    items: tuple[AnnexureItem, ...] | None = None
    image_grouping_default: ImageGrouping | None = None


class ManualFields(Part):
    """What stays a person's: ticks, enclosures, reasons."""

    enclosures_text: LongText | None = None
    checklist_json: Checklist | None = None
    justification_text: LongText | None = None
    assumptions_text: LongText | None = None
    marketability_text: LongText | None = None
    remarks_text: LongText | None = None
    project_summary: LongText | None = None
    project_cost_total: Money | None = None
    means_of_finance: LongText | None = None
    stage_notes: LongText | None = None


class Stated(Row):
    """A figure that the report's draft states, to be checked against the computed one."""

    field: Text
    amount: Measure
    words: Text | None = None


class AcceptedFinding(Part):
    """A finding that a person takes responsibility for."""

    code: Text
    row: RowId | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class StandardizedRates(Part):
    """Rates per square metre."""

    guideline_rate_per_sqm: RatePerSqm | None = None
    market_rate_per_sqm: RatePerSqm | None = None
    adopted_rate_per_sqm: RatePerSqm | None = None


class StandardizedAreas(Part):
    """Areas in square metres."""

    land_area_sqm: Number | None = None
    built_up_area_sqm: Number | None = None


class ComputedValues(Part):
    """What an evaluation found; ignored when a contract is read."""

    FMV: Money | None = None
    realizable_value: Money | None = None
    distress_value: Money | None = None
    coop_market_value: Money | None = None
    coop_adopted_value: Money | None = None
    rounded_to_next_500: Money | None = None
    standardized_rates: StandardizedRates | None = None
    standardized_areas: StandardizedAreas | None = None


class Audit(Part):
    """Who wrote which version; never part of a bundle's payload."""

    snapshot_version: Count | None = None
    created_by: Text | None = None
    created_at: Moment | None = None


class Contract(Part):
    """A valuation assignment's facts."""

    meta: Meta
    party: Party = Party()
    property: Property = Property()
    valuation_inputs: ValuationInputs = ValuationInputs()
    stage: Stage | None = None
    project: Project | None = None
    previous_valuation: PreviousValuation | None = None
    stated: tuple[Stated, ...] | None = None
    accepted_findings: tuple[AcceptedFinding, ...] | None = None
    computed_values: ComputedValues | None = None
    annexures: Annexures = Annexures()
    manual_fields: ManualFields = ManualFields()
    audit: Audit | None = None
