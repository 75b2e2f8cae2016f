-- How a district shows itself.
create table brand (
  tenant_id int4 not null,
  name text not null,
  name_en text not null,
  short_name text not null,
  short_name_en text not null,
  accent text not null,
  logo bytea not null,
  contact_phone text not null,
  sponsor text not null,
  icp_record text not null,
  security_record text not null,
  frame_ancestors text[] not null,
  version int8 not null,
  primary key (tenant_id)
);
comment on table brand is 'The face of each district; one row, once something was set.';

create table root_text (
  tenant_id int4 not null,
  name text collate "C" not null,
  text text not null,
  set_at timestamptz not null,
  primary key (tenant_id, name)
);
comment on table root_text is 'Texts at the root of a district''s address, which other platforms look for.';
