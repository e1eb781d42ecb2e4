/*
 * database.c: what is fuzzed with the whole library: definitions, db blocks, runs.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/json.h"
#include "block/block.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "expr/expr.h"
#include "fuzz.h"
#include "miscadmin.h"
#include "query/query.h"
#include "utils/guc.h"

static void
run_definition(char *text, int len)
{
	Jsonb	   *json = wf_fuzz_jsonb(text);
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_engine_compile(json, "public", true, CurrentMemoryContext, found);

	wf_fuzz_must((graph == NULL) == (found->n_errors > 0), "a definition without errors is compiled");
	wf_graph_free(graph);
}

/* {"kind": "find" ..., "config": {...}}; statements of the config's own (query, call) are left out. */
static void
run_db(char *text, int len)
{
	static const char *const kinds[] = {
		"find", "findOne", "create", "update", "upsert", "delete", "bulkCreate", "bulkUpdate", "bulkDelete", "aggregate"
	};
	Jsonb	   *json = wf_fuzz_jsonb(text);
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(wf_fuzz_context);
	WfDiagnostics *found = wf_diagnostics_begin();
	WfTemplate *tpl;
	WfStatement *statement;
	WfQueryResult result = {0};
	JsonbValue	root;
	JsonbValue	config;
	char	   *name;
	int			kind = 0;

	wf_json_root(json, &root);
	name = wf_json_get_cstring(&root, "kind");
	if (!wf_json_field(&root, "config", &config) || !wf_json_is_object(&config))
		return;
	while (kind < lengthof(kinds) && (name == NULL || strcmp(kinds[kind], name) != 0))
		kind++;
	if (kind == lengthof(kinds))
		return;
	tpl = wf_template_compile(&config, &names, NULL, NULL, "n", "$", found);
	if (tpl == NULL)
		return;
	statement = wf_query_make((WfQueryKind) kind, tpl, "public", "n", "$", found);
	if (statement == NULL || found->n_errors > 0)
		return;
	wf_query_check(statement, "n", "$", found);
	(void) wf_query_explain(statement, false);
	wf_query_execute(statement, scope, len % 2 == 0, &result);
	if (result.output != NULL)
	{
		wf_json_root(result.output, &root);
		wf_fuzz_check_value(&root);
	}
}

static bool
sql_true(const char *sql)
{
	bool		is_null;

	wf_fuzz_must(SPI_execute(sql, false, 1) == SPI_OK_SELECT && SPI_processed == 1, sql);
	return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null)) && !is_null;
}

/* {"nodes": ..., ...}: saved and run, with its own "input" when it has one. */
static void
run_run(char *text, int len)
{
	Oid			types[1] = {JSONBOID};
	Datum		values[1] = {JsonbPGetDatum(wf_fuzz_jsonb(text))};
	Oid			user = GetUserId();
	char	   *path = pstrdup(GetConfigOption("search_path", false, false));
	int			nest = GetCurrentTransactionNestLevel();

	SPI_execute("SET LOCAL client_min_messages = error", false, 0);
	SPI_execute("SELECT set_config('fuzz.before', md5(string_agg(r::text, '|' ORDER BY id)), true) FROM fuzz_row r", false, 0);
	SPI_execute_with_args("SELECT wf_save('fuzz', $1 - 'input')", 1, types, values, NULL, false, 0);
	SPI_execute_with_args("CREATE TEMP TABLE fuzz_run ON COMMIT DROP AS SELECT wf_run('fuzz',"
						  " CASE WHEN jsonb_typeof($1->'input') = 'object' THEN $1->'input' ELSE '{\"n\": 1}' END,"
						  " '{\"timeout\": \"2s\"}') AS r", 1, types, values, NULL, false, 0);
	wf_fuzz_must(GetUserId() == user, "the current user is another");
	wf_fuzz_must(strcmp(GetConfigOption("search_path", false, false), path) == 0, "search_path is another");
	wf_fuzz_must(GetCurrentTransactionNestLevel() == nest, "a subtransaction was left open");
	wf_fuzz_must(sql_true("SELECT r->>'status' IN ('completed', 'failed') FROM fuzz_run"), "status of the run");
	wf_fuzz_must(sql_true("SELECT r->>'status' = 'completed' OR current_setting('fuzz.before') = (SELECT md5(string_agg(r::text, '|' ORDER BY id))"
				  " FROM fuzz_row r) FROM fuzz_run"), "it failed, and the table is not as before");
	wf_fuzz_must(sql_true("SELECT count(*) = 0 FROM wf_steps s, fuzz_run f WHERE s.run_id = (f.r->>'run_id')::uuid AND s.status NOT IN"
				  " ('completed', 'failed', 'skipped', 'retrying', 'cancelled', 'compensated')"), "status of a step");
	wf_fuzz_must(sql_true("SELECT count(*) = coalesce(max(seq), 0) AND count(DISTINCT seq) = count(*) AND coalesce(min(seq), 1) = 1"
				  " FROM wf_steps s, fuzz_run f WHERE s.run_id = (f.r->>'run_id')::uuid"), "seq has gaps");
}

const WfFuzzTarget wf_fuzz_database[] = {
	{"definition", run_definition, true, true},
	{"db", run_db, true, true},
	{"run", run_run, true, true},
	{NULL}
};
