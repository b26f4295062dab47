-- What keeps the demo ERP running: backups, jobs, migrations, the audit trail, the
-- keys of its users. For MariaDB; loaded after the shop.
--
-- Unlike the books of the ERP these rows are as old as the demo: a backup that is
-- ten minutes old when the demo is laid out is an hour old an hour later.

CREATE TABLE backup_runs (
    id              INTEGER PRIMARY KEY,
    kind            ENUM('full', 'incremental', 'schema') NOT NULL,
    started_at      DATETIME NOT NULL,
    finished_at     DATETIME,
    outcome         VARCHAR(8) NOT NULL,
    bytes           BIGINT,
    sha256          CHAR(64),
    entries         INTEGER,
    restored_at     DATETIME,
    restore_minutes INTEGER
) ENGINE = InnoDB;

CREATE TABLE capacity (
    resource    VARCHAR(20) PRIMARY KEY,
    limit_bytes BIGINT NOT NULL
) ENGINE = InnoDB;

CREATE TABLE schema_migrations (
    version     VARCHAR(8) PRIMARY KEY,
    title       VARCHAR(80) NOT NULL,
    state       VARCHAR(12) NOT NULL,
    started_at  DATETIME NOT NULL,
    finished_at DATETIME
) ENGINE = InnoDB;

CREATE TABLE jobs (
    job              VARCHAR(40) PRIMARY KEY,
    every_minutes    INTEGER NOT NULL,
    enabled          INTEGER NOT NULL,
    switched_off_why VARCHAR(120),
    last_success     DATETIME NOT NULL
) ENGINE = InnoDB;

CREATE TABLE webauthn_credentials (
    id            INTEGER PRIMARY KEY,
    tenant_id     INTEGER,
    customer_id   INTEGER NOT NULL,
    credential_id VARCHAR(64) NOT NULL,
    created_on    DATE NOT NULL,
    CONSTRAINT webauthn_tenant_fk FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT webauthn_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id)
) ENGINE = InnoDB;

-- entry_no has no gaps: it is given under a lock, not by a sequence. One partition a
-- month, from three months ago to three months ahead, and one for the rest.
SET @months = (
    SELECT GROUP_CONCAT('PARTITION p', DATE_FORMAT(m.month, '%Y_%m'), ' VALUES LESS THAN (''', m.month + INTERVAL 1 MONTH, ''')'
                        ORDER BY m.month SEPARATOR ', ')
      FROM (SELECT DATE(DATE_FORMAT(UTC_DATE(), '%Y-%m-01')) + INTERVAL n.n MONTH AS month
              FROM (SELECT -3 AS n UNION ALL SELECT -2 UNION ALL SELECT -1 UNION ALL SELECT 0
                    UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3) n) m);
SET @ddl = CONCAT('CREATE TABLE audit_events (entry_no INTEGER NOT NULL, occurred_on DATE NOT NULL, occurred_at DATETIME NOT NULL, ',
    'tenant_id INTEGER NOT NULL, action VARCHAR(12) NOT NULL, PRIMARY KEY (entry_no, occurred_on)) ENGINE = InnoDB ',
    'PARTITION BY RANGE COLUMNS (occurred_on) (', @months, ', PARTITION prest VALUES LESS THAN (MAXVALUE))');
PREPARE ddl FROM @ddl;
EXECUTE ddl;
DEALLOCATE PREPARE ddl;

CREATE TABLE seed_n (n INTEGER PRIMARY KEY) ENGINE = InnoDB;
INSERT INTO seed_n (n) WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300) SELECT n FROM c;

INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome, bytes, sha256, entries, restored_at, restore_minutes)
SELECT n, 'full', UTC_TIMESTAMP() - INTERVAL ((10 - n) * 1440 + 70) MINUTE, UTC_TIMESTAMP() - INTERVAL ((10 - n) * 1440 + 60) MINUTE,
       'ok', 4000000 + n * 25000, SHA2(CONCAT('full ', n), 256), 90,
       CASE WHEN n = 6 THEN UTC_TIMESTAMP() - INTERVAL 4 DAY END, CASE WHEN n = 6 THEN 34 END
  FROM seed_n WHERE n <= 10;
INSERT INTO backup_runs (id, kind, started_at, finished_at, outcome, bytes, sha256, entries)
SELECT 100 + n, 'incremental', UTC_TIMESTAMP() - INTERVAL ((6 - n) * 10 + 1) MINUTE, UTC_TIMESTAMP() - INTERVAL ((6 - n) * 10) MINUTE,
       'ok', 60000 + n * 700, SHA2(CONCAT('incremental ', n), 256), 3
  FROM seed_n WHERE n <= 6;

INSERT INTO capacity (resource, limit_bytes) VALUES ('database', 10737418240);

INSERT INTO schema_migrations (version, title, state, started_at, finished_at)
SELECT LPAD(n, 4, '0'), CONCAT('Migration ', n), 'applied', UTC_TIMESTAMP() - INTERVAL (60 - n) DAY,
       UTC_TIMESTAMP() - INTERVAL (60 - n) DAY + INTERVAL 1 MINUTE
  FROM seed_n WHERE n <= 42;

INSERT INTO jobs (job, every_minutes, enabled, last_success) VALUES
    ('integrity-checks', 1440, 1, UTC_TIMESTAMP() - INTERVAL 9 HOUR), ('daily-summaries', 1440, 1, UTC_TIMESTAMP() - INTERVAL 8 HOUR),
    ('log-shipping', 240, 1, UTC_TIMESTAMP()), ('backup-full', 1440, 1, UTC_TIMESTAMP() - INTERVAL 1 HOUR),
    ('audit-archive', 10080, 1, UTC_TIMESTAMP() - INTERVAL 3 DAY);

INSERT INTO webauthn_credentials (id, tenant_id, customer_id, credential_id, created_on)
SELECT n, 1 + n % 3, n, CONCAT('cred-', 7000 + n), CONCAT('2026-10-', 10 + n % 18) FROM seed_n WHERE n <= 90;

INSERT INTO audit_events (entry_no, occurred_on, occurred_at, tenant_id, action)
SELECT n, UTC_DATE() - INTERVAL ((300 - n) DIV 5) DAY,
       UTC_TIMESTAMP() - INTERVAL ((300 - n) DIV 5) DAY - INTERVAL (9 - (n + 4) % 5) SECOND, 1 + n % 3,
       CASE n % 4 WHEN 0 THEN 'login' WHEN 1 THEN 'order' WHEN 2 THEN 'export' ELSE 'setting' END
  FROM seed_n;

DROP TABLE seed_n;

CREATE UNIQUE INDEX ux_webauthn_credential ON webauthn_credentials (credential_id);
CREATE INDEX ix_webauthn_customer ON webauthn_credentials (customer_id);
CREATE INDEX ix_webauthn_tenant ON webauthn_credentials (tenant_id);
