create table zone (
  tenant_id int4 not null,
  id uuid not null,
  code text not null,
  name text not null,
  area_m2 float8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, code)
);
comment on table zone is 'Zones of the park.';

create table building (
  tenant_id int4 not null,
  id uuid not null,
  code text not null,
  zone_id uuid not null,
  name text not null,
  address text not null,
  gross_m2 float8 not null,
  leasable_m2 float8 not null,
  floors int4 not null,
  latitude float8 not null,
  longitude float8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, code),
  foreign key (tenant_id, zone_id) references zone (tenant_id, id)
);
comment on table building is 'Buildings of the zones.';
create index building_zone on building (tenant_id, zone_id, code);

create table enterprise (
  tenant_id int4 not null,
  id uuid not null,
  credit_code text collate "C",
  code_state int2 not null,
  name text not null,
  norm text collate "C" not null,
  short_name text not null,
  short_norm text collate "C" not null,
  kind int2 not null,
  status int2 not null,
  industry text not null,
  capital_wan float8 not null,
  established_on date,
  version int8 not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  check ((credit_code is null) = (code_state in (3, 4)))
);
comment on table enterprise is 'Companies.';
create unique index enterprise_code on enterprise (tenant_id, credit_code) where credit_code is not null;
create index enterprise_norm on enterprise (tenant_id, norm);
create index enterprise_short on enterprise (tenant_id, short_norm);

create table enterprise_gram (
  tenant_id int4 not null,
  gram int8 not null,
  enterprise_id uuid not null,
  primary key (tenant_id, gram, enterprise_id),
  foreign key (tenant_id, enterprise_id) references enterprise (tenant_id, id)
);
comment on table enterprise_gram is 'Pairs of characters of each company''s names, former ones too: what finds an infix under row-level security.';

create table enterprise_change (
  tenant_id int4 not null,
  enterprise_id uuid not null,
  version int8 not null,
  field text not null,
  before text not null,
  after text not null,
  actor text not null,
  at timestamptz not null,
  primary key (tenant_id, enterprise_id, version, field),
  foreign key (tenant_id, enterprise_id) references enterprise (tenant_id, id)
);
comment on table enterprise_change is 'What was changed of each company. append-only';

create table presence (
  tenant_id int4 not null,
  id uuid not null,
  enterprise_id uuid not null,
  building_id uuid not null,
  kind int2 not null,
  since date not null,
  until date,
  primary key (tenant_id, id),
  check (until is null or until > since),
  foreign key (tenant_id, enterprise_id) references enterprise (tenant_id, id),
  foreign key (tenant_id, building_id) references building (tenant_id, id),
  exclude using gist (tenant_id with =, enterprise_id with =, building_id with =, kind with =, daterange(since, until) with &&)
);
comment on table presence is 'Where companies sit, in which sense, since when.';
create index presence_of on presence (tenant_id, enterprise_id, since desc);

create table qualification (
  tenant_id int4 not null,
  id uuid not null,
  enterprise_id uuid not null,
  kind int2 not null,
  level text not null,
  basis int2 not null,
  certificate_no text not null,
  issuer text not null,
  valid_from date not null,
  valid_to date,
  primary key (tenant_id, id),
  check (valid_to is null or valid_to > valid_from),
  foreign key (tenant_id, enterprise_id) references enterprise (tenant_id, id),
  exclude using gist (tenant_id with =, enterprise_id with =, kind with =, level with =, daterange(valid_from, valid_to) with &&)
);
comment on table qualification is 'Recognitions with their validity.';
create index qualification_kind on qualification (tenant_id, kind, enterprise_id);
