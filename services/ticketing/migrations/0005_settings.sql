create table setting (
  tenant_id int4 not null,
  kind int2 not null,
  number int4 not null,
  content text not null,
  published_by text not null,
  published_at timestamptz not null,
  applied_at timestamptz,
  primary key (tenant_id, kind, number)
);
comment on table setting is 'Versions of what a district sets: machine, promised times, calendar. swept: tenant_id, kind, published_at, applied_at';
create index setting_to_apply on setting (published_at) where applied_at is null;
