-- Requests that were split off another.
alter table ticket add column parent_id uuid;
create index ticket_parts on ticket (tenant_id, parent_id) where parent_id is not null;
create index clock_by_stop on clock (tenant_id, stopped_at) where stopped_at is not null;
