/*
 * pure.c: what is fuzzed without a database: expressions, templates, patterns, schemas, schedules. Uses the rooms
 * base/, expr/, sandbox/ (without its engine) and schema/, so that a small library can be built of these alone (alone.c).
 */
#include "postgres.h"

#include "base/cron.h"
#include "base/json.h"
#include "base/regex.h"
#include "expr/expr.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "schema/schema.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

Jsonb	   *wf_fuzz_context;

static const char *const context_text =
"{\"input\": {\"qty\": 3, \"price\": 12.50, \"name\": \"Ann \\u00e9\\ud83d\\ude00\", \"none\": null, \"ok\": true,"
" \"items\": [{\"sku\": \"a\", \"n\": 1}, {\"sku\": \"b\", \"n\": 2}, {\"sku\": \"c\", \"n\": -3.5}], \"nums\": [5, 3, 9, 1e300, -0.0001],"
" \"deep\": {\"a\": {\"b\": {\"c\": [1, [2, [3]]]}}}, \"date\": \"2024-02-29T12:34:56.789Z\", \"empty\": {}, \"list\": []},"
" \"node\": {\"stock\": {\"output\": {\"count\": 1, \"rows\": [{\"id\": 7}]}, \"status\": \"completed\", \"port\": \"out\"}},"
" \"vars\": {\"x\": 1, \"s\": \"text\"}, \"env\": {\"REGION\": \"EU\"}, \"trigger\": {\"id\": 9007199254740993}, \"item\": {\"n\": 2},"
" \"index\": 1, \"items\": [1, 2, 3], \"error\": {\"code\": \"E\", \"message\": \"m\"}, \"run\": {\"id\": \"r\", \"iteration\": {\"a\": 2}}}";

Jsonb *
wf_fuzz_jsonb(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* A value that a room gave is well-formed: written as text it reads back as itself. */
void
wf_fuzz_check_value(const JsonbValue *value)
{
	Jsonb	   *copy = wf_json_copy(value);
	Jsonb	   *again = wf_fuzz_jsonb(JsonbToCString(NULL, &copy->root, VARSIZE(copy)));

	wf_fuzz_must(compareJsonbContainers(&copy->root, &again->root) == 0, "the result does not read back as itself");
}

static void
run_expr(char *text, int len)
{
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(wf_fuzz_context);
	WfExprProblem problem = {0};
	WfExpr	   *expr = wf_expr_compile(text, len, &names, &problem);
	JsonbValue	value;

	if (expr == NULL)
	{
		wf_fuzz_must(problem.message != NULL && problem.sqlstate != 0, "refused without a reason");
		wf_fuzz_must(problem.position >= 0 && problem.position <= len, "a position outside of the source");
		return;
	}
	wf_expr_eval(expr, scope, &value);
	wf_fuzz_check_value(&value);
	/* what is no JSON (a function, an infinity) is null as a value, and still truthy */
	wf_fuzz_must(value.type == jbvNull || wf_expr_test(expr, scope) == wf_expr_truthy(&value) ||
		 strcasestr(text, "random") != NULL, "test and eval differ");
}

static void
run_template(char *text, int len)
{
	WfNames		names = {0};
	WfScope    *scope = wf_scope_from_context(wf_fuzz_context);
	WfDiagnostics *found = wf_diagnostics_begin();
	Jsonb	   *json = wf_fuzz_jsonb(text);
	JsonbValue	root;
	JsonbValue	value;
	WfTemplate *tpl;

	wf_json_root(json, &root);
	tpl = wf_template_compile(&root, &names, NULL, NULL, "n", "$", found);
	wf_fuzz_must((tpl == NULL) == (found->n_errors > 0), "a template without errors is compiled");
	if (tpl == NULL)
		return;
	wf_template_eval(tpl, scope, &value);
	wf_fuzz_check_value(&value);
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
	wf_fuzz_must(regex != NULL || problem != NULL, "refused without a reason");
	if (regex == NULL)
		return;
	wf_fuzz_must(wf_regex_is_valid(text + 1, end - text - 1, flags), "compiled, yet not valid");
	text = end + 1;
	len = strlen(text);
	for (int rounds = 0; rounds < 50 && start <= len; rounds++)
	{
		int			n = wf_regex_match(regex, text, len, start, false, offsets, lengthof(offsets));

		if (n == 0)
			break;
		wf_fuzz_must(n == wf_regex_group_count(regex) + 1, "number of groups");
		for (int i = 0; i < n && i < lengthof(offsets) / 2; i++)
		{
			int			from = offsets[i * 2];
			int			to = offsets[i * 2 + 1];

			wf_fuzz_must((from < 0) == (to < 0), "half a group");
			wf_fuzz_must(from <= to && to <= len, "a group outside of the subject");
		}
		start = offsets[1] > start ? offsets[1] : start + pg_mblen(text + start);
	}
}

/* {"schema": ..., "value": ...} */
static void
run_schema(char *text, int len)
{
	Jsonb	   *json = wf_fuzz_jsonb(text);
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
	wf_fuzz_must(compiled != NULL || error.message != NULL, "refused without a reason");
	if (compiled == NULL)
		return;
	valid = wf_schema_validate(compiled, &value, &errors, 20);
	wf_fuzz_must(valid == (errors == NIL), "errors if and only if invalid");
	wf_fuzz_must(wf_schema_validate(compiled, &value, NULL, 0) == valid, "the same with and without errors");
	wf_fuzz_must(list_length(errors) <= 20, "more errors than asked for");
}

/* First byte: the zone; then an expression. */
static void
run_cron(char *text, int len)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago",
		"Asia/Beirut", "Pacific/Kwajalein", "Africa/Casablanca"};
	const char *field = NULL;
	const char *problem = NULL;
	const char *hint;
	pg_tz	   *zone;
	WfCron	   *cron;
	TimestampTz at = 0;

	if (len == 0)
		return;
	zone = wf_cron_zone(zones[text[0] & 7], &hint);
	cron = wf_cron_parse(text + 1, &field, &problem);
	wf_fuzz_must(zone != NULL, "a zone is unknown");
	wf_fuzz_must((cron == NULL) == (problem != NULL), "refused without a reason, or not refused with one");
	for (int i = 0; cron != NULL && i < 100; i++)
	{
		TimestampTz next;

		if (!wf_cron_next(cron, zone, at, &next))
			break;
		wf_fuzz_must(next > at, "not later");
		at = next + (i % 2) * USECS_PER_DAY;
	}
}

/* Writes behind the end of a chunk: shows that this would be seen. */
static void
run_canary(char *text, int len)
{
	volatile char *chunk = palloc(10 + len % 2);

	chunk[10 + len % 2] = 'x';
}

const WfFuzzTarget wf_fuzz_pure[] = {
	{"canary", run_canary, false, false},
	{"expr", run_expr, false, false},
	{"template", run_template, true, false},
	{"regex", run_regex, false, false},
	{"schema", run_schema, true, false},
	{"cron", run_cron, false, false},
	{"code", wf_fuzz_run_code, false, false, true},
	{NULL}
};

/* Before the first input. */
void
wf_fuzz_begin(void)
{
	wf_fuzz_context = wf_fuzz_jsonb(context_text);
}
