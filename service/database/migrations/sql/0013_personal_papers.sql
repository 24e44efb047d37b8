-- Identity papers and deeds are guarded by what they are, not only because somebody said so.
--   said: by whoever uploaded or described the document; kind: raised, because of what it is;
--   decided: lowered by somebody with the right to it and a reason, so that it is not raised again.
-- What is 'kind' is not part of a bundle: it says nothing that the kind does not say.
alter table documents add column sensitivity_by text not null default 'said'
    check (sensitivity_by in ('said', 'kind', 'decided'));

-- What is there already; the kinds are those of service/evidence/guarding.py on the day of this
-- migration. Row-level security is forced upon the owner too, and a migration is of no tenant.
alter table documents no force row level security;
alter table evidence_items no force row level security;
update documents d set sensitivity = 'pii', sensitivity_by = 'kind', version = version + 1
where d.status in ('pending', 'uploaded', 'deleted') and d.sensitivity in ('public', 'internal')
    and (d.classification in ('bank_kyc', 'legal') or exists (
        select from evidence_items i where i.tenant_id = d.tenant_id
            and i.document_id = d.document_id and i.doc_type in ('ID_PROOF', 'SALE_DEED')));
alter table documents force row level security;
alter table evidence_items force row level security;
