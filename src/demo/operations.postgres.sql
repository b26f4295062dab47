-- What keeps the demo ERP running: backups, jobs, migrations, the audit trail, the
-- keys of its users. For PostgreSQL; loaded after the shop.
--
-- Unlike the books of the ERP these rows are as old as the demo: a backup that is
-- ten minutes old when the demo is laid out is an hour old an hour later.

CREATE TYPE backup_kind AS ENUM ('full', 'incremental', 'schema');

CREATE TABLE backup_runs (
    id              integer PRIMARY KEY,
    kind            backup_kind NOT NULL,
    started_at      timestamp(0) NOT NULL,
    finished_at     timestamp(0),
    outcome         varchar(8) NOT NULL,
    bytes           bigint,
    sha256          char(64),
    entries         integer,
    restored_at     timestamp(0),
    restore_minutes integer
);

CREATE TABLE capacity (
    resource    varchar(20) PRIMARY KEY,
    limit_bytes bigint NOT NULL
);

CREATE TABLE schema_migrations (
    version     varchar(8) PRIMARY KEY,
    title       varchar(80) NOT NULL,
    state       varchar(12) NOT NULL,
    started_at  timestamp(0) NOT NULL,
    finished_at timestamp(0)
);

CREATE TABLE jobs (
    job              varchar(40) PRIMARY KEY,
    every_minutes    integer NOT NULL,
    enabled          integer NOT NULL,
    switched_off_why varchar(120),
    last_success     timestamp(0) NOT NULL
);

CREATE TABLE webauthn_credentials (
    id            integer PRIMARY KEY,
    tenant_id     integer REFERENCES tenants (id),
    customer_id   integer NOT NULL REFERENCES customers (id),
    credential_id varchar(64) NOT NULL,
    created_on    date NOT NULL
);

-- A session sees the keys of the tenant that it serves, and no other.
ALTER TABLE webauthn_credentials ENABLE ROW LEVEL SECURITY;
CREATE POLICY webauthn_of_tenant ON webauthn_credentials
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::integer);

-- entry_no has no gaps: it is given under a lock, not by a sequence.
CREATE TABLE audit_events (
    entry_no    integer NOT NULL,
    occurred_on date NOT NULL,
    occurred_at timestamp(0) NOT NULL,
    tenant_id   integer NOT NULL,
    action      varchar(12) NOT NULL,
    PRIMARY KEY (entry_no, occurred_on)
) PARTITION BY RANGE (occurred_on);

-- One partition a month, from three months ago to three months ahead, and one for the rest.
DO $$
DECLARE
    month date;
BEGIN
    FOR n IN -3..3 LOOP
        month := date_trunc('month', timezone('UTC', now())) + n * interval '1 month';
        EXECUTE format('CREATE TABLE %I PARTITION OF audit_events FOR VALUES FROM (%L) TO (%L)',
                       'audit_events_' || to_char(month, 'YYYY_MM'), month, (month + interval '1 month')::date);
    END LOOP;
END $$;
CREATE TABLE audit_events_rest PARTITION OF audit_events DEFAULT;

-- Where rows of a month wait until its partition is there.
CREATE TABLE audit_events_parked (
    entry_no    integer NOT NULL,
    occurred_on date NOT NULL,
    occurred_at timestamp(0) NOT NULL,
    tenant_id   integer NOT NULL,
    action      varchar(12) NOT NULL,
    PRIMARY KEY (entry_no, occurred_on)
);

-- Not every server has it to give, and not everybody may take it.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pgcrypto;
EXCEPTION WHEN OTHERS THEN
    NULL;
END $$;

INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome, bytes, sha256, entries, restored_at, restore_minutes)
SELECT n, 'full', t.utc - ((10 - n) * 1440 + 70) * interval '1 minute', t.utc - ((10 - n) * 1440 + 60) * interval '1 minute',
       'ok', 400000 + n * 2500, encode(sha256(convert_to('full ' || n, 'UTF8')), 'hex'), 90,
       CASE WHEN n = 6 THEN t.utc - interval '4 days' END, CASE WHEN n = 6 THEN 34 END
  FROM generate_series(1, 10) n, (SELECT timezone('UTC', now()) AS utc) t;
INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome, bytes, sha256, entries)
SELECT 100 + n, 'incremental', t.utc - ((6 - n) * 10 + 1) * interval '1 minute', t.utc - (6 - n) * 10 * interval '1 minute',
       'ok', 60000 + n * 700, encode(sha256(convert_to('incremental ' || n, 'UTF8')), 'hex'), 3
  FROM generate_series(1, 6) n, (SELECT timezone('UTC', now()) AS utc) t;

INSERT INTO capacity (resource, limit_bytes) VALUES ('database', 10737418240);

INSERT INTO schema_migrations (version, title, state, started_at, finished_at)
SELECT lpad(n::text, 4, '0'), 'Migration ' || n, 'applied', t.utc - (60 - n) * interval '1 day', t.utc - (60 - n) * interval '1 day' + interval '1 minute'
  FROM generate_series(1, 42) n, (SELECT timezone('UTC', now()) AS utc) t;

INSERT INTO jobs (job, every_minutes, enabled, last_success)
SELECT j.job, j.every_minutes, 1, timezone('UTC', now()) - j.hours * interval '1 hour'
  FROM (VALUES ('integrity-checks', 1440, 9), ('daily-summaries', 1440, 8), ('log-shipping', 240, 0), ('backup-full', 1440, 1),
               ('audit-archive', 10080, 72)) j (job, every_minutes, hours);

INSERT INTO webauthn_credentials (id, tenant_id, customer_id, credential_id, created_on)
SELECT n, 1 + n % 3, n, 'cred-' || (7000 + n), ('2026-10-' || (10 + n % 18))::date FROM generate_series(1, 90) n;

INSERT INTO audit_events (entry_no, occurred_on, occurred_at, tenant_id, action)
SELECT n, (t.utc - (300 - n) / 5 * interval '1 day')::date,
       t.utc - (300 - n) / 5 * interval '1 day' - (9 - (n + 4) % 5) * interval '1 second', 1 + n % 3,
       CASE n % 4 WHEN 0 THEN 'login' WHEN 1 THEN 'order' WHEN 2 THEN 'export' ELSE 'setting' END
  FROM generate_series(1, 300) n, (SELECT timezone('UTC', now()) AS utc) t;

CREATE UNIQUE INDEX ux_webauthn_credential ON webauthn_credentials (credential_id);
CREATE INDEX ix_webauthn_customer ON webauthn_credentials (customer_id);
CREATE INDEX ix_webauthn_tenant ON webauthn_credentials (tenant_id);
