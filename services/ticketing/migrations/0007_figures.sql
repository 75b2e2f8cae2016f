-- Facts with their times, from which any figure of any past day is computed; reports as they were published.
alter table ticket add column zone_id uuid;
alter table ticket add column counted bool not null default false;
alter table ticket alter column counted set default true;
comment on table ticket is 'Requests for help: what their events made of them. swept: tenant_id, counted, submitted_at';
comment on column ticket.counted is 'Its facts are kept; requests of before facts were kept are read again from their events.';
create index ticket_uncounted on ticket (submitted_at) where not counted;

create table fact (
  tenant_id int4 not null,
  ticket_id uuid not null,
  version int8 not null,
  place int2 not null,
  name text collate "C" not null,
  unit_id uuid,
  value int4 not null,
  at timestamptz not null,
  primary key (tenant_id, ticket_id, version, place),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table fact is 'What figures count: one row for each thing that happened. append-only';
create index fact_by_name on fact (tenant_id, name, at);
create index clock_by_due on clock (tenant_id, name, due_at);

create table report (
  tenant_id int4 not null,
  month text collate "C" not null,
  published_at timestamptz not null,
  published_by text not null,
  primary key (tenant_id, month)
);
comment on table report is 'Reports of months, published once. append-only';

create table report_figure (
  tenant_id int4 not null,
  month text collate "C" not null,
  place int2 not null,
  unit text collate "C" not null,
  code text not null,
  version int4 not null,
  numerator int8 not null,
  denominator int8 not null,
  numerator_all int8 not null,
  denominator_all int8 not null,
  primary key (tenant_id, month, place, unit),
  foreign key (tenant_id, month) references report (tenant_id, month)
);
comment on table report_figure is 'Figures as they were published. append-only';

create table report_row (
  tenant_id int4 not null,
  month text collate "C" not null,
  code text collate "C" not null,
  number int4 not null,
  ticket_id uuid not null,
  unit_id uuid,
  at timestamptz not null,
  counts bool not null,
  excluded bool not null,
  primary key (tenant_id, month, code, number),
  foreign key (tenant_id, month) references report (tenant_id, month)
);
comment on table report_row is 'The rows behind the figures as they were published. append-only';
