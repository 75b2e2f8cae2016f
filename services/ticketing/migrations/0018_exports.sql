create table export (
  tenant_id int4 not null,
  id uuid not null,
  user_id uuid not null,
  slot int2,
  what int2 not null,
  filter text not null,
  purpose text not null,
  units uuid[],
  unmasked bool not null,
  english bool not null,
  state int2 not null,
  reason text not null,
  total int4 not null,
  rows int4 not null,
  bytes int8 not null,
  pieces text[] not null,
  last_at timestamptz,
  last_id uuid,
  attempts int2 not null,
  due_at timestamptz,
  created_at timestamptz not null,
  finished_at timestamptz,
  expires_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, user_id, slot)
);
comment on table export is 'Exports; their bytes are objects. swept: tenant_id, due_at, created_at';
comment on column export.slot is 'Which of the two places of a person it takes while it runs; null when it does not.';
comment on column export.units is 'Units whose requests it reaches; null for the whole district.';
comment on column export.pieces is 'Objects that count, in order.';
comment on column export.last_id is 'With last_at the last row that was written: the next piece goes on after it.';
create index export_of_user on export (tenant_id, user_id, created_at desc, id desc);
create index export_due on export (due_at, tenant_id) where due_at is not null;
create index export_due_of_tenant on export (tenant_id, due_at) where due_at is not null;
create index export_old on export (created_at, tenant_id);
