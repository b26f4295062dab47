-- Run it as a superuser after the grants. Every trial takes a role, tries one statement and takes it back;
-- 42501 is "permission denied", 00000 is success. A trial that ends otherwise is named, and the script
-- fails at its end.

BEGIN;
SET LOCAL lock_timeout = '2s';
DO $do$
DECLARE
  trial record;
  state text;
  wrong integer := 0;
  tried integer := 0;
BEGIN
  FOR trial IN
    WITH roles (role) AS (VALUES ('{{ detector }}'), ('{{ recovery }}')),
    relations AS (
      SELECT c.oid, c.relkind, c.relrowsecurity, n.nspname, c.relname, n.nspname || '.' || c.relname AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'),
    tables AS (SELECT * FROM relations WHERE relkind IN ('r', 'p'))
    SELECT * FROM (VALUES
{%- for trial in trials %}
      ({{ trial.role }}, {{ trial.what }}, {{ trial.sql }}, '{{ trial.expected }}'){{ "" if loop.last else "," }}
{%- endfor %}
    ) AS listed (role, what, sql, expected)
    UNION ALL -- everything that is not on the lists
    SELECT role, 'reads ' || name, format('SELECT FROM %I.%I LIMIT 0', nspname, relname), '42501'
      FROM roles, relations
     WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT name = ANY (ARRAY[{{ reads }}]::text[])
    UNION ALL
    SELECT role, 'deletes from ' || name, format('DELETE FROM %I.%I WHERE false', nspname, relname), '42501'
      FROM roles, tables
     WHERE NOT (role = '{{ recovery }}' AND name = ANY (ARRAY[{{ deletes }}]::text[]))
    UNION ALL
    SELECT role, 'inserts into ' || name, format('INSERT INTO %I.%I DEFAULT VALUES', nspname, relname), '42501'
      FROM roles, tables
     WHERE NOT (role = '{{ recovery }}' AND name = ANY (ARRAY[{{ inserts }}]::text[]))
    UNION ALL
    SELECT role, 'changes ' || name || '.' || attname,
           format('UPDATE %I.%I SET %I = DEFAULT WHERE false', nspname, relname, attname), '42501'
      FROM roles, tables
      JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped
     WHERE NOT (role = '{{ recovery }}' AND (name = ANY (ARRAY[{{ updates_all }}]::text[])
                                      OR name || '.' || attname = ANY (ARRAY[{{ updates }}]::text[])))
    UNION ALL
    SELECT '{{ detector }}', 'draws from the sequence ' || name,
           format('SELECT nextval(%L)', format('%I.%I', nspname, relname)), '42501'
      FROM relations
     WHERE relkind = 'S'
{%- if sequences %}
    UNION ALL
    SELECT '{{ detector }}', 'sees how far the sequence is: ' || name, format('SELECT last_value FROM %I.%I', nspname, relname), '00000'
      FROM relations
     WHERE relkind = 'S' AND nspname = ANY (ARRAY[{{ schemas }}]::text[])
{%- endif %}
    UNION ALL -- a policy that hides rows must be an error, never fewer violations
    SELECT '{{ detector }}', 'reads past the row security of ' || name,
           format('SET LOCAL row_security = off; SELECT * FROM %I.%I', nspname, relname), '42501'
      FROM tables
     WHERE relrowsecurity AND name = ANY (ARRAY[{{ reads }}]::text[])
  LOOP
    BEGIN
      EXECUTE format('SET LOCAL ROLE %I', trial.role);
      EXECUTE trial.sql;
      -- It succeeded: an error of our own takes it back.
      RAISE EXCEPTION USING ERRCODE = 'SH000';
    EXCEPTION WHEN OTHERS THEN
      state := CASE SQLSTATE WHEN 'SH000' THEN '00000' ELSE SQLSTATE END;
    END;
    tried := tried + 1;
    IF state = trial.expected THEN
      RAISE NOTICE 'ok: % % (%)', trial.role, trial.what, state;
    ELSE
      wrong := wrong + 1;
      RAISE WARNING 'WRONG: % % gave % instead of %: %', trial.role, trial.what, state, trial.expected, trial.sql;
    END IF;
  END LOOP;
  IF wrong > 0 THEN
    RAISE EXCEPTION '% of % trials ended otherwise than they must', wrong, tried;
  END IF;
  RAISE NOTICE 'all % trials ended as they must', tried;
END
$do$;
ROLLBACK;
