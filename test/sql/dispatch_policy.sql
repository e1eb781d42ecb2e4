-- when a request may be sent, and sent again: retries, lanes, circuits, with a clock of the test's
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION test_retry(retry jsonb, attempt jsonb) RETURNS int8 AS '$libdir/workflow', 'wf_sql_test_retry' LANGUAGE C;
CREATE FUNCTION test_policy(script jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_policy' LANGUAGE C STRICT;
CREATE FUNCTION lanes_random(seed int8, steps int) RETURNS text AS '$libdir/workflow', 'wf_sql_test_lanes_random' LANGUAGE C STRICT;
CREATE FUNCTION circuits_random(seed int8, steps int) RETURNS text AS '$libdir/workflow', 'wf_sql_test_circuits_random' LANGUAGE C STRICT;

-- The delays after the first, second ... attempt has failed, until there are no more.
CREATE FUNCTION delays(retry jsonb, attempt jsonb, most int DEFAULT 12) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text := ''; ms int8;
BEGIN
	FOR n IN 1 .. most LOOP
		ms := test_retry(retry, attempt || jsonb_build_object('failures', n));
		EXIT WHEN ms < 0;
		said := said || ms || ' ';
	END LOOP;
	RETURN said || CASE WHEN ms < 0 THEN 'no more' ELSE '...' END;
END $$;
-- A line of steps, as `[at] do[:name[:as]] [member=value ...]; ...`; gives each step with what came of it.
CREATE FUNCTION play(kind text, script text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE steps text[] := regexp_split_to_array(btrim(script, E' \n\t;'), '\s*;\s*'); all_steps jsonb := '[]'; one jsonb; words text[]; word text; names text[]; said jsonb;
BEGIN
	FOR i IN 1 .. cardinality(steps) LOOP
		one := '{}';
		FOREACH word IN ARRAY regexp_split_to_array(steps[i], '\s+') LOOP
			IF word ~ '^-?\d+$' THEN
				one := one || jsonb_build_object('at', word::int8);
			ELSIF word ~ '=' THEN
				one := one || jsonb_build_object(split_part(word, '=', 1), split_part(word, '=', 2)::jsonb);
			ELSE
				names := string_to_array(word, ':');
				one := one || jsonb_build_object('do', names[1]);
				IF cardinality(names) > 1 THEN one := one || jsonb_build_object(kind, names[2]); END IF;
				IF cardinality(names) > 2 THEN one := one || jsonb_build_object('as', names[3]); END IF;
			END IF;
		END LOOP;
		all_steps := all_steps || jsonb_build_array(one);
	END LOOP;
	said := test_policy(all_steps);
	RETURN QUERY SELECT rtrim(steps[n] || ' -> ' || (said->>(n - 1))) FROM generate_series(1, cardinality(steps)) n;
END $$;

-- retries: the default, and what is missing in an object
SELECT delays(NULL, '{"isRetryable": true}'), delays(NULL, '{"isRetryable": true, "random": 1}'), delays('null', '{"isRetryable": true}'), delays('{}', '{"isRetryable": true, "random": 0.5}');
SELECT delays('{"maxAttempts": 12}', '{"isRetryable": true}'), delays('{"maxAttempts": 12}', '{"isRetryable": true, "random": 1}');
SELECT delays('{"maxAttempts": 1}', '{"isRetryable": true}'), delays(NULL, '{"isRetryable": false}');

-- shapes of backoff
SELECT delays('{"maxAttempts": 5, "backoff": "fixed", "jitter": 0}', '{"isRetryable": true, "random": 1}');
SELECT delays('{"maxAttempts": 5, "backoff": "linear", "initialDelayMs": 250}', '{"isRetryable": true}'), delays('{"maxAttempts": 5, "backoff": "linear", "initialDelayMs": 250, "maxDelayMs": 600, "jitter": 1}', '{"isRetryable": true, "random": 0.5}');
SELECT delays('{"maxAttempts": 5, "initialDelayMs": 100, "multiplier": 1.5}', '{"isRetryable": true}'), delays('{"maxAttempts": 4, "multiplier": 1}', '{"isRetryable": true}'), delays('{"maxAttempts": 5, "multiplier": 10, "maxDelayMs": 20000}', '{"isRetryable": true}');
SELECT delays('{"maxAttempts": 4, "initialDelayMs": 0}', '{"isRetryable": true, "random": 1}'), delays('{"maxAttempts": 4, "maxDelayMs": 0}', '{"isRetryable": true, "random": 1}'), delays('{"maxAttempts": 4, "initialDelayMs": 5000, "maxDelayMs": 10}', '{"isRetryable": true}');
SELECT test_retry('{"maxAttempts": 1000, "multiplier": 1000, "initialDelayMs": 31536000000, "maxDelayMs": 31536000000, "jitter": 1}', '{"isRetryable": true, "failures": 999, "random": 1}');

-- what is not what it should be counts as missing
SELECT delays('{"maxAttempts": 0, "backoff": "cubic", "initialDelayMs": -1, "multiplier": 0, "maxDelayMs": "1s", "jitter": 7, "retryOn": 5, "stopOn": "503"}', '{"isRetryable": true, "status": 503, "random": 1}');

-- Retry-After: the least delay, at most maxDelay, with jitter of its own
SELECT a, delays('{"maxAttempts": 5}', jsonb_build_object('isRetryable', true, 'retryAfterMs', a)), delays('{"maxAttempts": 5, "maxDelayMs": 3000}', jsonb_build_object('isRetryable', true, 'retryAfterMs', a, 'random', 1))
FROM unnest(ARRAY[-1, 0, 1, 3000, 60000, 300001, 9223372036854775807]) a;
SELECT delays(NULL, '{"isRetryable": false, "retryAfterMs": 10, "status": 400, "code": "WF010"}');

-- maxElapsed: no attempt that would begin later
SELECT e, test_retry('{"maxElapsedMs": 10000}', jsonb_build_object('isRetryable', true, 'elapsedMs', e)), test_retry('{"maxElapsedMs": 10000}', jsonb_build_object('isRetryable', true, 'elapsedMs', e, 'retryAfterMs', 5000)), test_retry('{"maxElapsedMs": 0}', jsonb_build_object('isRetryable', true, 'elapsedMs', e))
FROM unnest(ARRAY[0, 5000, 5001, 9000, 9001, 20000, 9000000000000]) e;
-- what never left the process is tried again soon, then less often, and not for ever
SELECT n, test_retry(NULL, jsonb_build_object('uncounted', n)) AS least, test_retry(NULL, jsonb_build_object('uncounted', n, 'random', 1)) AS most, test_retry('{"maxAttempts": 1, "maxElapsedMs": 10000}', jsonb_build_object('uncounted', n, 'elapsedMs', 9000)) AS late FROM unnest(ARRAY[0, 1, 2, 6, 7, 19, 20, 1000000000]) n;

-- which: by kind, retryOn, stopOn
CREATE TABLE case_of (n int, attempt jsonb);
INSERT INTO case_of VALUES (1, '{"status": 503, "code": "WF010", "isRetryable": true}'), (2, '{"status": 404, "code": "WF010", "isRetryable": false}'), (3, '{"code": "WF010", "isRetryable": true}'), (4, '{"code": "WF011", "isRetryable": true}'),
	(5, '{"code": "WF013", "isRetryable": true}'), (6, '{"code": "22023", "isRetryable": true}'), (7, '{"code": "WF006", "status": 200, "isRetryable": true}'), (8, '{"code": "WF012", "isRetryable": true}'), (9, '{"isRetryable": true}'), (10, '{"status": 200, "code": "WF010", "isRetryable": false}');
SELECT p, (SELECT string_agg(CASE WHEN test_retry(p::jsonb, attempt) >= 0 THEN n::text ELSE '.' END, ' ' ORDER BY n) FROM case_of)
FROM unnest(ARRAY['{}', '{"retryOn": []}', '{"stopOn": []}', '{"retryOn": [503]}', '{"retryOn": ["503"]}', '{"retryOn": ["5xx"]}', '{"retryOn": ["4XX", "5xx"]}', '{"retryOn": ["50*"]}', '{"retryOn": ["*"]}', '{"retryOn": ["WF010"]}', '{"retryOn": ["WF*"]}', '{"retryOn": ["WF01"]}', '{"retryOn": ["wf010"]}',
	'{"retryOn": ["WF011", "WF006"]}', '{"retryOn": ["22023"]}', '{"retryOn": ["22*"]}', '{"retryOn": ["2xx"]}', '{"retryOn": ["0xx", "0", 0, "0*"]}', '{"retryOn": [null, true, {}, [503], ""]}', '{"retryOn": [503.0]}', '{"retryOn": [503.5, 1e30]}', '{"stopOn": [503]}', '{"stopOn": ["5xx"]}', '{"stopOn": ["WF010"]}', '{"stopOn": ["*"]}', '{"retryOn": ["WF*"], "stopOn": [404, "WF011"]}', '{"retryOn": [503], "stopOn": [503]}']) p;

-- lanes: rates are exact
SELECT play('lane', '0 limit:a per=1000 requests=3; take:a wanted=2; take:a; take:a; 333 take:a; 334 take:a; 666 take:a; 667 take:a; 999 take:a; 1000 take:a; 1001 take:a; 2000 take:a; 9999 take:a; 1000000 take:a');
SELECT play('lane', '0 limit:a per=60000 requests=1 burst=5; take:a; 59999 take:a; 60000 take:a; 180000 take:a; 9000000 take:a');
SELECT play('lane', '0 limit:a per=1 requests=1000 burst=10; take:a; take:a; 1 take:a; 2 take:a wanted=3; take:a');
SELECT play('lane', '0 limit:a per=31536000000 requests=2147483647; take:a wanted=7 max=100; room:a wanted=2147483647 max=2147483647; 31536000000 room:a wanted=2147483647 max=2147483647; limit:b per=31536000000 requests=1 burst=2147483647; take:b wanted=3; room:b wanted=2147483647 max=2147483647; limit:c per=9223372036854775807 requests=1; take:c; take:c');

-- a clock that jumps: back, forward, or that trembles
SELECT play('lane', '5000000 limit:a per=1000 requests=2; take:a; 5000250 take:a; 1400000 take:a; 1400250 take:a; 1400499 take:a; 1400750 take:a; 5000750 take:a; 5000751 take:a');
SELECT play('lane', '5000 limit:a per=1000 requests=1; take:a; 5600 take:a; 5001 take:a; 5600 take:a; 5001 take:a; 5600 take:a; 6000 take:a');
SELECT play('lane', '-5000 limit:a per=1000 requests=1; take:a; -4000 take:a; 0 take:a; 999 take:a; 1000 take:a');

-- limits that change: tokens stay, as far as the new burst goes
SELECT play('lane', '0 limit:a per=1000 requests=10; take:a wanted=4; limit:a per=1000 requests=100; take:a; limit:a per=1000 requests=10; take:a; 100 take:a; limit:a per=1000 requests=1; 600 take:a; 1099 take:a; 1100 take:a');
SELECT play('lane', '0 limit:a per=1000 requests=10; limit:a per=1000 requests=2; take:a; limit:a per=1000 requests=10; take:a; limit:a; take:a wanted=3; limit:a per=1000 requests=10; take:a; 200 take:a');
SELECT play('lane', '0 limit:a per=1000 requests=10; take:a; 50 limit:a per=10000 requests=10; take:a; 550 limit:a per=1000 requests=10; take:a; 600 take:a');

-- at once: of one lane, of all, and half of what others leave
SELECT play('lane', '0 limit:a most=3; take:a wanted=2; take:a; take:a; end:a; take:a; limit:a most=1; take:a; end:a times=2; take:a; end:a; take:a');
SELECT play('lane', '0 take:a max=100; take:a max=100; take:b max=100; take:b max=100; take:a max=100; take:c max=100; end:a times=20; take:d max=100; take:a max=100; end:a times=10; take:a max=100; take:b max=100');
SELECT play('lane', '0 take:a max=1; take:a max=1; take:b max=1; end:a; take:b max=1; take:a max=2; take:c max=2; room:d max=0; room:d max=4; room:d max=4 wanted=0');
SELECT play('lane', '0 begin:a times=6; room:a max=4; room:b max=4; end:a times=3; room:b max=4; room:a max=4');

-- bytes: half of what others leave; a tenant that has half of all gets no more of the last quarter; one that has nothing may send one
SELECT play('lane', '0 bytes:a most=100; heavy:a bytes=30; bytes:a most=100; heavy:a bytes=30; bytes:a most=100; bytes:b most=100; heavy:b bytes=40; bytes:b most=100; bytes:c most=100; heavy:c bytes=50; bytes:c most=100; bytes:d most=100; light:a bytes=30 times=2; bytes:a most=100; bytes:b most=100');
SELECT play('lane', format('0 heavy:%1$s1 bytes=50; bytes:%1$s2 most=100; heavy:%1$s2 bytes=25; bytes:%1$s3 most=100; heavy:%1$s3 bytes=5; bytes:%1$s3 most=100; bytes:%1$s4 most=100; bytes:b most=100', repeat('t', 36)));

-- both: an end is waited for first; debt is paid back; what is given back was never taken
SELECT play('lane', '0 limit:a per=1000 requests=2 most=2; take:a; take:a; end:a; take:a; 500 take:a; end:a; take:a; back:a; take:a');
SELECT play('lane', '0 limit:a per=1000 requests=2; begin:a times=3; take:a; 999 take:a; 1000 take:a; 1000 begin:a times=90; take:a; 2499 take:a; 2500 take:a');
SELECT play('lane', '0 limit:a per=1000 requests=2; take:a; back:a; take:a; back:a times=2; take:a; back:a; end:a; take:a');

-- sweeping
SELECT play('lane', '0 begin:a; limit:b per=1000 requests=1; take:b; end:b; limit:c per=1000 requests=5; room:d; sweep; 999 sweep; 1000 sweep; end:a; sweep; take:b; take:b; sweep');
SELECT play('lane', 'bound lanes=100; 0 many:x n=300 per=1000 requests=1; many:y n=150 per=900000 requests=1; begin:z; sweep; 1000 sweep; limit:y1 per=900000 requests=1; limit:z; sweep; 900000 sweep; end:z; sweep');

-- circuits: closed, open, half open
SELECT play('circuit', '0 look:a; pass:a; tell:a failed=true times=9; look:a; pass:a; tell:a; look:a; tell:a failed=true; look:a; pass:a; 29999 pass:a; look:a; 30000 look:a; pass:a; pass:a; pass:b; 30100 tell:a; look:a; pass:a; tell:a failed=true; look:a');
SELECT play('circuit', '0 pass:a; tell:a times=11; tell:a failed=true times=10; look:a; tell:a failed=true; look:a');
-- nine are too few; a success opens nothing
SELECT play('circuit', '0 tell:a failed=true times=9; 60000 tell:a failed=true; look:a; tell:b failed=true times=5; tell:b times=5; look:b; tell:b; tell:b failed=true');
-- the probe fails: twice as long each time, up to ten minutes
SELECT play('circuit', '0 tell:a failed=true times=10; 30000 pass:a; 30001 tell:a failed=true; look:a; 90000 pass:a; 90001 pass:a; 90002 tell:a failed=true; look:a; 210002 pass:a; tell:a failed=true; look:a; 450002 pass:a; tell:a failed=true; look:a; 930002 pass:a; tell:a failed=true; look:a; 1530002 pass:a; tell:a failed=true; look:a; 2130002 pass:a; tell:a; look:a; tell:a failed=true times=10; look:a');
-- what was sent before it opened says nothing, open, half open or closed again
SELECT play('circuit', '0 pass:a:old; tell:a failed=true times=10; 10 tell:a:old; tell:a:old failed=true; look:a; 30000 pass:a:probe; tell:a:old; look:a; pass:a; tell:a:old failed=true; look:a; tell:a:probe; look:a; tell:a:old failed=true times=20; look:a; tell:a:probe failed=true times=9; look:a; pass:a:new; tell:a:new failed=true');
-- a probe that is given up, or of which nothing is heard
SELECT play('circuit', '0 tell:a failed=true times=10; 30000 pass:a:p1; giveUp:a:other; pass:a:p2; giveUp:a:p1; tell:a:p1; look:a; pass:a:p2; 59500 pass:a:p3; 329999 pass:a:p3; 330000 pass:a:p3; tell:a:p2; giveUp:a:p2; pass:a:p4; tell:a:p3; look:a; giveUp:a:p3; look:a');
-- the window goes on by slots of five seconds
SELECT play('circuit', '1000 tell:a failed=true times=4; 6000 tell:a times=3; 59999 look:a; 60000 look:a; 64999 look:a; 65000 look:a; tell:a times=2; 124999 look:a; 125000 look:a; 9000000 look:a; tell:a; look:a');
-- a clock that is set back or forward
SELECT play('circuit', '5000000 tell:a failed=true times=10; look:a; 1400000 pass:a; look:a; 1430000 pass:a:p; 1000000 pass:a; 1299999 pass:a; 1300000 pass:a:q; tell:a:p; tell:a:q; look:a');
SELECT play('circuit', '5000000 tell:a failed=true times=4; 4999000 tell:a failed=true; look:a; 4945000 look:a; 4940000 look:a; tell:a failed=true; look:a; 5000000 look:a; 8600000 look:a; tell:b failed=true times=10; 12200000 pass:b');
-- what was written down, and resetting
SELECT play('circuit', '1000 set:a state=1 changed=500 retryAt=61000 timesOpened=2; look:a; pass:a; 61000 pass:a; tell:a failed=true; look:a; reset:a; look:a; pass:a; set:b state=2 retryAt=900; look:b; pass:b:p; reset:b; pass:b; tell:b:p; tell:b:p failed=true; look:b; set:b state=0; look:b; reset:c; set:d state=0; set:e state=1 retryAt=99000000; pass:e; sweep');
-- sweeping: closed ones without attempts in the window, open ones that nobody wants any more
SELECT play('circuit', '0 tell:a; tell:b failed=true times=10; tell:c failed=true times=10; sweep; 59999 sweep; 60000 sweep; look:b; 3629999 pass:c:p; 3630000 sweep; pass:b; tell:c:p failed=true; look:c; 7289999 sweep; 7290000 sweep');
-- bounded: closed ones make room, those with the fewest failures first, open ones never
SELECT play('circuit', 'bound circuits=80; 0 tell:bad failed=true times=10; tell:shaky failed=true times=5; many:x n=200; look:bad; look:shaky; many:y n=200 failed=true; look:shaky; look:bad; 70000 tell:z; sweep');
SELECT play('circuit', 'bound circuits=3; 0 tell:a failed=true times=10; tell:b failed=true times=10; tell:c failed=true times=10; tell:d failed=true times=20; pass:d; look:d; set:e retryAt=9; look:e; look:a; 100 sweep; reset:a; reset:e; tell:d failed=true times=10; 9999 tell:d failed=true times=10; 10000 tell:d failed=true times=10; look:d; look:b; look:c');

-- random steps: what must always be so
SELECT said, count(*) FROM (SELECT lanes_random(seed, 700) AS said FROM generate_series(1, 300) seed) s GROUP BY 1 ORDER BY 1;
SELECT said, count(*) FROM (SELECT circuits_random(seed, 3000) AS said FROM generate_series(1, 100) seed) s GROUP BY 1 ORDER BY 1;
