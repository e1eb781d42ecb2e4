/*
 * code.c: what is fuzzed of the sandbox: programs that nobody would write, with values that nobody would send. The engine behind the wall
 * is as it is; the wall, and all that handles what comes out, is under the sanitizers.
 *
 * The first line of an input is what $input is (JSON; else it is null), the rest is the source. Promised besides: what is refused has a
 * reason; a value reads back as itself; lines of the log and messages are UTF-8; no use takes much longer than its limit; and the next
 * program gives what it always gives.
 */
#include "postgres.h"

#include <time.h>

#include "base/json.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "sandbox/sandbox.h"

#define TIME_MS		40
#define SLOW_MS		(TIME_MS + 400)	/* under sanitizers, and with others on the machine */
#define CANARY_EVERY 50

static void
must_be_utf8(const char *text, const char *what)
{
	int			bytes = text == NULL ? 0 : (int) strlen(text);

	wf_fuzz_must(bytes == 0 || pg_encoding_verifymbstr(PG_UTF8, text, bytes) == bytes, what);
}

static void
see_line(void *arg, const char *line)
{
	must_be_utf8(line, "a line of the log is not UTF-8");
	++*(int *) arg;
}

static int64
cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static Jsonb *
call(const char *source, const char *values, bool each, WfError **error)
{
	WfCodeLimits limits = {.time_ms = {TIME_MS, "hint"}, .memory_bytes = {12 * 1024 * 1024, "hint"}, .output_bytes = {256 * 1024, "hint"},
	.log_lines = {20, "hint"}, .subject = "code"};
	int			lines = 0;
	WfCodeCall	code = {.source = source, .bytes = strlen(source), .values = values, .values_bytes = strlen(values), .each = each,
	.clock_ms = 1700000000000.0, .seed = 7, .limits = &limits, .log = see_line, .arg = &lines};
	int64		begun = cpu_ms();
	Jsonb	   *value = wf_sandbox_call(&code, error);

	wf_fuzz_must((value == NULL) == (*error != NULL), "a value or an error");
	wf_fuzz_must(lines <= limits.log_lines.most, "more lines than may be");
	/* the source may have been prepared first, which has a limit of its own */
	wf_fuzz_must(cpu_ms() - begun < 2 * SLOW_MS, "it took too long");
	return value;
}

static void
look_at_next(void)
{
	static int	n = 0;
	WfError    *error;
	Jsonb	   *value;
	JsonbValue	root;
	int64		number;

	if (++n % CANARY_EVERY != 0)
		return;
	value = call("return Reflect.ownKeys(globalThis).length * 0 + [20, 22].reduce((a, b) => a + b) + ({}).polluted?.x", "{}", false, &error);
	wf_fuzz_must(value != NULL, "the next program fails");
	value = call("return [20, 22].reduce((a, b) => a + b)", "{}", false, &error);
	wf_fuzz_must(value != NULL, "the next program fails");
	wf_json_root(value, &root);
	wf_fuzz_must(wf_json_int64(&root, &number) && number == 42, "the next program gives something else");
}

void
wf_fuzz_run_code(char *text, int len)
{
	char	   *source = strchr(text, '\n');
	StringInfoData values;
	JsonbValue	input = {.type = jbvNull};
	Jsonb	   *json = NULL;
	Jsonb	   *value;
	WfError    *error;
	List	   *reads;
	WfCodeProblem problem;
	int			sqlstate;
	bool		each;

	if (source == NULL)
		return;
	*source++ = '\0';
	json = wf_json_try_parse(text, &sqlstate);
	if (json != NULL)
		wf_json_root(json, &input);
	each = wf_json_is_array(&input) && strstr(source, "$item") != NULL;
	initStringInfo(&values);
	appendStringInfo(&values, "{\"%s\":", each ? "$items" : "$input");
	wf_sandbox_append(&values, &input, "$input", WF_CODE_BIG_STRING);
	appendStringInfoString(&values, ",\"$now\":1700000000000.5}");
	if (!wf_sandbox_read(source, strlen(source), &reads, &problem))
	{
		wf_fuzz_must(problem.message != NULL && problem.sqlstate != 0, "refused without a reason");
		must_be_utf8(problem.message, "a reason is not UTF-8");
	}
	/* also what was refused: it is not to be trusted that it was */
	value = call(source, values.data, each, &error);
	if (value != NULL)
	{
		JsonbValue	root;

		wf_json_root(value, &root);
		wf_fuzz_check_value(&root);
	}
	else
	{
		wf_fuzz_must(error->message != NULL && error->code != NULL, "an error without a message");
		must_be_utf8(error->message, "a message is not UTF-8");
		must_be_utf8(error->detail, "a detail is not UTF-8");
		/* damage of the engine's that ends in a trap is what the wall is for, and yet worth knowing of */
		if (strncmp(error->message, "the JavaScript engine failed", 28) == 0)
			fprintf(stderr, "engine: %s: %s\n", error->message, source);
	}
	look_at_next();
}
