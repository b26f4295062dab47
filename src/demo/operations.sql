-- What keeps the demo ERP running: backups, jobs, migrations, the audit trail, the
-- keys of its users. For SQLite; loaded after the shop.
--
-- Unlike the books of the ERP these rows are as old as the demo: a backup that is
-- ten minutes old when the demo is laid out is an hour old an hour later.

BEGIN;

CREATE TABLE backup_runs (
    id              INTEGER PRIMARY KEY,
    kind            TEXT NOT NULL CHECK (kind IN ('full', 'incremental', 'schema')),
    started_at      TEXT NOT NULL,
    finished_at     TEXT,
    outcome         TEXT NOT NULL,
    bytes           INTEGER,
    sha256          TEXT,
    entries         INTEGER,
    restored_at     TEXT,
    restore_minutes INTEGER
);

CREATE TABLE capacity (
    resource    TEXT PRIMARY KEY NOT NULL,
    limit_bytes INTEGER NOT NULL
);

CREATE TABLE schema_migrations (
    version     TEXT PRIMARY KEY NOT NULL,
    title       TEXT NOT NULL,
    state       TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT
);

CREATE TABLE jobs (
    job              TEXT PRIMARY KEY NOT NULL,
    every_minutes    INTEGER NOT NULL,
    enabled          INTEGER NOT NULL,
    switched_off_why TEXT,
    last_success     TEXT NOT NULL
);

CREATE TABLE webauthn_credentials (
    id            INTEGER PRIMARY KEY,
    tenant_id     INTEGER REFERENCES tenants (id),
    customer_id   INTEGER NOT NULL REFERENCES customers (id),
    credential_id TEXT NOT NULL,
    created_on    TEXT NOT NULL
);

-- entry_no has no gaps: it is given under a lock, not by a sequence.
CREATE TABLE audit_events (
    entry_no    INTEGER NOT NULL,
    occurred_on TEXT NOT NULL,
    occurred_at TEXT NOT NULL,
    tenant_id   INTEGER NOT NULL,
    action      TEXT NOT NULL,
    PRIMARY KEY (entry_no, occurred_on)
);

CREATE TABLE seed_n (n INTEGER PRIMARY KEY);
INSERT INTO seed_n (n) WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300) SELECT n FROM c;

INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome, bytes, sha256, entries, restored_at, restore_minutes)
SELECT n, 'full', datetime('now', '-' || ((10 - n) * 1440 + 70) || ' minutes'), datetime('now', '-' || ((10 - n) * 1440 + 60) || ' minutes'),
       'ok', 4000000 + n * 25000, substr('00000000' || n || '9c4e1f7a', -16) || '5d20b8e36fa17c94d3b05e8821f6ca47e09b3d5c6a81f2e4', 90,
       CASE WHEN n = 6 THEN datetime('now', '-4 days') END, CASE WHEN n = 6 THEN 34 END
  FROM seed_n WHERE n <= 10;
INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome, bytes, sha256, entries)
SELECT 100 + n, 'incremental', datetime('now', '-' || ((6 - n) * 10 + 1) || ' minutes'), datetime('now', '-' || ((6 - n) * 10) || ' minutes'),
       'ok', 60000 + n * 700, substr('00000000' || n || '77ab03fe', -16) || '1e94c07b52d8a6f3190be47d8c25fa630b7d91e8a4c6f235', 3
  FROM seed_n WHERE n <= 6;

INSERT INTO capacity (resource, limit_bytes) VALUES ('database', 10737418240);

INSERT INTO schema_migrations (version, title, state, started_at, finished_at)
SELECT substr('000' || n, -4), 'Migration ' || n, 'applied', datetime('now', '-' || (60 - n) || ' days'), datetime('now', '-' || (60 - n) || ' days', '+1 minute')
  FROM seed_n WHERE n <= 42;

INSERT INTO jobs (job, every_minutes, enabled, last_success) VALUES
    ('integrity-checks', 1440, 1, datetime('now', '-9 hours')), ('daily-summaries', 1440, 1, datetime('now', '-8 hours')),
    ('log-shipping', 240, 1, datetime('now')), ('backup-full', 1440, 1, datetime('now', '-1 hours')),
    ('audit-archive', 10080, 1, datetime('now', '-3 days'));

INSERT INTO webauthn_credentials (id, tenant_id, customer_id, credential_id, created_on)
SELECT n, 1 + n % 3, n, 'cred-' || (7000 + n), '2026-10-' || (10 + n % 18) FROM seed_n WHERE n <= 90;

INSERT INTO audit_events (entry_no, occurred_on, occurred_at, tenant_id, action)
SELECT n, date('now', '-' || ((300 - n) / 5) || ' days'),
       datetime('now', '-' || ((300 - n) / 5) || ' days', '-' || (9 - (n + 4) % 5) || ' seconds'), 1 + n % 3,
       CASE n % 4 WHEN 0 THEN 'login' WHEN 1 THEN 'order' WHEN 2 THEN 'export' ELSE 'setting' END
  FROM seed_n;

DROP TABLE seed_n;

CREATE UNIQUE INDEX ux_webauthn_credential ON webauthn_credentials (credential_id);
CREATE INDEX ix_webauthn_customer ON webauthn_credentials (customer_id);
CREATE INDEX ix_webauthn_tenant ON webauthn_credentials (tenant_id);

COMMIT;
