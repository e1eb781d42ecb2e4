/*
 * code_native.c: the engine of code blocks without its walls, for `make bench B=code`: QuickJS compiled by the system's compiler.
 *
 * code_native <file of a source> <file of values> <n>: calls the source, the body of an async function, n times as guest.c does (values
 * from JSON, the result to JSON), in one context that is never put back; prints microseconds of the processor a call.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quickjs.h"

static const char *const names[] = {
	"$input", "$node", "$trigger", "$vars", "$env", "$item", "$index", "$items", "$error", "$run", "$now", "$today"
};
#define N_NAMES (int) (sizeof(names) / sizeof(names[0]))

static char *
read_file(const char *path, size_t *bytes)
{
	FILE	   *in = fopen(path, "r");
	char	   *text;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0)
		exit(1);
	*bytes = ftell(in);
	rewind(in);
	text = malloc(*bytes + 1);
	if (text == NULL || fread(text, 1, *bytes, in) != *bytes)
		exit(1);
	text[*bytes] = '\0';
	fclose(in);
	return text;
}

static double
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void
call(JSContext *context, JSValue code, const char *json, size_t bytes)
{
	JSRuntime  *runtime = JS_GetRuntime(context);
	JSValue		values = JS_ParseJSON(context, json, bytes, "values");
	JSValue		arguments[N_NAMES];
	JSContext  *of;
	JSValue		promise;
	JSValue		settled;
	JSValue		text;

	for (int i = 0; i < N_NAMES; i++)
		arguments[i] = JS_GetPropertyStr(context, values, names[i]);
	JS_FreeValue(context, values);
	promise = JS_Call(context, code, JS_UNDEFINED, N_NAMES, arguments);
	while (JS_ExecutePendingJob(runtime, &of) > 0)
		;
	if (JS_IsException(promise) || JS_PromiseState(context, promise) != JS_PROMISE_FULFILLED)
	{
		fprintf(stderr, "the code failed\n");
		exit(1);
	}
	settled = JS_PromiseResult(context, promise);
	text = JS_JSONStringify(context, settled, JS_UNDEFINED, JS_UNDEFINED);
	JS_FreeCString(context, JS_ToCString(context, text));
	JS_FreeValue(context, text);
	JS_FreeValue(context, settled);
	JS_FreeValue(context, promise);
	for (int i = 0; i < N_NAMES; i++)
		JS_FreeValue(context, arguments[i]);
}

int
main(int argc, char **argv)
{
	JSContext  *context = JS_NewContext(JS_NewRuntime());
	size_t		bytes;
	size_t		source_bytes;
	int			n = argc == 4 ? atoi(argv[3]) : 0;
	char	   *source;
	char	   *json;
	char	   *text;
	JSValue		code;
	double		begun;

	if (n < 1)
		return 1;
	source = read_file(argv[1], &source_bytes);
	json = read_file(argv[2], &bytes);
	if (asprintf(&text, "(async function(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) {%s\n})", names[0], names[1], names[2], names[3],
				 names[4], names[5], names[6], names[7], names[8], names[9], names[10], names[11], source) < 0)
		return 1;
	code = JS_Eval(context, text, strlen(text), "code", JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_STRICT);
	if (JS_IsException(code))
		return 1;
	begun = cpu_us();
	for (int i = 0; i < n; i++)
		call(context, code, json, bytes);
	printf("%.3f\n", (cpu_us() - begun) / n);
	return 0;
}
