-- A unit's list is read in its order from an index; its open work, however much is done, from a small one.
alter table assignment add column submitted_at timestamptz;
update assignment a set submitted_at = (select t.submitted_at from ticket t where t.tenant_id = a.tenant_id and t.id = a.ticket_id);
alter table assignment alter column submitted_at set not null;
comment on column assignment.submitted_at is 'Of the request, which never changes: a unit''s list is in this order.';
create index assignment_newest on assignment (tenant_id, unit_id, submitted_at desc, ticket_id desc);
create index assignment_open on assignment (tenant_id, unit_id, submitted_at desc, ticket_id desc) where state <> 5;
drop index assignment_unit;
create index ticket_requester on ticket (tenant_id, requester_id, submitted_at desc, id desc);
