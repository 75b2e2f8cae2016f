-- Direct lines and calls, service days, discussions. Each has rows of its own; history, parties and clocks are kept the same way for all three.
create table direct_line (
  tenant_id int4 not null,
  id uuid not null,
  enterprise_id uuid,
  zone_id uuid,
  contact_id uuid not null,
  unit_id uuid not null,
  version int8 not null,
  set_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, enterprise_id),
  unique (tenant_id, zone_id)
);
comment on table direct_line is 'Whom a company, or the companies of a zone, may call directly.';
create index direct_line_unit on direct_line (tenant_id, unit_id, id);

create table direct_call (
  tenant_id int4 not null,
  id uuid not null,
  state int2 not null,
  ticket_id uuid,
  at timestamptz not null,
  facts text not null,
  version int8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, ticket_id),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table direct_call is 'Calls over direct lines. `at` is when one was opened.';
create index direct_call_newest on direct_call (tenant_id, at desc, id desc);
create index direct_call_state on direct_call (tenant_id, state, at desc, id desc);

create table service_day (
  tenant_id int4 not null,
  id uuid not null,
  state int2 not null,
  at timestamptz not null,
  facts text not null,
  version int8 not null,
  primary key (tenant_id, id)
);
comment on table service_day is 'Service days. `at` is when one begins.';
create index service_day_newest on service_day (tenant_id, at desc, id desc);
create index service_day_state on service_day (tenant_id, state, at desc, id desc);

create table service_day_invitation (
  tenant_id int4 not null,
  service_day_id uuid not null,
  enterprise_id uuid not null,
  enterprise_name text not null,
  reply int2 not null,
  people int4 not null,
  replied_by uuid,
  replied_at timestamptz,
  primary key (tenant_id, service_day_id, enterprise_id),
  foreign key (tenant_id, service_day_id) references service_day (tenant_id, id)
);
comment on table service_day_invitation is 'Companies invited to a service day, and what they said.';

create table service_day_demand (
  tenant_id int4 not null,
  service_day_id uuid not null,
  ticket_id uuid not null,
  desk int4 not null,
  settled bool not null,
  taken_at timestamptz not null,
  primary key (tenant_id, service_day_id, ticket_id),
  unique (tenant_id, ticket_id),
  foreign key (tenant_id, service_day_id) references service_day (tenant_id, id),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table service_day_demand is 'What companies brought to the desks of a service day: the request that was made of it. append-only';
create index service_day_demand_in_order on service_day_demand (tenant_id, service_day_id, taken_at, ticket_id);

create table discussion (
  tenant_id int4 not null,
  id uuid not null,
  state int2 not null,
  at timestamptz not null,
  facts text not null,
  version int8 not null,
  primary key (tenant_id, id)
);
comment on table discussion is 'One company, one discussion. `at` is when they meet.';
create index discussion_newest on discussion (tenant_id, at desc, id desc);
create index discussion_state on discussion (tenant_id, state, at desc, id desc);

create table outreach_party (
  tenant_id int4 not null,
  noun text collate "C" not null,
  party_id uuid not null,
  at timestamptz not null,
  subject_id uuid not null,
  state int2 not null,
  primary key (tenant_id, noun, party_id, at, subject_id)
);
comment on table outreach_party is 'Which units and companies see which call, day or discussion, in the order of its list, and how that stands.';
create index outreach_party_state on outreach_party (tenant_id, noun, party_id, state, at desc, subject_id desc);
create index outreach_party_subject on outreach_party (tenant_id, subject_id);

create table outreach_event (
  tenant_id int4 not null,
  subject_id uuid not null,
  version int8 not null,
  id uuid not null,
  verb text not null,
  actor text not null,
  unit_id uuid,
  text text not null,
  at timestamptz not null,
  primary key (tenant_id, subject_id, version, id)
);
comment on table outreach_event is 'What happened to calls, days and discussions. append-only';

create table outreach_due (
  tenant_id int4 not null,
  subject_id uuid not null,
  number int4 not null,
  noun text collate "C" not null,
  fires_at timestamptz,
  primary key (tenant_id, subject_id, number)
);
comment on table outreach_due is 'When the clocks of calls and of discussions'' tasks next have something to say; the clocks are among the facts. swept: tenant_id, fires_at';
create index outreach_due_fires on outreach_due (fires_at, tenant_id) where fires_at is not null;
create index outreach_due_fires_of_tenant on outreach_due (tenant_id, fires_at) where fires_at is not null;
