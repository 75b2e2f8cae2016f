create table rating_invitation (
  tenant_id int4 not null,
  ticket_id uuid not null,
  hash bytea not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (tenant_id, ticket_id),
  unique (tenant_id, hash),
  foreign key (tenant_id, ticket_id) references ticket (tenant_id, id)
);
comment on table rating_invitation is 'Invitations to rate without signing in, hashed; each is good once. swept: tenant_id, expires_at';
create index rating_invitation_by_end on rating_invitation (tenant_id, expires_at);
