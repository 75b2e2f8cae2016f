alter table tenant add column since timestamptz, add column reason text not null default '';
update tenant set since = created_at;
alter table tenant alter column since set not null;
create index tenant_resting on tenant (number) where state <> 1;
