-- Personal data.

CREATE FUNCTION wf_forget(tenant text, path text, value jsonb) RETURNS int
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_forget';
COMMENT ON FUNCTION wf_forget(text, text, jsonb) IS 'erases a value from all that is known of a tenant''s runs, at a path or everywhere; how many places';

CREATE FUNCTION wf.may_hold(document jsonb, path text, value jsonb) RETURNS bool
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_sql_may_hold';
COMMENT ON FUNCTION wf.may_hold(jsonb, text, jsonb) IS 'whether JSON may hold a value: no for sure, or perhaps';
CREATE FUNCTION wf.may_hold(line text, path text, value jsonb) RETURNS bool
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_sql_may_hold_text';
COMMENT ON FUNCTION wf.may_hold(text, text, jsonb) IS 'whether a text may hold a value: no for sure, or perhaps';
CREATE FUNCTION wf.may_hold(lines text[], path text, value jsonb) RETURNS bool
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_sql_may_hold_text';
COMMENT ON FUNCTION wf.may_hold(text[], text, jsonb) IS 'whether texts may hold a value: no for sure, or perhaps';
CREATE FUNCTION wf.may_hold(steps wf.step[], path text, value jsonb) RETURNS bool
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_sql_may_hold';
COMMENT ON FUNCTION wf.may_hold(wf.step[], text, jsonb) IS 'whether steps may hold a value: no for sure, or perhaps';

CREATE FUNCTION wf.erased(document jsonb, path text, value jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_erased';
COMMENT ON FUNCTION wf.erased(jsonb, text, jsonb) IS 'JSON without a value';
CREATE FUNCTION wf.erased(line text, path text, value jsonb) RETURNS text
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_erased_text';
COMMENT ON FUNCTION wf.erased(text, text, jsonb) IS 'a text without a value';
CREATE FUNCTION wf.erased(lines text[], path text, value jsonb) RETURNS text[]
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_erased_texts';
COMMENT ON FUNCTION wf.erased(text[], text, jsonb) IS 'texts without a value';
CREATE FUNCTION wf.erased(steps wf.step[], path text, value jsonb) RETURNS wf.step[]
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_erased_steps';
COMMENT ON FUNCTION wf.erased(wf.step[], text, jsonb) IS 'steps without a value';
