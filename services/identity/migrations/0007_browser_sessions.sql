-- A browser's session is known by the secret in its cookie, kept hashed.
alter table session add column secret_hash bytea;
create unique index session_by_secret on session (tenant_id, secret_hash) where secret_hash is not null;
