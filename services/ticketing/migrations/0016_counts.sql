-- Worklists are counted from small indexes that hold only what is in them.
create index ticket_overdue on ticket (tenant_id, submitted_at desc, id desc) where overdue;
create index ticket_due on ticket (tenant_id, due_at) where due_at is not null and not overdue;
create index ticket_ordered on ticket (tenant_id, submitted_at desc, id desc) where supervision >= 3 and state not in (10, 11, 12, 13);
create index assignment_handler on assignment (tenant_id, handler_id, submitted_at desc, ticket_id desc) where handler_id is not null and state <> 5;
create index clock_called on clock (tenant_id, unit_id) where name = 'C8' and stopped_at is null;

-- When a clock was due before something moved it: figures as of a past day go by what was known then.
create table clock_past (
  tenant_id int4 not null,
  ticket_id uuid not null,
  name text not null,
  round int4 not null,
  until timestamptz not null,
  due_at timestamptz,
  primary key (tenant_id, ticket_id, name, round, until),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table clock_past is 'When clocks were due until they were moved; null while one stood still. append-only';
create index clock_past_by_due on clock_past (tenant_id, name, due_at);
alter table clock add column still bool not null default false;
comment on column clock.still is 'It stands still, or stood still when it was stopped: it owes nothing.';
update clock set still = true
where case when facts like '%"pauses":[[%' then (facts::json -> 'pauses' -> -1 ->> 1) is null else false end;
-- Their events are read again, for what moved their clocks.
update ticket t set counted = false where exists (select 1 from ticket_event e
  where e.tenant_id = t.tenant_id and e.ticket_id = t.id and e.verb in ('decide', 'resume', 'instruct', 'reckon'));

-- Live counters: what they count of the days that are over is added up once. Nothing is counted up by whoever changes a request.
create table fact_sum (
  tenant_id int4 not null,
  name text collate "C" not null,
  value int4 not null,
  count int8 not null,
  primary key (tenant_id, name, value)
);
comment on table fact_sum is 'How many facts of a name and a value all days that are over had; requests submitted are there as SUBMIT.';

create table fact_late (
  tenant_id int4 not null,
  id uuid not null,
  name text collate "C" not null,
  value int4 not null,
  day date not null,
  count int8 not null,
  primary key (tenant_id, id, name, value, day)
);
comment on table fact_late is 'What was written of days that may have been added up already: past requests that were loaded. Goes into fact_sum by and by.';

create table fact_until (
  tenant_id int4 not null,
  day date not null,
  primary key (tenant_id)
);
comment on table fact_until is 'Days before this one have been added up.';

insert into fact (tenant_id, ticket_id, version, place, name, value, at)
select tenant_id, ticket_id, version, 0, 'ACCEPT', 1, at from ticket_event where verb = 'accept' on conflict do nothing;
insert into fact (tenant_id, ticket_id, version, place, name, unit_id, value, at)
select r.tenant_id, r.ticket_id, r.version, 1, 'UNSOLVE', r.unit_id, 1, r.at from fact r
where r.name = 'REOPEN' and 1 = (select a.value from fact a where a.tenant_id = r.tenant_id and a.ticket_id = r.ticket_id
  and a.name = 'ARCHIVE' and a.version < r.version order by a.version desc limit 1)
on conflict do nothing;
