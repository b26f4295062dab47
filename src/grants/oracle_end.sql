-- To stop a statement takes ALTER SYSTEM, which is far too much. An account that nobody can log in to has
-- it, and lends it for sessions of steadyhand under the account that asks, and for no others.
BEGIN EXECUTE IMMEDIATE 'CREATE USER STEADYHAND_OPS NO AUTHENTICATION'; EXCEPTION WHEN OTHERS THEN IF SQLCODE <> -1920 THEN RAISE; END IF; END;
/
GRANT ALTER SYSTEM TO STEADYHAND_OPS;
GRANT READ ON SYS.GV_$SESSION TO STEADYHAND_OPS;
CREATE OR REPLACE PROCEDURE STEADYHAND_OPS.STEADYHAND_END(
  what IN VARCHAR2, session_id IN NUMBER, serial IN NUMBER, instance IN NUMBER
) AUTHID DEFINER IS
  found INTEGER;
BEGIN
  SELECT COUNT(*) INTO found FROM SYS.GV_$SESSION S
    WHERE S.SID = session_id AND S.SERIAL# = serial AND S.INST_ID = instance
    AND S.MODULE = 'steadyhand' AND S.USERNAME = SYS_CONTEXT('USERENV', 'SESSION_USER');
  IF found = 0 THEN RETURN; END IF;
  IF what = 'STATEMENT' THEN
    EXECUTE IMMEDIATE 'ALTER SYSTEM CANCEL SQL ''' || session_id || ', ' || serial || ', @' || instance || '''';
  ELSIF what = 'SESSION' THEN
    EXECUTE IMMEDIATE 'ALTER SYSTEM KILL SESSION ''' || session_id || ',' || serial || ',@' || instance || ''' IMMEDIATE';
  END IF;
END;
/
