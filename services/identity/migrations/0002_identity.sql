create table tenant (
  number int4 primary key,
  code text not null unique,
  name text not null,
  name_en text not null,
  host text not null unique,
  state int2 not null,
  created_at timestamptz not null
);
comment on table tenant is 'Districts. beyond tenants';

create table unit (
  tenant_id int4 not null,
  id uuid not null,
  parent_id uuid,
  code text not null,
  name text not null,
  kind int2 not null,
  active bool not null,
  version int8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, code),
  foreign key (tenant_id, parent_id) references unit (tenant_id, id)
);
comment on table unit is 'Units of a district, a tree.';
create index unit_parent on unit (tenant_id, parent_id);

create table user_account (
  tenant_id int4 not null,
  id uuid not null,
  login text not null,
  name text not null,
  phone bytea not null,
  unit_id uuid,
  enterprise_id uuid,
  password text not null,
  active bool not null,
  version int8 not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, login),
  foreign key (tenant_id, unit_id) references unit (tenant_id, id)
);
comment on table user_account is 'People who may sign in. The phone is sealed, the password hashed.';
create index user_account_unit on user_account (tenant_id, unit_id);

create table assignment (
  tenant_id int4 not null,
  id uuid not null,
  user_id uuid not null,
  role int2 not null,
  node_id uuid,
  exclusive text,
  valid_from timestamptz not null,
  valid_to timestamptz,
  granted_by text not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, user_id) references user_account (tenant_id, id),
  -- 三员分立: at no instant does one person hold two roles of one exclusive group.
  exclude using gist (tenant_id with =, user_id with =, exclusive with =, tstzrange(valid_from, valid_to) with &&)
    where (exclusive is not null)
);
comment on table assignment is 'Who holds which role, for which node, since when.';
create index assignment_user on assignment (tenant_id, user_id);
create index assignment_role on assignment (tenant_id, role, node_id);

create table session (
  tenant_id int4 not null,
  id uuid not null,
  user_id uuid not null,
  auth_time timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  address text not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, user_id) references user_account (tenant_id, id)
);
comment on table session is 'Sessions; a session ends by itself after twelve hours.';
create index session_of_user on session (tenant_id, user_id) where ended_at is null;

create table refresh_token (
  tenant_id int4 not null,
  hash bytea not null,
  session_id uuid not null,
  successor bytea,
  used_at timestamptz,
  created_at timestamptz not null,
  primary key (tenant_id, hash),
  foreign key (tenant_id, session_id) references session (tenant_id, id)
);
comment on table refresh_token is 'Refresh tokens, hashed; each is good once.';

create table login_attempt (
  tenant_id int4 not null,
  login text not null,
  address text not null,
  failures int4 not null,
  since timestamptz not null,
  locked_until timestamptz,
  primary key (tenant_id, login, address)
);
comment on table login_attempt is 'Failed sign-ins by account and address.';

create table notice (
  tenant_id int4 not null,
  id uuid not null,
  user_id uuid not null,
  kind text not null,
  subject text not null,
  text_zh text not null,
  text_en text not null,
  at timestamptz not null,
  read_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, user_id) references user_account (tenant_id, id)
);
comment on table notice is 'The inbox of each person.';
create index notice_of_user on notice (tenant_id, user_id, id desc);
create index notice_unread on notice (tenant_id, user_id) where read_at is null;
