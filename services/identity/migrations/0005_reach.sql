-- How people are reached beside the inbox.
create table reach (
  tenant_id int4 not null,
  user_id uuid not null,
  means int2 not null,
  address bytea not null,
  address_index bytea not null,
  since timestamptz not null,
  primary key (tenant_id, user_id, means),
  unique (tenant_id, means, address_index),
  foreign key (tenant_id, user_id) references user_account (tenant_id, id)
);
comment on table reach is 'Addresses that were proved to be a person''s, sealed; one is one person''s.';

create table reach_code (
  tenant_id int4 not null,
  user_id uuid not null,
  means int2 not null,
  hash bytea not null,
  address bytea not null,
  failures int2 not null,
  begun int2 not null,
  begun_since timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, user_id, means),
  unique (tenant_id, hash),
  foreign key (tenant_id, user_id) references user_account (tenant_id, id)
);
comment on table reach_code is 'Codes that prove an address, hashed. swept: tenant_id, expires_at';
create index reach_code_end on reach_code (expires_at, tenant_id);

create table preference (
  tenant_id int4 not null,
  user_id uuid not null,
  content text not null,
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id) references user_account (tenant_id, id)
);
comment on table preference is 'What a person wishes of notices, as JSON; who never said anything has the platform''s.';

create table sender (
  tenant_id int4 not null,
  means int2 not null,
  settings text not null,
  secrets bytea not null,
  open bool not null,
  version int8 not null,
  primary key (tenant_id, means)
);
comment on table sender is 'By which account a district reaches people. Secrets are sealed.';

create table wechat_message (
  tenant_id int4 not null,
  key text collate "C" not null,
  reply bytea not null,
  at timestamptz not null,
  primary key (tenant_id, key)
);
comment on table wechat_message is 'What people wrote, each once, with what was answered, sealed. swept: tenant_id, at';
create index wechat_message_at on wechat_message (at, tenant_id);
