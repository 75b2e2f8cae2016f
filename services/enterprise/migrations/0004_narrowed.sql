alter table qualification add column revoked_on date;
alter table qualification add column revocation_reason text not null default '';
comment on column qualification.revoked_on is 'Day from which it was taken back; then it is valid_to too.';

create index presence_building on presence (tenant_id, building_id, enterprise_id);
