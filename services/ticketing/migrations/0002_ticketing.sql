create table ticket (
  tenant_id int4 not null,
  id uuid not null,
  number text not null,
  state int2 not null,
  kind int2 not null,
  urgency int2 not null,
  title text not null,
  description text not null,
  enterprise_id uuid not null,
  enterprise_name text not null,
  building_id uuid,
  latitude float8,
  longitude float8,
  place text not null,
  contact_name bytea not null,
  contact_phone bytea not null,
  requester_id uuid not null,
  lead_unit_id uuid,
  result int2 not null,
  result_text text not null,
  score int2 not null,
  return_count int2 not null,
  redo_count int2 not null,
  arbitrated bool not null,
  danger bool not null,
  imported bool not null,
  refuse_reason int2 not null,
  handled_by uuid[] not null,
  unreached text[] not null,
  last_callback int2 not null,
  urged_at timestamptz,
  due_at timestamptz,
  overdue bool not null,
  version int8 not null,
  submitted_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, number)
);
comment on table ticket is 'Requests for help: what their events made of them.';
create index ticket_newest on ticket (tenant_id, submitted_at desc, id desc);
create index ticket_state on ticket (tenant_id, state, submitted_at desc, id desc);
create index ticket_enterprise on ticket (tenant_id, enterprise_id, submitted_at desc, id desc);
create index ticket_lead on ticket (tenant_id, lead_unit_id, submitted_at desc, id desc);

create table ticket_event (
  tenant_id int4 not null,
  ticket_id uuid not null,
  version int8 not null,
  verb text not null,
  state int2 not null,
  actor text not null,
  unit_id uuid,
  text text not null,
  facts text not null,
  at timestamptz not null,
  primary key (tenant_id, ticket_id, version),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table ticket_event is 'What happened to each request; reading it again makes the row again. append-only';

create table assignment (
  tenant_id int4 not null,
  ticket_id uuid not null,
  unit_id uuid not null,
  kind int2 not null,
  state int2 not null,
  handler_id uuid,
  primary key (tenant_id, ticket_id, unit_id),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table assignment is 'Each unit''s part in a request.';
create index assignment_unit on assignment (tenant_id, unit_id, ticket_id);

create table clock (
  tenant_id int4 not null,
  ticket_id uuid not null,
  name text not null,
  round int4 not null,
  started_at timestamptz not null,
  due_at timestamptz not null,
  provisional bool not null,
  stopped_at timestamptz,
  breached_at timestamptz,
  policy text not null,
  primary key (tenant_id, ticket_id, name, round),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table clock is 'Promised times. swept: tenant_id, due_at, stopped_at, breached_at';
create index clock_due on clock (due_at, tenant_id) where stopped_at is null and breached_at is null;
create index clock_of_tenant on clock (tenant_id, due_at) where stopped_at is null and breached_at is null;

create table check_in (
  tenant_id int4 not null,
  ticket_id uuid not null,
  user_id uuid not null,
  unit_id uuid not null,
  latitude float8 not null,
  longitude float8 not null,
  distance_m int4,
  clock_skewed bool not null,
  at timestamptz not null,
  primary key (tenant_id, ticket_id, user_id),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table check_in is 'Who arrived on site, once a person.';

create table ticket_number (
  tenant_id int4 not null,
  day date not null,
  next int4 not null,
  primary key (tenant_id, day)
);
comment on table ticket_number is 'The next block of numbers of each day.';

create table service_window (
  tenant_id int4 not null,
  id uuid not null,
  number int4 not null,
  name text not null,
  item_group text not null,
  primary key (tenant_id, id),
  unique (tenant_id, number)
);
comment on table service_window is 'Windows of the service centre.';

create table item (
  tenant_id int4 not null,
  id uuid not null,
  code text not null,
  name text not null,
  kind int2 not null,
  item_group text not null,
  unit_id uuid not null,
  legal_days int4 not null,
  promised_days int4 not null,
  materials text[] not null,
  primary key (tenant_id, id),
  unique (tenant_id, code)
);
comment on table item is 'The service catalog.';
