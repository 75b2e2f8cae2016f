create table organisation (
  tenant_id int4 not null,
  id uuid not null,
  code text not null,
  name text not null,
  kind int2 not null,
  form int2 not null,
  founded_on date not null,
  dissolved_on date,
  enterprise_id uuid,
  version int8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, code),
  check (dissolved_on >= founded_on)
);
comment on table organisation is 'Party organisations of a district.';

create table org_edge (
  tenant_id int4 not null,
  child_id uuid not null,
  parent_id uuid not null,
  valid_from date not null,
  valid_to date,
  primary key (tenant_id, child_id, valid_from),
  foreign key (tenant_id, child_id) references organisation (tenant_id, id),
  foreign key (tenant_id, parent_id) references organisation (tenant_id, id),
  check (valid_to > valid_from),
  check (child_id <> parent_id),
  -- One organisation above at a time.
  exclude using gist (tenant_id with =, child_id with =, daterange(valid_from, valid_to) with &&)
);
comment on table org_edge is 'Which organisation stands under which, from a day until before another.';
create index org_edge_parent on org_edge (tenant_id, parent_id);

create table member (
  tenant_id int4 not null,
  id uuid not null,
  name bytea not null,
  phone bytea not null,
  id_number bytea not null,
  id_number_index bytea,
  status int2 not null,
  joined_on date not null,
  full_on date,
  user_id uuid,
  version int8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, id_number_index),
  unique (tenant_id, user_id),
  check (full_on >= joined_on)
);
comment on table member is 'Party members. Name, phone and identity number are sealed; the index tells equality of identity numbers only.';

create table membership (
  tenant_id int4 not null,
  member_id uuid not null,
  organisation_id uuid not null,
  valid_from date not null,
  valid_to date,
  primary key (tenant_id, member_id, valid_from),
  foreign key (tenant_id, member_id) references member (tenant_id, id),
  foreign key (tenant_id, organisation_id) references organisation (tenant_id, id),
  check (valid_to > valid_from),
  -- One formal membership at a time.
  exclude using gist (tenant_id with =, member_id with =, daterange(valid_from, valid_to) with &&)
);
comment on table membership is 'Where a member belongs, from a day until before another.';
create index membership_organisation on membership (tenant_id, organisation_id, member_id);

create table lookup (
  tenant_id int4 not null,
  id uuid not null,
  member_id uuid not null,
  user_id uuid not null,
  reason text not null,
  at timestamptz not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, member_id) references member (tenant_id, id)
);
comment on table lookup is 'Who looked behind the mask of a member, and why. append-only';
create index lookup_member on lookup (tenant_id, member_id, at);

create table term (
  tenant_id int4 not null,
  id uuid not null,
  organisation_id uuid not null,
  number int4 not null,
  elected_on date not null,
  planned_end date not null,
  ended_on date,
  version int8 not null,
  primary key (tenant_id, id),
  unique (tenant_id, organisation_id, number),
  foreign key (tenant_id, organisation_id) references organisation (tenant_id, id),
  check (planned_end > elected_on),
  check (ended_on > elected_on),
  -- One committee in office at a time.
  exclude using gist (tenant_id with =, organisation_id with =, daterange(elected_on, ended_on) with &&)
);
comment on table term is 'Committees and how long they are in office.';

create table seat (
  tenant_id int4 not null,
  term_id uuid not null,
  member_id uuid not null,
  post int2 not null,
  place int2 not null,
  primary key (tenant_id, term_id, member_id, post),
  foreign key (tenant_id, term_id) references term (tenant_id, id),
  foreign key (tenant_id, member_id) references member (tenant_id, id)
);
comment on table seat is 'Who sits in a committee, in which post, in the order they were recorded.';
create index seat_member on seat (tenant_id, member_id);

create table meeting (
  tenant_id int4 not null,
  id uuid not null,
  organisation_id uuid not null,
  kinds int2[] not null,
  held_at timestamptz not null,
  held_on date not null,
  place text not null,
  minutes text not null,
  due int4 not null,
  present int4 not null,
  primary key (tenant_id, id),
  foreign key (tenant_id, organisation_id) references organisation (tenant_id, id),
  check (present between 0 and due)
);
comment on table meeting is 'Meetings; held_on is the day in Asia/Shanghai.';
create index meeting_organisation on meeting (tenant_id, organisation_id, held_at, id);

create table roll_entry (
  tenant_id int4 not null,
  meeting_id uuid not null,
  member_id uuid not null,
  present bool not null,
  primary key (tenant_id, meeting_id, member_id),
  foreign key (tenant_id, meeting_id) references meeting (tenant_id, id),
  foreign key (tenant_id, member_id) references member (tenant_id, id)
);
comment on table roll_entry is 'Voting members due at a meeting on its day; no later transfer changes it. append-only';

create table rule (
  code text not null,
  effective_from date not null,
  text_zh text not null,
  text_en text not null,
  source text not null,
  wording text not null,
  cadence text not null,
  severity int2 not null,
  parameters jsonb not null,
  primary key (code, effective_from),
  check (cadence in ('QUARTER', 'MONTH', 'TERM_END', 'ANCHOR')),
  check (wording in ('GENERALLY', 'SHALL'))
);
comment on table rule is 'Rules of party life as of the day each version takes effect, with their sources. beyond tenants';

create table obligation (
  tenant_id int4 not null,
  id uuid not null,
  rule text not null,
  organisation_id uuid not null,
  period text not null,
  due_on date not null,
  state int2 not null,
  severity int2 not null,
  text_zh text not null,
  text_en text not null,
  waiver_reason text not null,
  waived_by text not null,
  waived_until date,
  version int8 not null,
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, rule, organisation_id, period),
  foreign key (tenant_id, organisation_id) references organisation (tenant_id, id)
);
comment on table obligation is 'What organisations owe by rule; text and severity are those of the version of the rule it began under.';
create index obligation_due on obligation (tenant_id, due_on, id);
create index obligation_organisation on obligation (tenant_id, organisation_id, due_on);

create table reminder (
  tenant_id int4 not null,
  obligation_id uuid not null,
  step text not null,
  sent_at timestamptz not null,
  primary key (tenant_id, obligation_id, step),
  foreign key (tenant_id, obligation_id) references obligation (tenant_id, id)
);
comment on table reminder is 'Reminders sent: each step once. append-only';

create table evaluation (
  tenant_id int4 not null primary key,
  changes int8 not null,
  seen int8 not null,
  evaluated_at timestamptz not null
);
comment on table evaluation is
  'Changes of what obligations rest on, and how many of them the last evaluation saw. swept: tenant_id, changes, seen, evaluated_at';

insert into rule (code, effective_from, text_zh, text_en, source, wording, cadence, severity, parameters) values
('M1', '2018-10-28', '支部党员大会一般每季度召开1次', 'Hold the meeting of all members of the branch, generally once a quarter',
 '《中国共产党支部工作条例（试行）》第十一条', 'GENERALLY', 'QUARTER', 3,
 '{"organisation": "BRANCH", "meeting": "MEMBERS", "remind_days": [-14, -3, 0], "weekly": 8, "escalate_days": [7]}'),
('M2', '2018-10-28', '支部委员会会议一般每月召开1次', 'Hold the meeting of the branch committee, generally once a month',
 '《中国共产党支部工作条例（试行）》第十二条', 'GENERALLY', 'MONTH', 3,
 '{"organisation": "BRANCH", "meeting": "COMMITTEE", "seats": 3, "remind_days": [-14, -3, 0], "weekly": 4, "escalate_days": [7]}'),
('M3', '2018-10-28', '党小组会一般每月召开1次', 'Hold the meeting of the party group, generally once a month',
 '《中国共产党支部工作条例（试行）》第十三条', 'GENERALLY', 'MONTH', 2,
 '{"organisation": "GROUP", "meeting": "GROUP", "remind_days": [-14, -3, 0], "weekly": 4, "escalate_days": [14]}'),
('M4', '2018-10-28', '每月相对固定1天开展主题党日', 'Hold the theme day, one day a month',
 '《中国共产党支部工作条例（试行）》第十六条', 'GENERALLY', 'MONTH', 2,
 '{"organisation": "BRANCH", "meeting": "THEME_DAY", "remind_days": [-14, -3, 0], "weekly": 4, "escalate_days": [14]}'),
('E1', '2018-10-28', '委员会任期将满，应按期准备换届选举', 'The term of the committee is about to end: prepare the election in time',
 '《中国共产党支部工作条例（试行）》第六章（支部委员会每届任期一般为3年）；提前6、3、1个月提醒为产品规则', 'GENERALLY', 'TERM_END', 3,
 '{"months": 36, "remind_months": [-6, -3, -1]}'),
('E3', '2018-10-28', '委员会任期已满，应当按期换届', 'The term of the committee has ended: a new one shall be elected',
 '《中国共产党基层组织选举工作条例》第三条', 'SHALL', 'TERM_END', 4,
 '{"remind_days": [1], "weekly": 26, "escalate_days": [1, 30]}'),
('O5', '2018-10-28', '有正式党员7人以上的党支部，应当设立支部委员会', 'A branch with seven full members or more shall have a committee',
 '《中国共产党支部工作条例（试行）》第六章；期限为其后一个季度内的支部党员大会（产品规则）', 'SHALL', 'ANCHOR', 3,
 '{"organisation": "BRANCH", "members": 7, "seats": 3, "months": 3, "remind_days": [-14, -3, 0], "weekly": 8, "escalate_days": [7]}');
