/*
 * errorlist.h: every error code of ours, sorted; included by whoever needs a view of the list.
 * Columns: SQLSTATE, symbol, condition name. docs/errors.md has cause and cure of each; a test
 * compares the two.
 */
WF_ERROR(WF001, WORKFLOW_NOT_FOUND, "workflow_not_found")
WF_ERROR(WF002, DEFINITION_INVALID, "definition_invalid")
WF_ERROR(WF003, NODE_FAILED, "node_failed")
WF_ERROR(WF004, NODE_TIMEOUT, "node_timeout")
WF_ERROR(WF005, RUN_TIMEOUT, "run_timeout")
WF_ERROR(WF006, LIMIT_EXCEEDED, "limit_exceeded")
WF_ERROR(WF007, EXPRESSION_INVALID, "expression_invalid")
WF_ERROR(WF008, EXPRESSION_FAILED, "expression_failed")
WF_ERROR(WF009, EXPRESSION_LIMIT, "expression_limit")
WF_ERROR(WF010, REQUEST_FAILED, "request_failed")
WF_ERROR(WF011, REQUEST_BLOCKED, "request_blocked")
WF_ERROR(WF012, CIRCUIT_OPEN, "circuit_open")
WF_ERROR(WF013, SECRET_MISSING, "secret_missing")
WF_ERROR(WF014, RUN_STATE, "run_state")
WF_ERROR(WF015, CANCELLED, "cancelled")
WF_ERROR(WF016, QUOTA_EXCEEDED, "quota_exceeded")
WF_ERROR(WF017, RAISED, "raised")
WF_ERROR(WF018, CODE_THROWN, "code_thrown")
WF_ERROR(WF019, PARKED, "parked")
