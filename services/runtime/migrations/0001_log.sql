-- Tables that every service has in its own schema: the log and what stands around it.
create table outbox (
  tenant_id int4 not null,
  id uuid not null,
  type text not null,
  subject text not null,
  version int8 not null,
  payload text not null,
  actor text not null,
  at timestamptz not null,
  traceparent text not null,
  notify text not null,
  primary key (tenant_id, id)
);
comment on table outbox is 'Events on their way from a transaction to the log. swept: tenant_id';

create table log_head (
  tenant_id int4 not null primary key,
  seq int8 not null,
  hash bytea not null,
  moved_at timestamptz not null,
  fence int8 not null
);
comment on table log_head is 'Where each district''s log ends. swept: tenant_id, seq, moved_at';
create index log_head_moved on log_head (moved_at);

create table log (
  tenant_id int4 not null,
  seq int8 not null,
  prev bytea not null,
  hash bytea not null,
  id uuid not null,
  type text not null,
  subject text not null,
  version int8 not null,
  payload text not null,
  actor text not null,
  at timestamptz not null,
  traceparent text not null,
  notify text not null,
  moved_at timestamptz not null,
  primary key (tenant_id, seq, moved_at)
) partition by range (moved_at);
comment on table log is 'The log: dense numbers, hash chain. append-only';
create table log_2026 partition of log for values from ('2026-01-01 00:00+08') to ('2027-01-01 00:00+08');
create table log_2027 partition of log for values from ('2027-01-01 00:00+08') to ('2028-01-01 00:00+08');
create table log_2028 partition of log for values from ('2028-01-01 00:00+08') to ('2029-01-01 00:00+08');
create table log_rest partition of log default;

create table cursor (
  tenant_id int4 not null,
  consumer text not null,
  seq int8 not null,
  primary key (tenant_id, consumer)
);
comment on table cursor is 'How far each consumer has read; moves in the transaction of its effect.';

create table dead_letter (
  tenant_id int4 not null,
  consumer text not null,
  seq int8 not null,
  event_id text not null,
  error text not null,
  primary key (tenant_id, consumer, seq)
);
comment on table dead_letter is 'Events set aside after eight attempts.';

create table request_key (
  tenant_id int4 not null,
  principal text not null,
  key text not null,
  hash bytea not null,
  answer bytea not null,
  at timestamptz not null,
  primary key (tenant_id, principal, key)
);
comment on table request_key is 'Idempotency keys with the answers they were given; written in the transaction of the effect. swept: tenant_id, at';
create index request_key_at on request_key (at, tenant_id);

create table lease (
  name text not null primary key,
  holder text not null,
  fence int8 not null,
  until timestamptz not null
);
comment on table lease is 'Who does what only one may do at a time. beyond tenants';

create table data_key (
  tenant_id int4 not null primary key,
  salt bytea not null
);
comment on table data_key is 'Salt of the district''s data key; destroy it and everything sealed with it is gone.';
