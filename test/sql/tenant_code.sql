-- Code and tenants: limits from above, and the quota of its time; the same with the library preloaded and without.
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE ROLE regress_wf_boss;
CREATE ROLE regress_wf_child;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION state(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text; h text; BEGIN EXECUTE sql; RETURN 'fine';
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT; RETURN concat_ws(E'\n  ', SQLSTATE || ' ' || SQLERRM, nullif(d, ''), nullif(h, '')); END $$;
CREATE FUNCTION code(source text, limits jsonb DEFAULT '{}', settings jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; BEGIN
	PERFORM wf_save('c', jsonb_build_object('settings', settings, 'nodes', jsonb_build_array(jsonb_build_object('id', 'c', 'type', 'code', 'config', jsonb_build_object('source', source, 'limits', limits)))));
	r := wf_run('c');
	RETURN coalesce(nullif(concat_ws(' ', r #>> '{error,code}', (r #>> '{error,message}') || ': ' || (r #>> '{error,hint}')), ''), r ->> 'output');
END $$;
SELECT wf_create_tenant('acme') IS NOT NULL, wf_create_tenant('labs', '{"parent": "acme"}') IS NOT NULL;
SELECT wf_grant('regress_wf_boss', 'acme', 'admin'), wf_grant('regress_wf_child', 'labs', 'admin');

-- -- limits
SELECT state(format($$SELECT wf_set_tenant('acme', '{"settings": %s}')$$, s)) FROM unnest(ARRAY['{"codeTime": "fast"}', '{"codeTime": 0}', '{"codeTime": true}', '{"codeMemory": "1MB"}', '{"codeMemory": "much"}', '{"codeMemory": []}',
	'{"codeLogLines": -1}', '{"codeLogLines": 1.5}', '{"codeLogLines": "3"}', '{"codeTimes": "1s"}']) s;
SET ROLE regress_wf_child;
SELECT code('return "x".repeat(2000)', '{"output": "1kB"}');
SELECT code('return "x".repeat(2000)', '{"output": "1MB"}', '{"maxOutputSize": "1kB"}');
SET ROLE regress_wf_boss;
SELECT wf_set_tenant('acme', '{"settings": {"codeTime": "60 ms", "codeMemory": "8MB", "codeLogLines": 3}}');
SET ROLE regress_wf_child;
SELECT code('while (true) ;');
SELECT code('const a = []; while (true) a.push(new Array(1000).fill(1))');
SELECT code('for (let i = 0; i < 4; i++) console.log(i)');
SELECT code('for (let i = 0; i < 3; i++) console.log(i); return 1');
-- a node lowers them, and does not raise them
SELECT code('while (true) ;', '{"time": "30ms"}'), code('console.log(1); console.log(2)', '{"logLines": 1}'), code('console.log(1)', '{"logLines": 0}');
SELECT code('while (true) ;', '{"time": "1h", "memory": "1GB", "logLines": 1000000}'), code('for (;;) console.log(1)', '{"logLines": 1000000}');
-- neither does the tenant below, of whose own and those above the lowest holds
SELECT wf_set_tenant('labs', '{"settings": {"codeTime": "1h", "codeLogLines": 1, "codeMemory": 1000000000}}');
SELECT code('while (true) ;'), code('console.log(1); console.log(2)'), code('const a = []; while (true) a.push(new Array(1000).fill(1))');
SELECT wf_set_tenant('labs', '{"settings": {"codeTime": 0.04}}');
SELECT code('while (true) ;');
-- nor the tenant above what the installation allows
RESET ROLE;
SET workflow.code_time = '25ms';
SET workflow.code_log_lines = 0;
SET workflow.tenant = 'labs';
SELECT code('while (true) ;'), code('console.log(1)');
SET workflow.code_memory = '4MB';
SELECT code('const a = []; while (true) a.push(new Array(1000).fill(1))');
RESET workflow.code_memory;
RESET workflow.code_time;
RESET workflow.code_log_lines;
RESET workflow.tenant;
SELECT wf_set_tenant('labs', '{"settings": {"codeTime": null, "codeMemory": null, "codeLogLines": null}}'), wf_set_tenant('acme', '{"settings": {"codeTime": null, "codeMemory": null, "codeLogLines": null}}');
SET ROLE regress_wf_child;
SELECT code('for (let i = 0; i < 4; i++) console.log(i); return 1');

-- -- the quota: of the tenant and all below it
RESET ROLE;
SELECT wf_set_tenant('acme', '{"quotas": {"codeTime": "100 ms"}}');
SET ROLE regress_wf_boss;
SELECT quota, "limit", used, resets_at, inherited FROM wf_quotas;
SELECT code('while (true) ;', '{"time": "60ms"}');
SELECT quota, "limit", used BETWEEN 59 AND 99 AS used, resets_at BETWEEN now() + '50 s' AND now() + '62 s' AS soon FROM wf_quotas;
SET ROLE regress_wf_child;
SELECT quota, "limit", used, inherited FROM wf_quotas;
SELECT code('while (true) ;', '{"time": "60ms"}');
-- it is used up: what would be next, is refused
SELECT code('return 1');
SET ROLE regress_wf_boss;
SELECT regexp_replace(code('return 1'), '\d\d+ ms are', '# ms are');
SELECT regexp_replace(state($$SELECT wf_call('c')$$), '\d\d+ ms are', '# ms are');
SELECT used BETWEEN 119 AND 198 FROM wf_quotas;
-- an error as any other: it is routed, or waited for
SELECT wf_save('routed', '{"nodes": [{"id": "c", "type": "code", "config": {"source": "return 1"}}, {"id": "r", "type": "return", "config": {"value": "{{ $error.code }}"}}], "edges": [{"source": "c", "sourceHandle": "error", "target": "r"}]}');
SELECT wf_call('routed');
-- nor is an expression that is full JavaScript another way
SELECT wf_save('full', '{"nodes": [{"id": "s", "type": "set", "config": {"variables": {"a": "{{ (() => { return 1 })() }}"}}}], "settings": {"javascript": "full"}}');
SELECT wf_run('full') #>> '{error,code}';
-- other nodes cost nothing
SELECT wf_save('none', '{"nodes": [{"id": "a", "type": "noop"}]}'), wf_run('none') ->> 'status';
-- with one snapshot a transaction, too
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT code('return 1');
COMMIT;
RESET ROLE;
-- another tenant has nothing to do with it
SELECT code('return 1');
-- of a larger one there is more
SELECT wf_set_tenant('acme', '{"quotas": {"codeTime": "200 ms"}}');
SET ROLE regress_wf_child;
SELECT code('return 1');
SET ROLE regress_wf_boss;
-- what was cancelled or rolled back was done; a call that ends after the time was used up may end
BEGIN;
SELECT code('while (true) ;', '{"time": "60ms"}');
ROLLBACK;
SELECT used BETWEEN 179 AND 199 FROM wf_quotas;
BEGIN;
SET LOCAL statement_timeout = '200ms';
SELECT code('while (true) ;');
ROLLBACK;
SELECT used > 200 FROM wf_quotas;
SELECT left(code('return 1'), 5);
-- none at all
RESET ROLE;
SELECT wf_set_tenant('acme', '{"quotas": {"codeTime": 0}}');
SET ROLE regress_wf_boss;
SELECT code('return 1');
RESET ROLE;
SELECT wf_set_tenant('acme', '{"quotas": {"codeTime": null}}'), wf_set_tenant('labs', '{"quotas": {"codeTime": "20 ms"}}');
SET ROLE regress_wf_boss;
SELECT code('return 1');
SELECT count(*) FROM wf_quotas;
SET ROLE regress_wf_child;
SELECT code('while (true) ;', '{"time": "60ms"}');
SELECT code('return 1') ~ 'WF016 .*"labs" has used up its quota "codeTime"';
RESET ROLE;
DROP EXTENSION workflow CASCADE;
DROP ROLE regress_wf_boss, regress_wf_child;
