-- Requests that came another way than by the requester's own hand, or of nobody's company.
alter table ticket alter column enterprise_id drop not null;
alter table ticket add column source int2 not null default 1;
alter table ticket alter column source drop default;
comment on column ticket.source is 'The way it came, as in Ticket.Source.';
alter table ticket add column caller bytea;
comment on column ticket.caller is 'Blind index of the number to contact: earlier requests of who calls. Null for those of before it was kept.';
create index ticket_caller on ticket (tenant_id, caller, submitted_at desc, id desc) where caller is not null;
