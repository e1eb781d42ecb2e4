-- Expressions.

CREATE FUNCTION wf_eval(expression text, context jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE C STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'wf_sql_eval';

COMMENT ON FUNCTION wf_eval(text, jsonb) IS
	'Evaluates an expression, bare or with {{ }}; the context holds the names without "$": {"input": ..., "node": ..., "vars": ..., "item": ...}';
