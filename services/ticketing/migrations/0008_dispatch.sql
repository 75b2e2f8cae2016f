-- Requests of a building, newest first: what looks the same is looked for among them.
create index ticket_building on ticket (tenant_id, building_id, submitted_at desc, id desc) where building_id is not null;
