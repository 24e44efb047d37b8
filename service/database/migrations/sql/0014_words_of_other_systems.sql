-- Of a piece of evidence, as another system says it; neither proves anything.
alter table evidence_items
    add column file_ref text check (length(file_ref) between 1 and 1000),
    add column captured_by_employee_id uuid;
