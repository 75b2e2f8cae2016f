-- Those of a company who are told in its name.
create index user_account_enterprise on user_account (tenant_id, enterprise_id) where enterprise_id is not null;
