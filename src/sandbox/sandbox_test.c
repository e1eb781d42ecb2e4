/*
 * sandbox_test.c: what no code can do, for tests only: reach for addresses, lie about results, call without an engine.
 *
 * wf_sql_test_sandbox(request jsonb) -> jsonb; a request is an object:
 *
 *   {"poke": address, "write": bool, "source": text}   the guest reads, or writes, a byte there, with its memory as it is after
 *                                   boot, or after the source was compiled: {"end", "text", "bytes"}, of which the last is its size
 *   {"source": text, "values": {...}, "each": bool, "timeMs", "memoryKb", "outputKb", "logLines": n, "times": n,
 *    "lie": {"at", "bytes"} or {"hex"}}                 wf_sandbox_call, so many times (1): {"value"} or {"code", "message"} of the
 *                                   last one, with "log". With a lie, the guest says that its result is there, or it is those bytes.
 *   {"search": text, "own": bool}   is the text anywhere in the memory that a call of another source has? own: it is given to that call
 *   {"used": true}                  bytes that count against workflow.code_total_memory, of all processes
 *   {"lies": n, "seed": n}          n random lies about random ends: how many ended how
 */
#ifdef WF_TESTING

#include "postgres.h"

#include "fmgr.h"
#include "sandbox/sandbox.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum wf_sql_test_sandbox(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_sandbox);

#ifdef WITHOUT_SANDBOX

Datum
wf_sql_test_sandbox(PG_FUNCTION_ARGS)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("built without JavaScript")));
}

#else

#include "common/pg_prng.h"
#include "sandbox/wall.h"

static const WfWallLimits poke_limits = {.time_us = 1000000, .memory_bytes = 64 << 20, .stack_bytes = 256 * 1024};

static void
start(void)
{
	List	   *reads;
	WfCodeProblem problem;

	if (!wf_sandbox_read("return 1", 8, &reads, &problem))
		elog(ERROR, "%s", problem.message);
}

static const char *
end_name(WfWallEnd end)
{
	static const char *const names[] = {"done", "thrown", "pending", "broken", "stopped", "over time", "over stack", "over log", "trapped"};

	return names[end];
}

static Jsonb *
poke(const JsonbValue *request)
{
	int64		address = wf_json_get_int64(request, "poke", 0);
	char	   *source = wf_json_get_cstring(request, "source");
	WfWallImage *image = NULL;
	WfWallResult result;
	JsonbValue	write;
	WfJsonWriter *w = wf_json_writer_begin();

	start();
	if (source != NULL && (image = wf_wall_prepare(source, strlen(source), &poke_limits, &result)) == NULL)
		elog(ERROR, "cannot be prepared: %s", end_name(result.end));
	result = wf_wall_poke(image, (uint32_t) address,
						  wf_json_field(request, "write", &write) && write.type == jbvBool && write.val.boolean, &poke_limits);
	wf_wall_forget(image);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "end", end_name(result.end));
	if (result.text != NULL)
	{
		wf_json_key(w, "text", 4);
		wf_json_put_string(w, result.text, (int) result.text_bytes);
	}
	wf_json_put_field_int64(w, "bytes", (int64) result.memory_bytes);
	wf_json_end_object(w);
	wf_wall_rest();
	return wf_json_finish(w);
}

static void
keep_line(void *arg, const char *line)
{
	List	  **log = arg;

	*log = lappend(*log, pstrdup(line));
}

static void
set_lie(const JsonbValue *request)
{
	JsonbValue	lie;
	char	   *hex;

	if (!wf_json_field(request, "lie", &lie))
		return;
	wf_wall_lie.on = true;
	wf_wall_lie.at = (uint32_t) wf_json_get_int64(&lie, "at", 0);
	wf_wall_lie.bytes = (uint32_t) wf_json_get_int64(&lie, "bytes", 0);
	hex = wf_json_get_cstring(&lie, "hex");
	if (hex != NULL)
	{
		char	   *bytes = palloc(strlen(hex) / 2 + 1);

		wf_wall_lie.bytes = (uint32_t) hex_decode(hex, strlen(hex), bytes);
		bytes[wf_wall_lie.bytes] = '\0';
		wf_wall_lie.text = bytes;
	}
}

static void
put_outcome(WfJsonWriter *w, const Jsonb *value, const WfError *error, const List *log)
{
	ListCell   *cell;

	if (error == NULL)
		wf_json_put_member(w, "value", value);
	else
	{
		wf_json_put_field_cstring(w, "code", error->code);
		wf_json_put_field_cstring(w, "message", error->message);
	}
	if (log == NIL)
		return;
	wf_json_key(w, "log", 3);
	wf_json_begin_array(w);
	foreach(cell, log)
		wf_json_put_cstring(w, lfirst(cell));
	wf_json_end_array(w);
}

static Jsonb *
call(const JsonbValue *request)
{
	JsonbValue	member;
	WfCodeLimits limits;
	List	   *log = NIL;
	char	   *source = wf_json_get_cstring(request, "source");
	WfCodeCall	code = {.source = source, .bytes = strlen(source), .values = "{}", .values_bytes = 2, .seed = 1, .limits = &limits,
	.log = keep_line, .arg = &log};
	Jsonb	   *value = NULL;
	WfError    *error = NULL;
	WfJsonWriter *w = wf_json_writer_begin();

	wf_sandbox_limits(&limits);
	limits.time_ms.most = wf_json_get_int64(request, "timeMs", limits.time_ms.most);
	limits.memory_bytes.most = wf_json_get_int64(request, "memoryKb", limits.memory_bytes.most / 1024) * 1024;
	limits.output_bytes.most = wf_json_get_int64(request, "outputKb", limits.output_bytes.most / 1024) * 1024;
	limits.log_lines.most = wf_json_get_int64(request, "logLines", limits.log_lines.most);
	code.each = wf_json_field(request, "each", &member);
	if (wf_json_field(request, "values", &member))
	{
		code.values = wf_json_text(&member);
		code.values_bytes = strlen(code.values);
	}
	start();
	set_lie(request);
	PG_TRY();
	{
		for (int64 i = wf_json_get_int64(request, "times", 1); i > 0; i--)
			value = wf_sandbox_call(&code, &error);
	}
	PG_FINALLY();
	{
		memset(&wf_wall_lie, 0, sizeof(wf_wall_lie));
	}
	PG_END_TRY();
	wf_json_begin_object(w);
	put_outcome(w, value, error, log);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Random places, or random bytes that are nearly JSON. */
static void
make_lie(pg_prng_state *random, char *text, int most)
{
	static const char *const parts[] = {"{", "}", "[", "]", "\"name\":", "\"message\":", "\"stack\":", "\"line\":", "\"item\":", ",", ":",
	"\"", "1", "-1e999", "9999999999999999999999", "null", "true", "\"x\"", "\\u0000", "\\ud800", "\xed\xa0\x80", "\xc3", "\xf0\x9f\x98", " "};
	int			n = 0;

	wf_wall_lie.text = NULL;
	wf_wall_lie.at = (uint32_t) pg_prng_uint64_range(random, 0, pg_prng_bool(random) ? PG_UINT32_MAX : 4 * 1024 * 1024);
	wf_wall_lie.bytes = (uint32_t) pg_prng_uint64_range(random, 0, pg_prng_bool(random) ? PG_UINT32_MAX : 4000);
	if (pg_prng_bool(random))
		return;
	for (int64 i = pg_prng_uint64_range(random, 0, 30); i > 0; i--)
	{
		const char *part = parts[pg_prng_uint64_range(random, 0, lengthof(parts) - 1)];

		int			bytes = (int) strlen(part);

		if (n + bytes >= most)
			break;
		memcpy(text + n, part, bytes);
		n += bytes;
	}
	text[n] = '\0';
	wf_wall_lie.text = text;
	wf_wall_lie.bytes = (uint32_t) n;
}

static Jsonb *
lies(const JsonbValue *request)
{
	static const char *const sources[] = {"return 1", "throw new Error('x')", "console.log('\\ud800'); return {a: 1}"};
	int64		n = wf_json_get_int64(request, "lies", 0);
	pg_prng_state random;
	WfCodeLimits limits;
	List	   *log = NIL;
	char		text[1000];
	int64		values = 0;
	WfJsonWriter *w = wf_json_writer_begin();
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "lies", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);

	start();
	pg_prng_seed(&random, (uint64) wf_json_get_int64(request, "seed", 1));
	wf_sandbox_limits(&limits);
	PG_TRY();
	{
		for (int64 i = 0; i < n; i++)
		{
			const char *source = sources[i % lengthof(sources)];
			WfCodeCall	code = {.source = source, .bytes = strlen(source), .values = "{}", .values_bytes = 2, .seed = 1, .limits = &limits,
			.log = keep_line, .arg = &log};
			WfError    *error;

			make_lie(&random, text, sizeof(text));
			wf_wall_lie.on = true;
			values += wf_sandbox_call(&code, &error) != NULL;
			log = NIL;
			MemoryContextReset(memory);
		}
	}
	PG_FINALLY();
	{
		memset(&wf_wall_lie, 0, sizeof(wf_wall_lie));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "values", values);
	wf_json_put_field_int64(w, "refused", n - values);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static Jsonb *
used(void)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "bytes", (int64) wf_sandbox_used_bytes());
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static Jsonb *
search(const JsonbValue *request)
{
	static const char *const source = "const x = $input; return 1";
	char	   *text = wf_json_get_cstring(request, "search");
	char	   *values = psprintf("{\"$input\": \"%s\"}", text);
	JsonbValue	own;
	bool		is_own = wf_json_field(request, "own", &own) && own.type == jbvBool && own.val.boolean;
	WfWallImage *image;
	WfWallResult result;
	bool		found;
	WfJsonWriter *w = wf_json_writer_begin();

	start();
	image = wf_wall_prepare(source, strlen(source), &poke_limits, &result);
	if (image == NULL)
		elog(ERROR, "cannot be prepared: %s", end_name(result.end));
	wf_wall_lie.on = true;
	wf_wall_lie.at = 0;
	wf_wall_lie.bytes = (uint32_t) result.memory_bytes - 1;	/* a zero is to be behind it */
	result = wf_wall_call(image, is_own ? values : "{}", is_own ? strlen(values) : 2, 0, 1, 0, &poke_limits);
	memset(&wf_wall_lie, 0, sizeof(wf_wall_lie));
	if (result.end != WF_WALL_DONE)
		elog(ERROR, "not done: %s", end_name(result.end));
	found = memmem(result.text, result.text_bytes, text, strlen(text)) != NULL;
	wf_wall_forget(image);
	wf_wall_rest();
	wf_json_begin_object(w);
	wf_json_put_field_bool(w, "found", found);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

Datum
wf_sql_test_sandbox(PG_FUNCTION_ARGS)
{
	JsonbValue	request;
	JsonbValue	ignored;

	wf_json_root(PG_GETARG_JSONB_P(0), &request);
	if (wf_json_field(&request, "poke", &ignored))
		PG_RETURN_JSONB_P(poke(&request));
	if (wf_json_field(&request, "used", &ignored))
		PG_RETURN_JSONB_P(used());
	if (wf_json_field(&request, "search", &ignored))
		PG_RETURN_JSONB_P(search(&request));
	PG_RETURN_JSONB_P(wf_json_field(&request, "lies", &ignored) ? lies(&request) : call(&request));
}

#endif
#endif
