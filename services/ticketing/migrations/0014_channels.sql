-- Requests that came another way than by the requester's own hand, or of nobody's company.
comment on column ticket.enterprise_id is 'The company; the nil id for what concerns none.';
alter table ticket add column source int2 not null default 1;
comment on column ticket.source is 'The way it came, as in Ticket.Source. The default is for programs of before it was kept.';
alter table ticket add column caller bytea;
comment on column ticket.caller is 'Blind index of the number to contact: earlier requests of who calls. Null for those of before it was kept.';
create index ticket_caller on ticket (tenant_id, caller, submitted_at desc, id desc) where caller is not null;

create table channel (
  tenant_id int4 not null,
  id uuid not null,
  kind int2 not null,
  name text not null,
  account_id uuid not null,
  settings text not null,
  secret bytea not null,
  secret_hash bytea not null,
  open bool not null,
  version int8 not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, secret_hash)
);
comment on table channel is 'Ways in and out beside people''s own hands. Secrets are sealed; their hash finds the channel of an Open311 key.';

create table channel_message (
  tenant_id int4 not null,
  channel_id uuid not null,
  key text collate "C" not null,
  hash bytea not null,
  outcome int2 not null,
  ticket_id uuid,
  at timestamptz not null,
  primary key (tenant_id, channel_id, key),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
comment on table channel_message is 'What came in, each once; written in the transaction of its effect. swept: tenant_id, at';
create index channel_message_newest on channel_message (tenant_id, channel_id, at desc, key desc);
create index channel_message_old on channel_message (at, tenant_id);

create table channel_ticket (
  tenant_id int4 not null,
  ticket_id uuid not null,
  channel_id uuid not null,
  foreign_key text collate "C" not null,
  topic text collate "C" not null,
  submitted_at timestamptz not null,
  primary key (tenant_id, ticket_id),
  unique (tenant_id, channel_id, foreign_key),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
comment on table channel_ticket is 'Requests that a channel brought, with the name and the topic that they have there.';
create index channel_ticket_newest on channel_ticket (tenant_id, channel_id, submitted_at desc, ticket_id desc);

create table sighting (
  tenant_id int4 not null,
  channel_id uuid not null,
  key text collate "C" not null,
  type text collate "C" not null,
  latitude float8 not null,
  longitude float8 not null,
  confidence float8 not null,
  seen_at timestamptz not null,
  ticket_id uuid,
  primary key (tenant_id, channel_id, key),
  foreign key (tenant_id, channel_id) references channel (tenant_id, id)
);
comment on table sighting is 'What cameras saw, sure or not. swept: tenant_id, seen_at';
create index sighting_old on sighting (seen_at, tenant_id);
create index sighting_lately on sighting (tenant_id, channel_id, type, seen_at desc) where ticket_id is not null;

-- What happened before there was a channel concerns none.
insert into cursor (tenant_id, consumer, seq) select tenant_id, 'courses of the hotline''s requests', seq from log_head;
