-- The demo ERP of Nordhaven Works, for MariaDB and MySQL.
--
-- The rows are those of the other engines, number by number: no random numbers and
-- no clock, only arithmetic on row numbers. "Now" in this ERP is Friday 2026-11-20.
-- Rows written later by the triggers carry the real time, as they do in any ERP.
-- Times are UTC. Everything lies in a database of its own.

CREATE DATABASE steadyhand_demo CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE steadyhand_demo;
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci;

-- Tables ---------------------------------------------------------------------

CREATE TABLE departments (
    id          BIGINT PRIMARY KEY AUTO_INCREMENT,
    title       VARCHAR(40) NOT NULL UNIQUE,
    cost_center VARCHAR(10) NOT NULL UNIQUE
);

CREATE TABLE employees (
    id            BIGINT PRIMARY KEY AUTO_INCREMENT,
    staff_no      VARCHAR(10) NOT NULL,
    full_name     VARCHAR(80) NOT NULL,
    email         VARCHAR(120) NOT NULL,
    job_title     VARCHAR(60) NOT NULL,
    department_id BIGINT NOT NULL,
    manager_id    BIGINT,
    hired_on      DATE NOT NULL,
    CONSTRAINT employees_department_fk FOREIGN KEY (department_id) REFERENCES departments (id),
    CONSTRAINT employees_manager_fk FOREIGN KEY (manager_id) REFERENCES employees (id)
);

CREATE TABLE assets (
    id           BIGINT PRIMARY KEY AUTO_INCREMENT,
    tag          VARCHAR(12) NOT NULL,
    category     VARCHAR(20) NOT NULL,
    model        VARCHAR(60) NOT NULL,
    serial_no    VARCHAR(20) NOT NULL,
    status       VARCHAR(12) NOT NULL,
    purchased_on DATE NOT NULL,
    price        DECIMAL(10,2) NOT NULL,
    CONSTRAINT assets_status_known CHECK (status IN ('assigned', 'in stock', 'in repair', 'retired'))
);

CREATE TABLE asset_assignments (
    id          BIGINT PRIMARY KEY AUTO_INCREMENT,
    asset_id    BIGINT NOT NULL,
    employee_id BIGINT NOT NULL,
    assigned_at DATETIME NOT NULL,
    return_date DATETIME,
    note        TEXT,
    CONSTRAINT asset_assignments_asset_fk FOREIGN KEY (asset_id) REFERENCES assets (id),
    CONSTRAINT asset_assignments_employee_fk FOREIGN KEY (employee_id) REFERENCES employees (id),
    CONSTRAINT asset_assignments_period CHECK (return_date IS NULL OR return_date >= assigned_at)
);

CREATE TABLE projects (
    id         BIGINT PRIMARY KEY AUTO_INCREMENT,
    code       VARCHAR(10) NOT NULL UNIQUE,
    title      VARCHAR(80) NOT NULL,
    client     VARCHAR(60) NOT NULL,
    lead_id    BIGINT NOT NULL,
    started_on DATE NOT NULL,
    budget     DECIMAL(10,2) NOT NULL,
    CONSTRAINT projects_lead_fk FOREIGN KEY (lead_id) REFERENCES employees (id)
);

CREATE TABLE timesheets (
    id           BIGINT PRIMARY KEY AUTO_INCREMENT,
    employee_id  BIGINT NOT NULL,
    project_id   BIGINT NOT NULL,
    work_date    DATE NOT NULL,
    hours        DECIMAL(5,2),
    status       VARCHAR(10) NOT NULL DEFAULT 'draft',
    submitted_at DATETIME,
    approved_at  DATETIME,
    remark       TEXT,
    CONSTRAINT timesheets_employee_fk FOREIGN KEY (employee_id) REFERENCES employees (id),
    CONSTRAINT timesheets_project_fk FOREIGN KEY (project_id) REFERENCES projects (id),
    CONSTRAINT timesheets_status_known CHECK (status IN ('draft', 'submitted', 'approved'))
);

CREATE TABLE approvals (
    id           BIGINT PRIMARY KEY AUTO_INCREMENT,
    timesheet_id BIGINT NOT NULL,
    approver_id  BIGINT NOT NULL,
    decision     VARCHAR(10) NOT NULL,
    decided_at   DATETIME NOT NULL,
    remark       TEXT,
    CONSTRAINT approvals_timesheet_fk FOREIGN KEY (timesheet_id) REFERENCES timesheets (id) ON DELETE CASCADE,
    CONSTRAINT approvals_approver_fk FOREIGN KEY (approver_id) REFERENCES employees (id),
    CONSTRAINT approvals_decision_known CHECK (decision IN ('approved', 'rejected', 'revoked'))
);

-- Approvals that lost their timesheet for good. No foreign key on purpose: what
-- is kept here is kept as it was found.
CREATE TABLE approvals_quarantine (
    approval_id  BIGINT PRIMARY KEY,
    timesheet_id BIGINT NOT NULL,
    approver_id  BIGINT NOT NULL,
    decision     VARCHAR(10) NOT NULL,
    decided_at   DATETIME NOT NULL,
    remark       TEXT,
    reason       TEXT NOT NULL
);

-- Approved hours per project, kept by the triggers of timesheets.
CREATE TABLE project_hours (
    project_id     BIGINT PRIMARY KEY,
    approved_hours DECIMAL(12,2) NOT NULL DEFAULT 0,
    sheet_count    INT NOT NULL DEFAULT 0,
    CONSTRAINT project_hours_project_fk FOREIGN KEY (project_id) REFERENCES projects (id)
);

-- Who changed what. The nightly job keeps 30 days here and archives the rest.
CREATE TABLE audit_log (
    id         BIGINT PRIMARY KEY AUTO_INCREMENT,
    table_name VARCHAR(40) NOT NULL,
    row_id     BIGINT NOT NULL,
    action     VARCHAR(10) NOT NULL,
    old_value  JSON,
    new_value  JSON,
    changed_at DATETIME NOT NULL
);

-- Helpers, dropped at the end ------------------------------------------------

CREATE TABLE seed_n (n BIGINT PRIMARY KEY);
INSERT INTO seed_n (n)
WITH RECURSIVE ten (d) AS (SELECT 0 UNION ALL SELECT d + 1 FROM ten WHERE d < 9)
SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * m.d
  FROM ten a CROSS JOIN ten b CROSS JOIN ten c CROSS JOIN ten m WHERE m.d < 2;

CREATE TABLE seed_first (n BIGINT PRIMARY KEY, shown VARCHAR(40), plain VARCHAR(40));
INSERT INTO seed_first (n, shown, plain) VALUES
    (0, 'Amelia', 'amelia'), (1, 'Jürgen', 'juergen'), (2, 'Priya', 'priya'), (3, 'Tomás', 'tomas'),
    (4, 'Hannah', 'hannah'), (5, 'Łukasz', 'lukasz'), (6, 'Grace', 'grace'), (7, 'Yusuf', 'yusuf'),
    (8, 'Zoë', 'zoe'), (9, 'Daniel', 'daniel'), (10, 'Ingrid', 'ingrid'), (11, 'Marco', 'marco'),
    (12, 'Noor', 'noor'), (13, 'Søren', 'soeren'), (14, 'Claire', 'claire'), (15, 'Kwame', 'kwame'),
    (16, 'Elena', 'elena'), (17, 'Oliver', 'oliver'), (18, 'Mei', 'mei'), (19, 'Rafael', 'rafael'),
    (20, 'Sofia', 'sofia'), (21, 'Petr', 'petr'), (22, 'Aisha', 'aisha'), (23, 'Hugo', 'hugo'),
    (24, 'Astrid', 'astrid'), (25, 'Nikhil', 'nikhil'), (26, 'Carmen', 'carmen'), (27, 'Liam', 'liam'),
    (28, 'Ayşe', 'ayse'), (29, 'Victor', 'victor'), (30, 'Chiara', 'chiara'), (31, 'Samuel', 'samuel'),
    (32, 'Leila', 'leila'), (33, 'Jonas', 'jonas'), (34, 'Ruth', 'ruth'), (35, 'Andrei', 'andrei'),
    (36, 'Fatima', 'fatima'), (37, 'Patrick', 'patrick'), (38, 'Maja', 'maja'), (39, 'Diego', 'diego'),
    (40, 'Nora', 'nora');

CREATE TABLE seed_last (n BIGINT PRIMARY KEY, shown VARCHAR(40), plain VARCHAR(40));
INSERT INTO seed_last (n, shown, plain) VALUES
    (0, 'Bennett', 'bennett'), (1, 'Müller', 'mueller'), (2, 'Okafor', 'okafor'), (3, 'Rossi', 'rossi'),
    (4, 'Nguyễn', 'nguyen'), (5, 'Schmid', 'schmid'), (6, 'Kowalski', 'kowalski'), (7, 'Haddad', 'haddad'),
    (8, 'O''Brien', 'obrien'), (9, 'Lindqvist', 'lindqvist'), (10, 'Patel', 'patel'), (11, 'Fernández', 'fernandez'),
    (12, 'Keller', 'keller'), (13, 'Dubois', 'dubois'), (14, 'Yamamoto', 'yamamoto'), (15, 'Novák', 'novak'),
    (16, 'Chambers', 'chambers'), (17, 'Öztürk', 'oeztuerk'), (18, 'Meyer', 'meyer'), (19, 'Silva', 'silva'),
    (20, 'Hansen', 'hansen'), (21, 'Iqbal', 'iqbal'), (22, 'Walker', 'walker'), (23, 'Petrov', 'petrov'),
    (24, 'Baumann', 'baumann'), (25, 'Mensah', 'mensah'), (26, 'Larsson', 'larsson'), (27, 'Costa', 'costa'),
    (28, 'Fischer', 'fischer'), (29, 'Reid', 'reid'), (30, 'Moreau', 'moreau'), (31, 'Tanaka', 'tanaka'),
    (32, 'Popescu', 'popescu'), (33, 'Graf', 'graf'), (34, 'Ward', 'ward'), (35, 'Jansen', 'jansen'),
    (36, 'Mbeki', 'mbeki'), (37, 'Virtanen', 'virtanen'), (38, 'Sharma', 'sharma'), (39, 'Cooper', 'cooper'),
    (40, 'Brunner', 'brunner'), (41, 'Horvat', 'horvat'), (42, 'Lefèvre', 'lefevre'), (43, 'Simmons', 'simmons'),
    (44, 'Aalto', 'aalto'), (45, 'Kim', 'kim'), (46, 'Vogel', 'vogel'), (47, 'Santos', 'santos'),
    (48, 'Doyle', 'doyle'), (49, 'Eriksen', 'eriksen'), (50, 'Zimmermann', 'zimmermann'), (51, 'Ali', 'ali'),
    (52, 'Gallo', 'gallo'), (53, 'Whitfield', 'whitfield'), (54, 'Nowak', 'nowak'), (55, 'Bianchi', 'bianchi'),
    (56, 'Thorne', 'thorne'), (57, 'Suter', 'suter'), (58, 'Osei', 'osei'), (59, 'Marchand', 'marchand'),
    (60, 'Quinn', 'quinn');

CREATE TABLE seed_model (n BIGINT PRIMARY KEY, prefix VARCHAR(2), category VARCHAR(20), model VARCHAR(60), price BIGINT);
INSERT INTO seed_model (n, prefix, category, model, price) VALUES
    (0, 'LT', 'Laptop', 'Latitude 5440', 1290), (1, 'LT', 'Laptop', 'ThinkPad T14', 1460),
    (2, 'LT', 'Laptop', 'EliteBook 845', 1380), (3, 'LT', 'Laptop', 'MacBook Pro 14', 2290),
    (4, 'MN', 'Monitor', 'UltraSharp U2723', 540), (5, 'MN', 'Monitor', 'ProDisplay 27', 410),
    (6, 'PH', 'Phone', 'Galaxy XCover 6', 480), (7, 'PH', 'Phone', 'iPhone 14', 820),
    (8, 'PH', 'Phone', 'Pixel 8', 640), (9, 'TB', 'Tablet', 'Toughpad G2', 1850),
    (10, 'TB', 'Tablet', 'iPad 10', 450), (11, 'SC', 'Scanner', 'TC52 handheld', 1120),
    (12, 'SC', 'Scanner', 'MC3300 handheld', 1340), (13, 'TK', 'Tool kit', 'Fluke 289 set', 690),
    (14, 'TK', 'Tool kit', 'Hilti TE 6 set', 930), (15, 'VH', 'Vehicle', 'Transit Custom', 36400),
    (16, 'KY', 'Key card', 'Site access, level 3', 25);

-- Working days 2026-09-07 to 2026-11-19: the Friday of the week, the Monday and the
-- Wednesday after it.
CREATE TABLE seed_day (n BIGINT PRIMARY KEY, d DATE, w BIGINT, friday DATETIME, monday DATETIME, wednesday DATETIME);
INSERT INTO seed_day (n, d, w, friday, monday, wednesday)
SELECT n, DATE '2026-09-06' + INTERVAL n DAY, (n - 1) DIV 7,
       DATE '2026-09-11' + INTERVAL ((n - 1) DIV 7 * 7) DAY,
       DATE '2026-09-14' + INTERVAL ((n - 1) DIV 7 * 7) DAY,
       DATE '2026-09-16' + INTERVAL ((n - 1) DIV 7 * 7) DAY
  FROM seed_n WHERE n <= 74 AND (n - 1) % 7 < 5;

CREATE TABLE seed_hours (n BIGINT PRIMARY KEY, h DECIMAL(5,2));
INSERT INTO seed_hours (n, h) VALUES
    (0, 8), (1, 8), (2, 8), (3, 7.5), (4, 7.5), (5, 8.25), (6, 6), (7, 4), (8, 8.5), (9, 7),
    (10, 8), (11, 9.25), (12, 7.75), (13, 5.5), (14, 10), (15, 2);

-- People ---------------------------------------------------------------------

INSERT INTO departments (id, title, cost_center) VALUES
    (1, 'Finance', 'CC-1100'), (2, 'Human Resources', 'CC-1200'), (3, 'Information Technology', 'CC-2100'),
    (4, 'Engineering', 'CC-3100'), (5, 'Field Service', 'CC-3200'), (6, 'Sales', 'CC-4100'),
    (7, 'Procurement', 'CC-5100'), (8, 'Logistics', 'CC-5200');

-- 1 leads the company, 2 to 9 the departments, 10 to 49 the teams; the others work
-- in a team. Numbers follow the date of hire.
INSERT INTO employees (id, staff_no, full_name, email, job_title, department_id, manager_id, hired_on)
SELECT e.n,
       CONCAT('E-', LPAD(e.n, 4, '0')),
       CASE e.n WHEN 277 THEN '山田 花子' ELSE CONCAT(f.shown, ' ', l.shown) END,
       CONCAT(CASE e.n WHEN 277 THEN 'hanako.yamada' ELSE CONCAT(f.plain, '.', l.plain) END, '@nordhaven.example'),
       CASE e.place WHEN 0 THEN 'Managing Director' WHEN 1 THEN 'Head of Department' WHEN 2 THEN 'Team Lead'
            ELSE CASE e.dept WHEN 1 THEN 'Accountant' WHEN 2 THEN 'HR Specialist' WHEN 3 THEN 'Systems Engineer'
                 WHEN 4 THEN 'Engineer' WHEN 5 THEN 'Service Technician' WHEN 6 THEN 'Account Manager'
                 WHEN 7 THEN 'Buyer' ELSE 'Dispatcher' END END,
       e.dept,
       CASE e.place WHEN 0 THEN NULL WHEN 1 THEN 1 WHEN 2 THEN e.dept + 1
            ELSE 9 + e.dept + 8 * (e.h DIV 97 % 5) END,
       DATE '2012-03-01' + INTERVAL (e.n * 13 + e.h % 11) DAY
  FROM (SELECT n, h, place,
               CASE place WHEN 0 THEN 1 WHEN 1 THEN n - 1 WHEN 2 THEN 1 + (n - 10) % 8
                    ELSE CASE WHEN h % 20 < 1 THEN 1 WHEN h % 20 < 2 THEN 2 WHEN h % 20 < 5 THEN 3
                              WHEN h % 20 < 10 THEN 4 WHEN h % 20 < 15 THEN 5 WHEN h % 20 < 17 THEN 6
                              WHEN h % 20 < 18 THEN 7 ELSE 8 END END AS dept
          FROM (SELECT n, n * 2654435761 % 4294967296 DIV 64 AS h,
                       CASE WHEN n = 1 THEN 0 WHEN n < 10 THEN 1 WHEN n < 50 THEN 2 ELSE 3 END AS place
                  FROM seed_n WHERE n <= 400) p) e
  JOIN seed_first f ON f.n = e.n * 17 % 41
  JOIN seed_last l ON l.n = e.n * 23 % 61
 ORDER BY e.n;

-- Assets and who held them ---------------------------------------------------

INSERT INTO assets (id, tag, category, model, serial_no, status, purchased_on, price)
SELECT a.n, CONCAT(m.prefix, '-', LPAD(a.n, 5, '0')), m.category, m.model,
       LPAD(HEX(a.h * 31 % 268435456), 7, '0'),
       CASE WHEN a.h % 100 < 76 THEN 'assigned' WHEN a.h % 100 < 90 THEN 'in stock'
            WHEN a.h % 100 < 94 THEN 'in repair' ELSE 'retired' END,
       DATE '2019-01-07' + INTERVAL (a.n * 5 DIV 4 + a.h % 40) DAY,
       m.price + a.h % 13 * 5
  FROM (SELECT n, n * 2246822519 % 4294967296 DIV 64 AS h FROM seed_n) a
  JOIN seed_model m ON m.n = a.h DIV 128 % 17
 ORDER BY a.n;

-- An asset has one to five holders in turn; between two of them it lies in stock
-- for some days. The last one still holds it when the asset is assigned. Rows are
-- numbered here, because a bulk insert leaves gaps in what the server numbers.
INSERT INTO asset_assignments (id, asset_id, employee_id, assigned_at, return_date, note)
WITH
life (asset_id, open_end, born) AS (
    SELECT id, status = 'assigned', DATEDIFF(purchased_on, '1970-01-01') FROM assets),
turns (asset_id, open_end, born, holders) AS (
    SELECT asset_id, open_end, born,
           GREATEST(1, LEAST(asset_id * 48271 % 2147483647 DIV 8 % 5 + 1, (20770 - born) DIV 60)) FROM life),
held (asset_id, still, slot, h, began) AS (
    SELECT asset_id, open_end AND n = holders, (20764 - born) DIV holders,
           (asset_id * 40503 + n * 2654435761) % 4294967296 DIV 16,
           (born + 3 + (20764 - born) DIV holders * (n - 1)) * 86400 + 28800
               + (asset_id * 7919 + n * 104729) % 36 * 900
               + CASE WHEN open_end AND n = holders
                      THEN asset_id * 69621 % 2147483647 DIV 32 % ((20764 - born) DIV holders * 4 DIV 5) * 86400 ELSE 0 END
      FROM turns JOIN seed_n ON n <= holders)
SELECT ROW_NUMBER() OVER (ORDER BY began, asset_id), asset_id,
       LEAST(400, 1 + h DIV 16 % ((began DIV 86400 - 15420) DIV 13)),
       TIMESTAMP '1970-01-01 00:00:00' + INTERVAL began SECOND,
       CASE WHEN NOT still THEN TIMESTAMP '1970-01-01 00:00:00'
            + INTERVAL ((began DIV 86400 + slot - 13 - h % 12) * 86400 + 28800 + h DIV 8 % 36 * 900) SECOND END,
       CASE h % 24 WHEN 0 THEN 'handed over with charger' WHEN 1 THEN 'replacement for a defective unit'
            WHEN 2 THEN 'home office' WHEN 3 THEN 'accessories incomplete' WHEN 4 THEN 'on site, Hall 3'
            WHEN 5 THEN 'Zürich branch' END
  FROM held
 ORDER BY began, asset_id;

-- Projects and time ----------------------------------------------------------

INSERT INTO projects (id, code, title, client, lead_id, started_on, budget)
SELECT n, CONCAT('P-', 100 + n),
       CONCAT(CASE n % 10 WHEN 0 THEN 'Line retrofit' WHEN 1 THEN 'Warehouse rollout' WHEN 2 THEN 'Maintenance frame'
            WHEN 3 THEN 'Plant survey' WHEN 4 THEN 'Control upgrade' WHEN 5 THEN 'Fleet renewal'
            WHEN 6 THEN 'Site relocation' WHEN 7 THEN 'Energy audit' WHEN 8 THEN 'Commissioning'
            ELSE 'Training programme' END, ' ', 2024 + n % 3),
       CASE n % 12 WHEN 0 THEN 'internal' WHEN 1 THEN 'Halden Foods' WHEN 2 THEN 'Arcelle SA' WHEN 3 THEN 'Brückner & Sohn'
            WHEN 4 THEN 'Port of Elvik' WHEN 5 THEN 'Meridian Rail' WHEN 6 THEN 'Castell Energía' WHEN 7 THEN 'City of Thun'
            WHEN 8 THEN 'Ostrava Steel' WHEN 9 THEN 'Lumen Optics' WHEN 10 THEN 'Færder Shipping' ELSE 'Kestrel Air' END,
       10 + n * 7 % 40,
       DATE '2024-01-15' + INTERVAL (n * 11 + n * n % 37) DAY,
       (40 + n * 37 % 260) * 1000
  FROM seed_n WHERE n <= 60;

-- One sheet per person and working day, some days off. Sheets are submitted on
-- Friday and decided on Monday; the week of 2026-11-09 is mostly still open.
INSERT INTO timesheets (id, employee_id, project_id, work_date, hours, status, submitted_at, approved_at, remark)
WITH
hashed (employee_id, n, w, d, friday, monday, wednesday, h, v) AS (
    SELECT e.id, c.n, c.w, c.d, c.friday, c.monday, c.wednesday,
           (e.id * 2654435761 + c.n * 39571431) % 4294967296 DIV 32,
           (e.id * 48271 + c.w * 9120351) % 2147483647 DIV 32
      FROM seed_day c CROSS JOIN employees e WHERE e.id >= 10),
sheets AS (
    SELECT s.*,
           CASE s.w WHEN 10 THEN CASE WHEN s.h DIV 4 % 9 > 4 THEN 'submitted' ELSE 'draft' END
                    WHEN 9 THEN CASE WHEN s.v % 7 = 0 AND s.h % 53 <> 5 THEN 'approved' ELSE 'submitted' END
                    ELSE CASE WHEN s.h % 53 = 5 THEN 'submitted' ELSE 'approved' END END AS status
      FROM hashed s WHERE s.h DIV 8 % 20 <> 3)
SELECT ROW_NUMBER() OVER (ORDER BY t.n, t.employee_id), t.employee_id,
       1 + (t.employee_id * 7 + (t.w + t.employee_id) % 3 * 11 + t.h % 2 * 23) % 60,
       t.d,
       CASE WHEN t.w <> 10 OR t.h DIV 4 % 9 <> 0 THEN s.h END,
       t.status,
       CASE WHEN t.status <> 'draft' THEN CASE t.w WHEN 10 THEN t.d ELSE t.friday END
            + INTERVAL ((14 + t.v % 4) * 60 + t.v DIV 16 % 60) MINUTE END,
       CASE WHEN t.status = 'approved' THEN CASE t.h % 89 WHEN 7 THEN t.wednesday ELSE t.monday END
            + INTERVAL ((10 + t.v DIV 4 % 3) * 60 + t.v DIV 16 % 60) MINUTE END,
       CASE t.h DIV 16 % 60 WHEN 0 THEN 'on site' WHEN 1 THEN 'incl. travel' WHEN 2 THEN 'customer workshop'
            WHEN 3 THEN 'standby called out' END
  FROM sheets t
  JOIN seed_hours s ON s.n = t.h DIV 32 % 16
 ORDER BY t.n, t.employee_id;

-- What was sent back first: some of it was approved on the Wednesday after, the
-- rest is still waiting for its author.
INSERT INTO approvals (id, timesheet_id, approver_id, decision, decided_at, remark)
SELECT ROW_NUMBER() OVER (ORDER BY decided_at, id), id, approver_id, decision, decided_at, remark
  FROM (SELECT t.id, e.manager_id AS approver_id, 'rejected' AS decision,
               c.monday + INTERVAL ((10 + t.id % 3) * 60 + t.id % 60) MINUTE AS decided_at,
               CASE t.id % 3 WHEN 0 THEN 'wrong project' WHEN 1 THEN 'please add the travel time' ELSE 'overlaps with leave' END AS remark
          FROM seed_day c
          JOIN timesheets t ON t.work_date = c.d AND ((t.status = 'submitted' AND c.w <= 8) OR t.approved_at > c.wednesday)
          JOIN employees e ON e.id = t.employee_id
        UNION ALL
        SELECT t.id, e.manager_id, 'approved', t.approved_at, NULL
          FROM timesheets t JOIN employees e ON e.id = t.employee_id
         WHERE t.status = 'approved') d
 ORDER BY decided_at, id;

INSERT INTO project_hours (project_id, approved_hours, sheet_count)
SELECT p.id, COALESCE(SUM(t.hours), 0), COUNT(t.id)
  FROM projects p LEFT JOIN timesheets t ON t.project_id = p.id AND t.status = 'approved'
 GROUP BY p.id;

DROP TABLE seed_n, seed_first, seed_last, seed_model, seed_day, seed_hours;

-- The last 30 days of the audit log, as the triggers below would have written it.
INSERT INTO audit_log (id, table_name, row_id, action, old_value, new_value, changed_at)
SELECT ROW_NUMBER() OVER (ORDER BY changed_at, table_name, row_id, act),
       table_name, row_id, act, old_value, new_value, changed_at
  FROM (SELECT 'approvals' AS table_name, id AS row_id, 'insert' AS act, NULL AS old_value,
               JSON_OBJECT('id', id, 'timesheet_id', timesheet_id, 'approver_id', approver_id,
                           'decision', decision, 'decided_at', decided_at, 'remark', remark) AS new_value,
               decided_at AS changed_at
          FROM approvals WHERE decided_at >= '2026-10-21'
        UNION ALL
        SELECT 'asset_assignments', id, 'insert', NULL,
               JSON_OBJECT('id', id, 'asset_id', asset_id, 'employee_id', employee_id,
                           'assigned_at', assigned_at, 'return_date', NULL, 'note', note), assigned_at
          FROM asset_assignments WHERE assigned_at >= '2026-10-21'
        UNION ALL
        SELECT 'asset_assignments', id, 'update',
               JSON_OBJECT('id', id, 'asset_id', asset_id, 'employee_id', employee_id,
                           'assigned_at', assigned_at, 'return_date', NULL, 'note', note),
               JSON_OBJECT('id', id, 'asset_id', asset_id, 'employee_id', employee_id,
                           'assigned_at', assigned_at, 'return_date', return_date, 'note', note), return_date
          FROM asset_assignments WHERE return_date >= '2026-10-21') l
 ORDER BY changed_at, table_name, row_id, act;

-- Indexes --------------------------------------------------------------------

CREATE UNIQUE INDEX ux_employees_staff_no ON employees (staff_no);
CREATE UNIQUE INDEX ux_employees_email ON employees (email);
CREATE INDEX ix_employees_manager ON employees (manager_id);
CREATE UNIQUE INDEX ux_assets_tag ON assets (tag);
CREATE INDEX ix_assignments_asset ON asset_assignments (asset_id, assigned_at);
CREATE INDEX ix_assignments_employee ON asset_assignments (employee_id);
CREATE UNIQUE INDEX ux_timesheets_day ON timesheets (employee_id, work_date, project_id);
CREATE INDEX ix_timesheets_project ON timesheets (project_id);
CREATE INDEX ix_timesheets_status ON timesheets (status);
CREATE INDEX ix_approvals_timesheet ON approvals (timesheet_id);
CREATE INDEX ix_approvals_approver ON approvals (approver_id);
CREATE INDEX ix_audit_row ON audit_log (table_name, row_id);

-- Triggers: the audit log ----------------------------------------------------
-- Rows that go by a cascade go without a trigger on this engine.

CREATE TRIGGER asset_assignments_audit_insert AFTER INSERT ON asset_assignments FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('asset_assignments', NEW.id, 'insert',
        NULL,
        JSON_OBJECT('id', NEW.id, 'asset_id', NEW.asset_id, 'employee_id', NEW.employee_id,
                    'assigned_at', NEW.assigned_at, 'return_date', NEW.return_date,
                    'note', NEW.note), UTC_TIMESTAMP());

CREATE TRIGGER asset_assignments_audit_update AFTER UPDATE ON asset_assignments FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('asset_assignments', NEW.id, 'update',
        JSON_OBJECT('id', OLD.id, 'asset_id', OLD.asset_id, 'employee_id', OLD.employee_id,
                    'assigned_at', OLD.assigned_at, 'return_date', OLD.return_date,
                    'note', OLD.note),
        JSON_OBJECT('id', NEW.id, 'asset_id', NEW.asset_id, 'employee_id', NEW.employee_id,
                    'assigned_at', NEW.assigned_at, 'return_date', NEW.return_date,
                    'note', NEW.note), UTC_TIMESTAMP());

CREATE TRIGGER asset_assignments_audit_delete AFTER DELETE ON asset_assignments FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('asset_assignments', OLD.id, 'delete',
        JSON_OBJECT('id', OLD.id, 'asset_id', OLD.asset_id, 'employee_id', OLD.employee_id,
                    'assigned_at', OLD.assigned_at, 'return_date', OLD.return_date,
                    'note', OLD.note),
        NULL, UTC_TIMESTAMP());

CREATE TRIGGER timesheets_audit_insert AFTER INSERT ON timesheets FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('timesheets', NEW.id, 'insert',
        NULL,
        JSON_OBJECT('id', NEW.id, 'employee_id', NEW.employee_id, 'project_id', NEW.project_id,
                    'work_date', NEW.work_date, 'hours', NEW.hours, 'status', NEW.status,
                    'submitted_at', NEW.submitted_at, 'approved_at', NEW.approved_at,
                    'remark', NEW.remark), UTC_TIMESTAMP());

CREATE TRIGGER timesheets_audit_update AFTER UPDATE ON timesheets FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('timesheets', NEW.id, 'update',
        JSON_OBJECT('id', OLD.id, 'employee_id', OLD.employee_id, 'project_id', OLD.project_id,
                    'work_date', OLD.work_date, 'hours', OLD.hours, 'status', OLD.status,
                    'submitted_at', OLD.submitted_at, 'approved_at', OLD.approved_at,
                    'remark', OLD.remark),
        JSON_OBJECT('id', NEW.id, 'employee_id', NEW.employee_id, 'project_id', NEW.project_id,
                    'work_date', NEW.work_date, 'hours', NEW.hours, 'status', NEW.status,
                    'submitted_at', NEW.submitted_at, 'approved_at', NEW.approved_at,
                    'remark', NEW.remark), UTC_TIMESTAMP());

CREATE TRIGGER timesheets_audit_delete AFTER DELETE ON timesheets FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('timesheets', OLD.id, 'delete',
        JSON_OBJECT('id', OLD.id, 'employee_id', OLD.employee_id, 'project_id', OLD.project_id,
                    'work_date', OLD.work_date, 'hours', OLD.hours, 'status', OLD.status,
                    'submitted_at', OLD.submitted_at, 'approved_at', OLD.approved_at,
                    'remark', OLD.remark),
        NULL, UTC_TIMESTAMP());

CREATE TRIGGER approvals_audit_insert AFTER INSERT ON approvals FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('approvals', NEW.id, 'insert',
        NULL,
        JSON_OBJECT('id', NEW.id, 'timesheet_id', NEW.timesheet_id, 'approver_id', NEW.approver_id,
                    'decision', NEW.decision, 'decided_at', NEW.decided_at, 'remark', NEW.remark), UTC_TIMESTAMP());

CREATE TRIGGER approvals_audit_update AFTER UPDATE ON approvals FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('approvals', NEW.id, 'update',
        JSON_OBJECT('id', OLD.id, 'timesheet_id', OLD.timesheet_id, 'approver_id', OLD.approver_id,
                    'decision', OLD.decision, 'decided_at', OLD.decided_at, 'remark', OLD.remark),
        JSON_OBJECT('id', NEW.id, 'timesheet_id', NEW.timesheet_id, 'approver_id', NEW.approver_id,
                    'decision', NEW.decision, 'decided_at', NEW.decided_at, 'remark', NEW.remark), UTC_TIMESTAMP());

CREATE TRIGGER approvals_audit_delete AFTER DELETE ON approvals FOR EACH ROW
INSERT INTO audit_log (table_name, row_id, action, old_value, new_value, changed_at)
VALUES ('approvals', OLD.id, 'delete',
        JSON_OBJECT('id', OLD.id, 'timesheet_id', OLD.timesheet_id, 'approver_id', OLD.approver_id,
                    'decision', OLD.decision, 'decided_at', OLD.decided_at, 'remark', OLD.remark),
        NULL, UTC_TIMESTAMP());

-- Triggers: approved hours per project ---------------------------------------

CREATE TRIGGER timesheets_hours_insert AFTER INSERT ON timesheets FOR EACH ROW
UPDATE project_hours
   SET approved_hours = approved_hours + COALESCE(NEW.hours, 0), sheet_count = sheet_count + 1
 WHERE project_id = NEW.project_id AND NEW.status = 'approved';

CREATE TRIGGER timesheets_hours_delete AFTER DELETE ON timesheets FOR EACH ROW
UPDATE project_hours
   SET approved_hours = approved_hours - COALESCE(OLD.hours, 0), sheet_count = sheet_count - 1
 WHERE project_id = OLD.project_id AND OLD.status = 'approved';

CREATE TRIGGER timesheets_hours_update AFTER UPDATE ON timesheets FOR EACH ROW
BEGIN
    UPDATE project_hours
       SET approved_hours = approved_hours - COALESCE(OLD.hours, 0), sheet_count = sheet_count - 1
     WHERE project_id = OLD.project_id AND OLD.status = 'approved';
    UPDATE project_hours
       SET approved_hours = approved_hours + COALESCE(NEW.hours, 0), sheet_count = sheet_count + 1
     WHERE project_id = NEW.project_id AND NEW.status = 'approved';
END;

-- Triggers: what the entry form has always refused ---------------------------
-- Entry was guarded from the first day; later corrections never were.

CREATE TRIGGER timesheets_entry BEFORE INSERT ON timesheets FOR EACH ROW
BEGIN
    IF NEW.hours < 0 OR NEW.hours > 24 OR (NEW.hours IS NULL AND NEW.status <> 'draft') THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'timesheets_entry_hours: hours lie within 0 and 24';
    END IF;
    IF NEW.status = 'approved' AND NOT EXISTS
       (SELECT 1 FROM approvals a WHERE a.timesheet_id = NEW.id AND a.decision = 'approved') THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'timesheets_entry_status: a new timesheet is not approved yet';
    END IF;
END;

CREATE TRIGGER approvals_who_is_fixed BEFORE UPDATE ON approvals FOR EACH ROW
IF NOT (NEW.approver_id <=> OLD.approver_id AND NEW.timesheet_id <=> OLD.timesheet_id) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'approvals_who_is_fixed: a decision keeps its approver and its timesheet';
END IF;
