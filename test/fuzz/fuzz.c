/*
 * fuzz.c: libFuzzer inside a backend.
 *
 * wf_sql_test_fuzz(target text, arguments text[]) gives the process to libFuzzer, which calls one_input
 * with what it makes of a corpus and ends the process when its time is up. Every input runs in a memory
 * context of its own that is reset after it; a target that touches the database runs in a
 * subtransaction that is rolled back. An ERROR is an answer like any other, unless it says that
 * something cannot happen (XX000, XX001), that memory is short, or that the input took more than
 * HANG_SECONDS: these, whatever the sanitizers find, and a broken promise (`must`) end the process, and
 * libFuzzer keeps the input.
 *
 * JSON inputs are changed as JSON (mutate.c), others as bytes. Text that is no UTF-8 is made so, as
 * nothing else gets past the server's input functions.
 *
 * What is promised besides: a result is well-formed jsonb that reads back as itself; the current user,
 * search_path and the timer are as before; memory outside the input's context does not grow.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/error.h"
#include "base/json.h"
#include "base/regex.h"
#include "block/block.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "expr/expr.h"
#include "fmgr.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "query/query.h"
#include "schema/schema.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#define HANG_SECONDS		20
#define SETTLE_INPUTS		20000	/* caches are filled by then */
#define GROWTH_BYTES		(8 * 1024 * 1024)

extern int	LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one_input) (const uint8_t *data, size_t size));

typedef struct Target
{
	const char *name;
	void		(*run) (char *text, int len);
	bool		json;
	bool		transaction;	/* runs in a subtransaction, with SPI */
} Target;

static const Target *target;
static MemoryContext input_memory;
static Jsonb *expression_context;

static const char *const context_text =
"{\"input\": {\"qty\": 3, \"price\": 12.50, \"name\": \"Ann \\u00e9\\ud83d\\ude00\", \"none\": null, \"ok\": true,"
" \"items\": [{\"sku\": \"a\", \"n\": 1}, {\"sku\": \"b\", \"n\": 2}, {\"sku\": \"c\", \"n\": -3.5}], \"nums\": [5, 3, 9, 1e300, -0.0001],"
" \"deep\": {\"a\": {\"b\": {\"c\": [1, [2, [3]]]}}}, \"date\": \"2024-02-29T12:34:56.789Z\", \"empty\": {}, \"list\": []},"
" \"node\": {\"stock\": {\"output\": {\"count\": 1, \"rows\": [{\"id\": 7}]}, \"status\": \"completed\", \"port\": \"out\"}},"
" \"vars\": {\"x\": 1, \"s\": \"text\"}, \"env\": {\"REGION\": \"EU\"}, \"trigger\": {\"id\": 9007199254740993}, \"item\": {\"n\": 2},"
" \"index\": 1, \"items\": [1, 2, 3], \"error\": {\"code\": \"E\", \"message\": \"m\"}, \"run\": {\"id\": \"r\", \"iteration\": {\"a\": 2}}}";

/* Ends the process; libFuzzer and AddressSanitizer then say which input it was. */
static void
broken(const char *what)
{
	fprintf(stderr, "FUZZ: %s: %s\n", target->name, what);
	abort();
}

static void
must(bool holds, const char *what)
{
	if (!holds)
		broken(what);
}

/* Warnings of the server that something was left behind are findings; others are not logged. */
static void
judge_log(ErrorData *error)
{
	static const char *const left[] = {"leak", "not closed", "not released", "non-empty SPI stack", "alloc set", "own a lock"};

	if (error->elevel != WARNING)
		return;
	error->output_to_server = false;
	for (int i = 0; i < lengthof(left); i++)
		if (strstr(error->message, left[i]) != NULL && error->sqlerrcode == ERRCODE_WARNING)
		{
			fprintf(stderr, "FUZZ: warning: %s\n", error->message);
			broken("something was left behind");
		}
}

/* -- targets -- */

static Jsonb *
jsonb_of(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* A value that a room gave is well-formed: written as text it reads back as itself. */
static void
check_value(const JsonbValue *value)
{
	Jsonb	   *copy = wf_json_copy(value);
	Jsonb	   *again = jsonb_of(JsonbToCString(NULL, &copy->root, VARSIZE(copy)));

	must(compareJsonbContainers(&copy->root, &again->root) == 0, "the result does not read back as itself");
}

static void
run_expr(char *text, int len)
{
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(expression_context);
	WfExprProblem problem = {0};
	WfExpr	   *expr = wf_expr_compile(text, len, &names, &problem);
	JsonbValue	value;

	if (expr == NULL)
	{
		must(problem.message != NULL && problem.sqlstate != 0, "refused without a reason");
		must(problem.position >= 0 && problem.position <= len, "a position outside of the source");
		return;
	}
	wf_expr_eval(expr, scope, &value);
	check_value(&value);
	/* what is no JSON (a function, an infinity) is null as a value, and still truthy */
	must(value.type == jbvNull || wf_expr_test(expr, scope) == wf_expr_truthy(&value) ||
		 strcasestr(text, "random") != NULL, "test and eval differ");
}

static void
run_template(char *text, int len)
{
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(expression_context);
	WfDiagnostics *found = wf_diagnostics_begin();
	Jsonb	   *json = jsonb_of(text);
	JsonbValue	root;
	JsonbValue	value;
	WfTemplate *tpl;

	wf_json_root(json, &root);
	tpl = wf_template_compile(&root, &names, NULL, NULL, "n", "$", found);
	must((tpl == NULL) == (found->n_errors > 0), "a template without errors is compiled");
	if (tpl == NULL)
		return;
	wf_template_eval(tpl, scope, &value);
	check_value(&value);
}

/* First byte: flags; then the pattern up to a line feed; then the subject. */
static void
run_regex(char *text, int len)
{
	static const char all[] = "dgimsuvy";
	char		flags[9];
	int			n_flags = 0;
	char	   *end = memchr(text, '\n', len);
	const char *problem = NULL;
	WfRegex    *regex;
	int			offsets[40];
	int			start = 0;

	if (end == NULL || end == text)
		return;
	for (int i = 0; i < 8; i++)
		if (text[0] & (1 << i))
			flags[n_flags++] = all[i];
	flags[n_flags] = '\0';
	regex = wf_regex_compile(text + 1, end - text - 1, flags, &problem);
	must(regex != NULL || problem != NULL, "refused without a reason");
	if (regex == NULL)
		return;
	must(wf_regex_is_valid(text + 1, end - text - 1, flags), "compiled, yet not valid");
	text = end + 1;
	len = strlen(text);
	for (int rounds = 0; rounds < 50 && start <= len; rounds++)
	{
		int			n = wf_regex_match(regex, text, len, start, false, offsets, lengthof(offsets));

		if (n == 0)
			break;
		must(n == wf_regex_group_count(regex) + 1, "number of groups");
		for (int i = 0; i < n && i < lengthof(offsets) / 2; i++)
		{
			int			from = offsets[i * 2];
			int			to = offsets[i * 2 + 1];

			must((from < 0) == (to < 0), "half a group");
			must(from <= to && to <= len, "a group outside of the subject");
		}
		start = offsets[1] > start ? offsets[1] : start + pg_mblen(text + start);
	}
}

/* {"schema": ..., "value": ...} */
static void
run_schema(char *text, int len)
{
	Jsonb	   *json = jsonb_of(text);
	JsonbValue	root;
	JsonbValue	schema;
	JsonbValue	value;
	WfSchemaError error = {0};
	WfSchema   *compiled;
	List	   *errors = NIL;
	bool		valid;

	wf_json_root(json, &root);
	if (!wf_json_field(&root, "schema", &schema) || !wf_json_field(&root, "value", &value))
		return;
	compiled = wf_schema_compile(wf_json_copy(&schema), 0, NULL, WF_SCHEMA_ASSERT_FORMAT, &error);
	must(compiled != NULL || error.message != NULL, "refused without a reason");
	if (compiled == NULL)
		return;
	valid = wf_schema_validate(compiled, &value, &errors, 20);
	must(valid == (errors == NIL), "errors if and only if invalid");
	must(wf_schema_validate(compiled, &value, NULL, 0) == valid, "the same with and without errors");
	must(list_length(errors) <= 20, "more errors than asked for");
}

static void
run_definition(char *text, int len)
{
	Jsonb	   *json = jsonb_of(text);
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_engine_compile(json, "public", true, CurrentMemoryContext, found);

	must((graph == NULL) == (found->n_errors > 0), "a definition without errors is compiled");
	wf_graph_free(graph);
}

/* {"kind": "find" ..., "config": {...}}; statements of the config's own (query, call) are left out. */
static void
run_db(char *text, int len)
{
	static const char *const kinds[] = {
		"find", "findOne", "create", "update", "upsert", "delete", "bulkCreate", "bulkUpdate", "bulkDelete", "aggregate"
	};
	Jsonb	   *json = jsonb_of(text);
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(expression_context);
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
		check_value(&root);
	}
}

static bool
sql_true(const char *sql)
{
	bool		is_null;

	must(SPI_execute(sql, false, 1) == SPI_OK_SELECT && SPI_processed == 1, sql);
	return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null)) && !is_null;
}

/* {"nodes": ..., ...}: saved and run, with its own "input" when it has one. */
static void
run_run(char *text, int len)
{
	Oid			types[1] = {JSONBOID};
	Datum		values[1] = {JsonbPGetDatum(jsonb_of(text))};
	Oid			user = GetUserId();
	char	   *path = pstrdup(GetConfigOption("search_path", false, false));
	int			nest = GetCurrentTransactionNestLevel();

	SPI_execute("SET LOCAL client_min_messages = error", false, 0);
	SPI_execute("SELECT set_config('fuzz.before', md5(string_agg(r::text, '|' ORDER BY id)), true) FROM fuzz_row r", false, 0);
	SPI_execute_with_args("SELECT wf_save('fuzz', $1 - 'input')", 1, types, values, NULL, false, 0);
	SPI_execute_with_args("CREATE TEMP TABLE fuzz_run ON COMMIT DROP AS SELECT wf_run('fuzz',"
						  " CASE WHEN jsonb_typeof($1->'input') = 'object' THEN $1->'input' ELSE '{\"n\": 1}' END,"
						  " '{\"timeout\": \"2s\"}') AS r", 1, types, values, NULL, false, 0);
	must(GetUserId() == user, "the current user is another");
	must(strcmp(GetConfigOption("search_path", false, false), path) == 0, "search_path is another");
	must(GetCurrentTransactionNestLevel() == nest, "a subtransaction was left open");
	must(sql_true("SELECT r->>'status' IN ('completed', 'failed') FROM fuzz_run"), "status of the run");
	must(sql_true("SELECT r->>'status' = 'completed' OR current_setting('fuzz.before') = (SELECT md5(string_agg(r::text, '|' ORDER BY id))"
				  " FROM fuzz_row r) FROM fuzz_run"), "it failed, and the table is not as before");
	must(sql_true("SELECT count(*) = 0 FROM wf_steps s, fuzz_run f WHERE s.run_id = (f.r->>'run_id')::uuid AND s.status NOT IN"
				  " ('completed', 'failed', 'skipped', 'retrying', 'cancelled', 'compensated')"), "status of a step");
	must(sql_true("SELECT count(*) = coalesce(max(seq), 0) AND count(DISTINCT seq) = count(*) AND coalesce(min(seq), 1) = 1"
				  " FROM wf_steps s, fuzz_run f WHERE s.run_id = (f.r->>'run_id')::uuid"), "seq has gaps");
}

/* Writes behind the end of a chunk: shows that this would be seen. */
static void
run_canary(char *text, int len)
{
	volatile char *chunk = palloc(10 + len % 2);

	chunk[10 + len % 2] = 'x';
}

static const Target targets[] = {
	{"canary", run_canary, false, false},
	{"expr", run_expr, false, false},
	{"template", run_template, true, false},
	{"regex", run_regex, false, false},
	{"schema", run_schema, true, false},
	{"definition", run_definition, true, true},
	{"db", run_db, true, true},
	{"run", run_run, true, true},
};

/* -- one input -- */

/* NUL and broken UTF-8 become question marks. */
static char *
clean_text(const uint8_t *data, size_t size, int *len)
{
	char	   *text = palloc(size + 1);

	for (size_t i = 0; i < size;)
	{
		int			n = pg_utf_mblen(data + i);

		if (data[i] == '\0' || i + n > size || !pg_utf8_islegal(data + i, n))
		{
			text[i++] = '?';
			continue;
		}
		memcpy(text + i, data + i, n);
		i += n;
	}
	text[size] = '\0';
	*len = (int) size;
	return text;
}

/* Takes the error that is current and dies of it when it is none that an input may cause. */
static void
judge_error(void)
{
	ErrorData  *error;

	MemoryContextSwitchTo(input_memory);
	error = CopyErrorData();
	FlushErrorState();
	if (error->sqlerrcode == ERRCODE_INTERNAL_ERROR || error->sqlerrcode == ERRCODE_DATA_CORRUPTED ||
		error->sqlerrcode == ERRCODE_OUT_OF_MEMORY || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		fprintf(stderr, "FUZZ: %s at %s:%d: %s\n", unpack_sql_state(error->sqlerrcode), error->filename, error->lineno,
				error->message);
		broken("an error that cannot be");
	}
}

static void
run_in_transaction(char *text, int len)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		SPI_connect();
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(memory);
		target->run(text, len);
	}
	PG_CATCH();
	{
		judge_error();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
}

static void
run_alone(char *text, int len)
{
	PG_TRY();
	{
		target->run(text, len);
	}
	PG_CATCH();
	{
		judge_error();
	}
	PG_END_TRY();
}

static void
watch_memory(void)
{
	static Size settled = 0;
	static int	inputs = 0;
	Size		now;

	if (++inputs % SETTLE_INPUTS != 0)
		return;
	now = MemoryContextMemAllocated(TopMemoryContext, true);
	if (settled == 0)
		settled = now;
	else if (now > settled + GROWTH_BYTES)
	{
		fprintf(stderr, "FUZZ: from %zu to %zu bytes\n", settled, now);
		broken("memory grows");
	}
}

static int
one_input(const uint8_t *data, size_t size)
{
	MemoryContext old = MemoryContextSwitchTo(input_memory);
	int			len;
	char	   *text = clean_text(data, size, &len);

	CHECK_FOR_INTERRUPTS();
	enable_timeout_after(STATEMENT_TIMEOUT, HANG_SECONDS * 1000);
	if (target->transaction)
		run_in_transaction(text, len);
	else
		run_alone(text, len);
	must(get_timeout_active(STATEMENT_TIMEOUT), "the timer was not restored");
	disable_timeout(STATEMENT_TIMEOUT, false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(old);
	MemoryContextReset(input_memory);
	watch_memory();
	return 0;
}

bool
wf_fuzz_wants_json(void)
{
	return target->json;
}

/* -- SQL -- */

PGDLLEXPORT Datum wf_sql_test_fuzz(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_fuzz);

/* (target text, arguments text[]): does not return; the process ends. */
Datum
wf_sql_test_fuzz(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *given;
	int			n;
	char	  **argv;
	int			argc = 1;

	for (int i = 0; i < lengthof(targets); i++)
		if (strcmp(targets[i].name, name) == 0)
			target = &targets[i];
	if (target == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown target \"%s\"", name)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &given, NULL, &n);
	argv = palloc0(sizeof(char *) * (n + 2));
	argv[0] = "fuzz";
	for (int i = 0; i < n; i++)
		argv[argc++] = TextDatumGetCString(given[i]);
	expression_context = jsonb_of(context_text);
	input_memory = AllocSetContextCreate(CurrentMemoryContext, "fuzz input", ALLOCSET_DEFAULT_SIZES);
	emit_log_hook = judge_log;
	LLVMFuzzerRunDriver(&argc, &argv, one_input);
	exit(0);
}
