-- What goes out of the house, and is tried again until it has arrived.
create table delivery (
  tenant_id int4 not null,
  id uuid not null,
  route text collate "C" not null,
  body text not null,
  state int2 not null,
  attempts int4 not null,
  due_at timestamptz,
  error text not null,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id)
);
comment on table delivery is 'What goes out to other systems and to people, until it has arrived or was given up. swept: tenant_id, due_at, ended_at';
create index delivery_due on delivery (due_at, tenant_id) where due_at is not null;
create index delivery_due_of_tenant on delivery (tenant_id, due_at) where due_at is not null;
create index delivery_ended on delivery (ended_at, tenant_id) where ended_at is not null;
create index delivery_of_route on delivery (tenant_id, route, id desc);
create index delivery_given_up on delivery (tenant_id, id desc) where state = 3;
