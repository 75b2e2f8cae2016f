-- Requests of a zone, newest first.
create index ticket_zone on ticket (tenant_id, zone_id, submitted_at desc, id desc) where zone_id is not null;
