-- Triggers of a workflow: which one a run begins at, and which are installed
CREATE EXTENSION workflow;
SELECT wf_save('several', '{"nodes": [
	{"id": "by_hand", "type": "trigger.manual"}, {"id": "called", "type": "trigger.workflow"},
	{"id": "a", "type": "set", "config": {"variables": {"by": "hand"}}},
	{"id": "b", "type": "set", "config": {"variables": {"by": "call"}}},
	{"id": "end", "type": "return", "config": {"value": "{{ $vars.by }}"}}],
	"edges": [{"source": "by_hand", "target": "a"}, {"source": "called", "target": "b"},
	{"source": "a", "target": "end"}, {"source": "b", "target": "end"}],
	"variables": [{"name": "by", "type": "string"}]}');
-- by hand, by name, and when it is called
SELECT wf_call('several');
SELECT wf_call('several', '{}', '{"trigger": "called"}');
SELECT wf_save('caller', '{"nodes": [{"id": "c", "type": "subworkflow", "config": {"workflow": "several"}}], "edges": []}');
SELECT wf_call('caller');
SELECT wf_save('two', '{"nodes": [
	{"id": "x", "type": "trigger.workflow"}, {"id": "y", "type": "trigger.workflow"}, {"id": "out", "type": "noop"}],
	"edges": [{"source": "x", "target": "out"}, {"source": "y", "target": "out"}]}');
SELECT wf_run('two', '{"n": 1}') -> 'output' AS output;
SELECT node, status FROM wf_steps ORDER BY run_id DESC, seq LIMIT 2;
\set VERBOSITY terse
SELECT wf_call('several', '{}', '{"trigger": "by_hnd"}');
SELECT wf_call('several', '{}', '{"trigger": "a"}');
SELECT wf_call('several', '{}', '{"trigger": 1}');
\set VERBOSITY default

-- what is installed follows the active version and the status
SELECT workflow, node, type, version, state FROM wf_triggers ORDER BY 1, 2;
SELECT wf_save('several', '{"nodes": [{"id": "by_hand", "type": "trigger.manual"}], "edges": []}');
SELECT workflow, node, type, version, state FROM wf_triggers WHERE workflow = 'several' ORDER BY 1, 2;
SELECT wf_disable_trigger('several', 'by_hand');
SELECT node, version, state FROM wf_triggers WHERE workflow = 'several' ORDER BY 1;
SELECT wf_activate('several', 1);
SELECT node, version, state FROM wf_triggers WHERE workflow = 'several' ORDER BY 1;
SELECT wf_set_status('several', 'paused');
SELECT node, version, state FROM wf_triggers WHERE workflow = 'several' ORDER BY 1;
SELECT wf_set_status('several', 'active');
SELECT wf_enable_trigger('several', 'by_hand');
SELECT node, version, state FROM wf_triggers WHERE workflow = 'several' ORDER BY 1;
\set VERBOSITY terse
SELECT wf_enable_trigger('several', 'a');
SELECT wf_enable_trigger('severl', 'a');
\set VERBOSITY default
BEGIN;
SELECT wf_delete('several');
SELECT count(*) FROM wf_triggers WHERE workflow = 'several';
ROLLBACK;
SELECT count(*) FROM wf_triggers WHERE workflow = 'several';
SELECT wf_delete('several');
SELECT count(*) FROM wf.trigger t JOIN wf.workflow w USING (tenant_id, workflow_id) WHERE w.name = 'several';
