-- How an arrival was proved, and whether it was told later than it happened.
alter table check_in add column how text not null default 'GPS';
alter table check_in alter column how drop default;
alter table check_in add column offline bool not null default false;
alter table check_in alter column offline drop default;
alter table check_in add column arrived_at timestamptz;
