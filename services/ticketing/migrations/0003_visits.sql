-- A request that is redone or sent back is visited again, and each visit has its own arrivals.
alter table check_in add column visit int4 not null default 1;
alter table check_in alter column visit drop default;
alter table check_in drop constraint check_in_pkey;
alter table check_in add primary key (tenant_id, ticket_id, visit, user_id);
comment on table check_in is 'Who arrived on site, once a person and visit.';
