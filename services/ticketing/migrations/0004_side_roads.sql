-- What runs beside a request's main state, and clocks that keep their facts: what they were given, when they stood still.
alter table ticket add column machine text not null default 'default@1';
alter table ticket alter column machine drop default;
alter table ticket add column side text not null default '{}';
alter table ticket alter column side drop default;
alter table ticket add column supervision int2 not null default 0;
alter table ticket alter column supervision drop default;
alter table ticket add column excluded bool not null default false;
alter table ticket alter column excluded drop default;
alter table ticket add column waits int2[] not null default '{}';
alter table ticket alter column waits drop default;
alter table ticket add column archived_at timestamptz;
update ticket t set archived_at = (select min(e.at) from ticket_event e where e.tenant_id = t.tenant_id and e.ticket_id = t.id and e.state = 10)
where t.state = 10;
update ticket t set side = json_build_object(
  'visits', (select count(*) from clock c where c.tenant_id = t.tenant_id and c.ticket_id = t.id and c.name = 'C7'),
  'checked_in', (select coalesce(json_agg(i.user_id order by i.at, i.user_id), '[]'::json) from check_in i
    where i.tenant_id = t.tenant_id and i.ticket_id = t.id
      and i.visit = (select count(*) from clock c where c.tenant_id = t.tenant_id and c.ticket_id = t.id and c.name = 'C7')),
  'archived_at', to_char(t.archived_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'first_closed_at', to_char(t.archived_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text;
comment on column ticket.side is 'What runs beside the main state, as JSON; what lists and figures ask for has columns of its own.';
comment on column ticket.waits is 'Kinds of what was asked for and waits for a word.';
create index ticket_waits on ticket (tenant_id, submitted_at desc, id desc) where waits <> '{}';
create index ticket_archived on ticket (tenant_id, archived_at) where archived_at is not null;

alter table clock add column unit_id uuid;
alter table clock add column fires_at timestamptz;
alter table clock add column facts text not null default '';
alter table clock alter column facts drop default;
update clock c set
  fires_at = case when c.stopped_at is null and c.breached_at is null then c.due_at end,
  facts = json_build_object(
    'name', c.name, 'round', c.round,
    'started_at', to_char(c.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'due_at', to_char(c.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'provisional', c.provisional,
    'stopped_at', to_char(c.stopped_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'breached_at', to_char(c.breached_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'span', (select case
      when c.name = 'C1' then '{"natural": 600}'
      when c.name = 'C2' then '{"natural": 1800}'
      when c.name = 'C3' and t.urgency = 1 then '{"natural": 3600}'
      when c.name = 'C4' and t.urgency = 1 then '{"natural": 7200}'
      when c.name in ('C3', 'C4') then '{"work_seconds": 3600}'
      when c.name = 'C5' and t.urgency = 1 then '{"natural": 7200}'
      when c.name = 'C5' and t.urgency = 2 then '{"natural": 86400}'
      when c.name = 'C5' and c.round > 1 then '{"work_days": 3}'
      when c.name = 'C5' and t.urgency = 4 then '{"work_days": 15}'
      when c.name = 'C5' and t.kind = 1 then '{"work_days": 2}'
      when c.name = 'C6' then '{"work_seconds": 14400}'
      when c.name = 'C7' and t.danger then '{"natural": 1800}'
      when c.name = 'C7' then '{"work_seconds": 14400}'
      when c.name = 'C9' then '{"work_days": 1}'
      when c.name = 'C10' then '{"natural_days": 30}'
      else '{"work_days": 5}' end
      from ticket t where t.tenant_id = c.tenant_id and t.id = c.ticket_id)::json)::text;
drop index clock_due;
drop index clock_of_tenant;
create index clock_fires on clock (fires_at, tenant_id) where fires_at is not null;
create index clock_fires_of_tenant on clock (tenant_id, fires_at) where fires_at is not null;
comment on table clock is 'Promised times. swept: tenant_id, fires_at';
comment on column clock.fires_at is 'When it next has something to say: a warning, or that it ran out. Null while it stands still or is over.';
revoke select (due_at, stopped_at, breached_at) on clock from dt_ticketing_sweep;
