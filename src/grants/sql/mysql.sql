-- Run it as an administrator after the grants, with the client mysql or mariadb. Every trial is one statement
-- with the rights of one role; the numbers are the server's error codes (1142: denied for the table, 1143: for
-- the column, 1044: for the database, 1227: a privilege is missing), 0 is success. It works in a database of
-- its own, steadyhand_trial, which is gone at the end; if a trial ends otherwise than it must, the script fails
-- and leaves that database for a look.

DROP DATABASE IF EXISTS steadyhand_trial;
CREATE DATABASE steadyhand_trial CHARACTER SET utf8mb4;
CREATE TABLE steadyhand_trial.trial (
  id INT AUTO_INCREMENT PRIMARY KEY,
  role VARCHAR(80) NOT NULL,
  what VARCHAR(400) NOT NULL,
  statement TEXT NOT NULL,
  expected VARCHAR(80) NOT NULL,
  code INT
) ENGINE=InnoDB;
CREATE TABLE steadyhand_trial.role (name VARCHAR(80) NOT NULL) ENGINE=InnoDB;
INSERT INTO steadyhand_trial.role VALUES ('{{ detector }}'), ('{{ recovery }}');

INSERT INTO steadyhand_trial.trial (role, what, statement, expected) VALUES
{%- for trial in trials %}
  ({{ trial.role }}, {{ trial.what }}, {{ trial.sql }}, '{{ trial.expected }}'){{ ";" if loop.last else "," }}
{%- endfor %}

-- Everything in the schema that is not on the lists.
INSERT INTO steadyhand_trial.trial (role, what, statement, expected)
SELECT r.name, CONCAT('reads ', t.table_name),
       CONCAT('DO (SELECT COUNT(*) FROM `', t.table_schema, '`.`', t.table_name, '` WHERE FALSE)'), '1142'
  FROM information_schema.tables t, steadyhand_trial.role r
 WHERE t.table_schema IN ({{ schemas }}) AND CONCAT(t.table_schema, '.', t.table_name) NOT IN ('', {{ reads }});
INSERT INTO steadyhand_trial.trial (role, what, statement, expected)
SELECT r.name, CONCAT('deletes from ', t.table_name),
       CONCAT('DELETE FROM `', t.table_schema, '`.`', t.table_name, '` WHERE FALSE'), '1142'
  FROM information_schema.tables t, steadyhand_trial.role r
 WHERE t.table_type = 'BASE TABLE' AND t.table_schema IN ({{ schemas }})
   AND NOT (r.name = '{{ recovery }}' AND CONCAT(t.table_schema, '.', t.table_name) IN ('', {{ deletes }}));
INSERT INTO steadyhand_trial.trial (role, what, statement, expected)
SELECT r.name, CONCAT('inserts into ', t.table_name),
       CONCAT('INSERT INTO `', t.table_schema, '`.`', t.table_name, '` SELECT * FROM `', t.table_schema, '`.`', t.table_name, '` WHERE FALSE'), '1142'
  FROM information_schema.tables t, steadyhand_trial.role r
 WHERE t.table_type = 'BASE TABLE' AND t.table_schema IN ({{ schemas }})
   AND NOT (r.name = '{{ recovery }}' AND CONCAT(t.table_schema, '.', t.table_name) IN ('', {{ inserts }}));
INSERT INTO steadyhand_trial.trial (role, what, statement, expected)
SELECT r.name, CONCAT('changes ', c.table_name, '.', c.column_name),
       CONCAT('UPDATE `', c.table_schema, '`.`', c.table_name, '` SET `', c.column_name, '` = DEFAULT WHERE FALSE'), '1142,1143'
  FROM information_schema.columns c
  JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name,
       steadyhand_trial.role r
 WHERE t.table_type = 'BASE TABLE' AND c.table_schema IN ({{ schemas }})
   AND NOT (r.name = '{{ recovery }}' AND (CONCAT(c.table_schema, '.', c.table_name) IN ('', {{ updates_all }})
        OR CONCAT(c.table_schema, '.', c.table_name, '.', c.column_name) IN ('', {{ updates }})));

-- Rights that no harmless statement can try out, such as DROP, are read in the catalogue: 0 is one too many.
INSERT INTO steadyhand_trial.trial (role, what, statement, expected)
SELECT r.name, CONCAT('has ', p.privilege_type, ' on ', p.place), 'DO 0', 'no such right'
  FROM steadyhand_trial.role r
  JOIN (SELECT grantee, privilege_type, 'everything' AS place FROM information_schema.user_privileges
         WHERE privilege_type NOT IN ('USAGE', 'PROCESS', 'REPLICATION CLIENT', 'BINLOG MONITOR', 'REPLICA MONITOR', 'SLAVE MONITOR')
        UNION ALL
        SELECT grantee, privilege_type, table_schema FROM information_schema.schema_privileges
         WHERE NOT (table_schema = 'performance_schema' AND privilege_type = 'SELECT')
{%- if lists %}
           AND NOT (privilege_type = 'REFERENCES' AND {{ place }} LIKE table_schema)
{%- endif %}
        UNION ALL
        SELECT grantee, privilege_type, CONCAT(table_schema, '.', table_name) FROM information_schema.table_privileges
         WHERE privilege_type NOT IN ('SELECT', 'SHOW VIEW', 'INSERT', 'UPDATE', 'DELETE')) p
    ON p.grantee LIKE CONCAT('''', r.name, '''@%');

DELIMITER //
{%- for role in [detector, recovery] %}
-- Runs with the rights of the role alone, whoever calls it.
CREATE DEFINER = {{ role }} PROCEDURE steadyhand_trial.{{ role }}(OUT code INT)
  SQL SECURITY DEFINER
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION GET DIAGNOSTICS CONDITION 1 code = MYSQL_ERRNO;
  SET code = 0;
  PREPARE trial FROM @steadyhand_trial;
  EXECUTE trial;
  DEALLOCATE PREPARE trial;
END//
GRANT EXECUTE ON PROCEDURE steadyhand_trial.{{ role }} TO {{ role }}//
{%- endfor %}
CREATE PROCEDURE steadyhand_trial.run()
BEGIN
  DECLARE done INT DEFAULT 0;
  DECLARE number INT;
  DECLARE who VARCHAR(80);
  DECLARE trials CURSOR FOR SELECT id, role FROM steadyhand_trial.trial;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  OPEN trials;
  each_trial: LOOP
    FETCH trials INTO number, who;
    IF done THEN LEAVE each_trial; END IF;
    SELECT statement INTO @steadyhand_trial FROM steadyhand_trial.trial WHERE id = number;
    IF who = '{{ detector }}' THEN
      CALL steadyhand_trial.{{ detector }}(@steadyhand_code);
    ELSE
      CALL steadyhand_trial.{{ recovery }}(@steadyhand_code);
    END IF;
    UPDATE steadyhand_trial.trial SET code = @steadyhand_code WHERE id = number;
    SET done = 0;
  END LOOP;
  CLOSE trials;
END//
CREATE PROCEDURE steadyhand_trial.verdict()
BEGIN
  IF EXISTS (SELECT 1 FROM steadyhand_trial.trial WHERE code IS NULL OR FIND_IN_SET(code, expected) = 0) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'trials ended otherwise than they must: see WRONG above';
  END IF;
END//
DELIMITER ;

CALL steadyhand_trial.run();
REVOKE EXECUTE ON PROCEDURE steadyhand_trial.{{ detector }} FROM {{ detector }};
REVOKE EXECUTE ON PROCEDURE steadyhand_trial.{{ recovery }} FROM {{ recovery }};
SELECT IF(FIND_IN_SET(code, expected) > 0, 'ok', 'WRONG') AS verdict, role, what, code, expected
  FROM steadyhand_trial.trial ORDER BY id;
CALL steadyhand_trial.verdict();
DROP DATABASE steadyhand_trial;
