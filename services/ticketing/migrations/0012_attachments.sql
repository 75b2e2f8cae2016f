create table attachment (
  tenant_id int4 not null,
  id uuid not null,
  ticket_id uuid,
  name text not null,
  kind int2 not null,
  state int2 not null,
  visibility int2 not null,
  content_type text not null,
  size_bytes int8 not null,
  stored_bytes int8 not null,
  held_bytes int8 not null,
  announced_sha256 text not null,
  sha256 text not null,
  scanned bool not null,
  thumbnail bool not null,
  reason text not null,
  uploader_id uuid not null,
  unit_id uuid,
  used bool not null,
  attempts int2 not null,
  due_at timestamptz,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table attachment is 'Photos, documents and recordings; their bytes are objects. A row goes after its objects. swept: tenant_id, due_at';
create index attachment_of_ticket on attachment (tenant_id, ticket_id, created_at, id);
create index attachment_loose on attachment (tenant_id, uploader_id) where ticket_id is null;
create index attachment_due on attachment (due_at, tenant_id) where due_at is not null;
create index attachment_due_of_tenant on attachment (tenant_id, due_at) where due_at is not null;

create table attachment_piece (
  tenant_id int4 not null,
  attachment_id uuid not null,
  start int8 not null,
  length int4 not null,
  object text not null,
  primary key (tenant_id, attachment_id, start),
  foreign key (tenant_id, attachment_id) references attachment (tenant_id, id)
);
comment on table attachment_piece is 'Pieces of uploads, until they are put together.';

create table attachment_quota (
  tenant_id int4 not null,
  bytes int8 not null,
  primary key (tenant_id)
);
comment on table attachment_quota is 'Bytes that the attachments of each district hold.';

alter table check_in add column photo_id uuid;
