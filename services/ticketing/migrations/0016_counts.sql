-- Worklists are counted from small indexes that hold only what is in them.
create index ticket_overdue on ticket (tenant_id, submitted_at desc, id desc) where overdue;
create index ticket_due on ticket (tenant_id, due_at) where due_at is not null and not overdue;
create index ticket_ordered on ticket (tenant_id, submitted_at desc, id desc) where supervision >= 3 and state not in (10, 11, 12, 13);
create index assignment_handler on assignment (tenant_id, handler_id, submitted_at desc, ticket_id desc) where handler_id is not null and state <> 5;
create index clock_called on clock (tenant_id, unit_id) where name = 'C8' and stopped_at is null;
