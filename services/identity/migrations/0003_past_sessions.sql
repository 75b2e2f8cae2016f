-- Sessions that ran out long ago and failed sign-ins that count no more are dropped.
create index session_by_end on session (tenant_id, expires_at);
create index refresh_token_of_session on refresh_token (tenant_id, session_id);
create index login_attempt_by_time on login_attempt (tenant_id, since);
comment on table session is 'Sessions; a session ends by itself after twelve hours. swept: tenant_id, expires_at';
comment on table login_attempt is 'Failed sign-ins by account and address. swept: tenant_id, since';
