-- Fault points: they strike once, at the nth time, and not before they are armed.
CREATE EXTENSION workflow;
CREATE FUNCTION fault(spec text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_fault' LANGUAGE C STRICT;
CREATE FUNCTION fault_reach(name text) RETURNS void AS '$libdir/workflow', 'wf_sql_test_fault_reach' LANGUAGE C STRICT;
SELECT fault_reach('here');
SELECT fault('here:error');
SELECT fault_reach('there');
SELECT fault_reach('here');
SELECT fault_reach('here');
SELECT fault('here:error:3');
SELECT fault_reach('here'), fault_reach('here');
SELECT fault('?');
SELECT fault('');
SELECT fault('?');
SELECT fault_reach('here');
SELECT fault('here:sleep:1:200');
SELECT clock_timestamp() AS begun \gset
SELECT fault_reach('here');
SELECT clock_timestamp() - :'begun'::timestamptz >= '200 ms' AS slept;
SELECT fault('here:sleep:1:3600000');
SET statement_timeout = 100;
SELECT fault_reach('here');
RESET statement_timeout;
-- what is no fault
SELECT fault('here');
SELECT fault('here:die');
SELECT fault('here:kill:often');
SELECT fault('');
