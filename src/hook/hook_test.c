/*
 * hook_test.c: the room driven from SQL, for tests only.
 *
 * wf_sql_test_hook_path(pattern text, path text) -> jsonb: {"problem"} or {"canonical", "rank", "params"}; params is null when
 * the path does not match.
 * wf_sql_test_hook_order(a text, b text) -> int: which pattern goes before.
 * wf_sql_test_hook_method(name text) -> text
 * wf_sql_test_hook_headers(headers jsonb) -> jsonb: {"problem"} or them.
 * wf_sql_test_hook_body(headers jsonb, body bytea) -> jsonb: {"problem"} or {"body"}.
 * wf_sql_test_hook_check(auth jsonb, headers jsonb, body bytea, now bigint) -> jsonb: {"refused", "unusable"?} or {"id", "claims"?}.
 *
 * wf_sql_test_hook_mutate(auth jsonb, headers jsonb, body bytea, now bigint, name text, seed bigint, n int) -> jsonb: changes the
 * header `name` (the body, when that is empty) n times at random: {"tried": how many, "accepted": [text, ...]}. What the change
 * leaves as it was is not tried.
 */
#ifdef WF_TESTING

#include "postgres.h"

#include "base/compat.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "hook/internal.h"
#include "hook/path.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_path);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_order);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_method);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_headers);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_body);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_check);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hook_mutate);

static Datum
one_member(const char *key, const char *text)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, key, text);
	wf_json_end_object(w);
	return JsonbPGetDatum(wf_json_finish(w));
}

/* -- paths -- */

Datum
wf_sql_test_hook_path(PG_FUNCTION_ARGS)
{
	const char *problem;
	WfHookPath *pattern = wf_hook_path_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &problem);
	text	   *path = PG_GETARG_TEXT_PP(1);
	WfHookPath *request = wf_hook_request_path(VARDATA_ANY(path), VARSIZE_ANY_EXHDR(path));
	Jsonb	   *params = NULL;
	WfJsonWriter *w;

	if (pattern == NULL)
		return one_member("problem", problem);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "canonical", wf_hook_path_canonical(pattern));
	wf_json_put_field_cstring(w, "rank", wf_hook_path_rank(pattern));
	if (request != NULL && wf_hook_path_match(pattern, request, 0, &params))
		wf_json_put_member(w, "params", params);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

Datum
wf_sql_test_hook_order(PG_FUNCTION_ARGS)
{
	const char *problem;
	int			order = wf_hook_path_compare(wf_hook_path_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &problem),
											 wf_hook_path_parse(text_to_cstring(PG_GETARG_TEXT_PP(1)), &problem));

	PG_RETURN_INT32(order < 0 ? -1 : order > 0);
}

/* -- requests -- */

Datum
wf_sql_test_hook_method(PG_FUNCTION_ARGS)
{
	const char *method = wf_hook_method(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (method == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(method));
}

static WfHookHeaders *
get_headers(Jsonb *jsonb, const char **problem)
{
	JsonbValue	root;

	wf_json_root(jsonb, &root);
	return wf_hook_headers(&root, problem);
}

Datum
wf_sql_test_hook_headers(PG_FUNCTION_ARGS)
{
	const char *problem;
	WfHookHeaders *headers = get_headers(PG_GETARG_JSONB_P(0), &problem);

	if (headers == NULL)
		return one_member("problem", problem);
	PG_RETURN_JSONB_P(wf_hook_headers_json(headers));
}

Datum
wf_sql_test_hook_body(PG_FUNCTION_ARGS)
{
	const char *problem;
	WfHookHeaders *headers = get_headers(PG_GETARG_JSONB_P(0), &problem);
	bytea	   *body = PG_GETARG_BYTEA_PP(1);
	Jsonb	   *value = headers == NULL ? NULL : wf_hook_body(headers, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &problem);
	WfJsonWriter *w;

	if (value == NULL)
		return one_member("problem", problem);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_member(w, "body", value);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

/* -- checks -- */

static TimestampTz
from_unix(int64 seconds)
{
	return (seconds - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY) * USECS_PER_SEC;
}

Datum
wf_sql_test_hook_check(PG_FUNCTION_ARGS)
{
	const char *problem;
	bytea	   *body = PG_GETARG_BYTEA_PP(2);
	JsonbValue	auth;
	WfHookCheck in = {.headers = get_headers(PG_GETARG_JSONB_P(1), &problem), .body = VARDATA_ANY(body),
		.body_bytes = VARSIZE_ANY_EXHDR(body), .now = from_unix(PG_GETARG_INT64(3)), .auth = &auth};
	WfHookVerdict verdict;
	WfJsonWriter *w;

	if (in.headers == NULL)
		return one_member("problem", problem);
	wf_json_root(PG_GETARG_JSONB_P(0), &auth);
	wf_hook_check(&in, &verdict);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	if (!verdict.accepted)
		wf_json_put_field_cstring(w, "refused", verdict.reason);
	else
		wf_json_put_field_cstring(w, "id", verdict.delivery_id);
	if (verdict.unusable)
		wf_json_put_field_bool(w, "unusable", true);
	wf_json_put_member(w, "claims", verdict.claims);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

/* -- mutations -- */

/* Another text, in CurrentMemoryContext: bits, bytes, parts of it changed, left out, or twice. */
static char *
mutated(pg_prng_state *random, const char *text, size_t bytes, size_t *out_bytes)
{
	char	   *out = palloc(2 * bytes + 2);
	size_t		at = pg_prng_uint64_range(random, 0, bytes == 0 ? 0 : bytes - 1);
	size_t		n = pg_prng_uint64_range(random, 0, bytes - Min(at, bytes));

	memcpy(out, text, bytes);
	*out_bytes = bytes;
	switch (bytes == 0 ? 3 : pg_prng_uint64_range(random, 0, 6))
	{
		case 0:
			out[at] ^= (char) (1 << pg_prng_uint64_range(random, 0, 7));
			break;
		case 1:
			out[at] = (char) pg_prng_uint64_range(random, 0, 255);
			break;
		case 2:
			*out_bytes = at;
			break;
		case 3:
			memmove(out + at + 1, text + at, bytes - at);
			out[at] = (char) pg_prng_uint64_range(random, 0, 255);
			*out_bytes = bytes + 1;
			break;
		case 4:					/* without a part */
			memmove(out + at, text + at + n, bytes - at - n);
			*out_bytes = bytes - n;
			break;
		case 5:					/* a part twice */
			memmove(out + at + n, text + at, bytes - at);
			*out_bytes = bytes + n;
			break;
		default:
			for (size_t i = at; i < at + n; i++)
				out[i] = text[at + n - 1 - (i - at)];
	}
	return out;
}

/* Headers with another value; NULL when the value can be none. */
static WfHookHeaders *
headers_with(const JsonbValue *headers, const char *name, const char *value, size_t bytes)
{
	const char *const without[] = {name, NULL};
	WfJsonWriter *w;
	Jsonb	   *made;
	JsonbValue	root;
	const char *problem;

	if (!wf_hook_is_text(value, bytes))
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_members(w, headers, without);
	wf_json_key(w, name, (int) strlen(name));
	wf_json_put_string(w, value, (int) bytes);
	wf_json_end_object(w);
	made = wf_json_finish(w);
	wf_json_root(made, &root);
	return wf_hook_headers(&root, &problem);
}

typedef struct Mutating
{
	WfHookCheck in;
	JsonbValue	headers;
	const char *name;
	const char *text;
	size_t		bytes;
	pg_prng_state random;
	int			tried;
	WfJsonWriter *accepted;		/* an array */
} Mutating;

static void
try_one(Mutating *m)
{
	WfHookVerdict verdict;
	WfHookCheck in = m->in;
	size_t		bytes;
	char	   *text = mutated(&m->random, m->text, m->bytes, &bytes);

	if (bytes == m->bytes && memcmp(text, m->text, bytes) == 0)
		return;
	if (m->name[0] == '\0')
	{
		in.body = text;
		in.body_bytes = bytes;
	}
	else
		in.headers = headers_with(&m->headers, m->name, text, bytes);
	if (in.headers == NULL)
		return;
	m->tried++;
	wf_hook_check(&in, &verdict);
	if (verdict.accepted)
		wf_json_put_cstring(m->accepted, wf_hook_is_text(text, bytes) ? pnstrdup(text, bytes) : "(no text)");
}

Datum
wf_sql_test_hook_mutate(PG_FUNCTION_ARGS)
{
	const char *problem;
	bytea	   *body = PG_GETARG_BYTEA_PP(2);
	JsonbValue	auth;
	Mutating	m = {.name = text_to_cstring(PG_GETARG_TEXT_PP(4))};
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "mutations", ALLOCSET_DEFAULT_SIZES);
	WfJsonWriter *w;

	wf_json_root(PG_GETARG_JSONB_P(0), &auth);
	wf_json_root(PG_GETARG_JSONB_P(1), &m.headers);
	m.in = (WfHookCheck) {.auth = &auth, .headers = wf_hook_headers(&m.headers, &problem), .body = VARDATA_ANY(body),
		.body_bytes = VARSIZE_ANY_EXHDR(body), .now = from_unix(PG_GETARG_INT64(3))};
	m.text = m.name[0] == '\0' ? m.in.body : wf_json_get_cstring(&m.headers, m.name);
	m.bytes = m.name[0] == '\0' ? m.in.body_bytes : strlen(m.text);
	m.accepted = wf_json_writer_begin();
	wf_json_begin_array(m.accepted);
	pg_prng_seed(&m.random, PG_GETARG_INT64(5));
	for (int i = 0; i < PG_GETARG_INT32(6); i++)
	{
		MemoryContext old = MemoryContextSwitchTo(memory);

		CHECK_FOR_INTERRUPTS();
		try_one(&m);
		MemoryContextSwitchTo(old);
		MemoryContextReset(memory);
	}
	wf_json_end_array(m.accepted);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "tried", m.tried);
	wf_json_put_member(w, "accepted", wf_json_finish(m.accepted));
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

#endif
