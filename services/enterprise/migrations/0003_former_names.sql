alter table enterprise add column former text collate "C" not null default '';
comment on column enterprise.former is 'Former names, normalised, a line each: what was found by its pairs is compared with them too.';
