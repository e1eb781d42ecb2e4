/*
 * compose_test.c: requests and answers made from SQL, for tests only; nothing is sent.
 *
 * wf_sql_test_compose(request jsonb, secrets jsonb, options jsonb) RETURNS jsonb: what net/ would be given, or {"error"};
 * secrets: {name: value}; options: {"tenant", "id", "trace", "attempt", "now", "token", "bytes": as base64}.
 *
 * wf_sql_test_compose_face(request jsonb) RETURNS jsonb: {"method", "host", "path"}
 *
 * wf_sql_test_answer(request jsonb, result jsonb, body bytea) RETURNS jsonb: {"output"} or {"error"}, "retryable",
 * "againstHost". result: {"outcome", "message", "rule", "status", "url", "redirects", "headers": [[name, value]]}
 *
 * wf_sql_test_token(request jsonb, secrets jsonb, options jsonb) RETURNS jsonb: {"key", "token"} as they are found. First, as
 * options say: "all": forgets all tokens; "forget": forgets this one ({"forgotten"}); "ask": what the server would be sent ({"asked"});
 * "answer": a result whose body is "body", that is taken ({"problem", "retryable", "refresh"}).
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/compat.h"
#include "base/secret.h"
#include "dispatch/compose.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_compose);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_compose_face);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_answer);
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_token);

/* -- reading -- */

static int64
get_int(const JsonbValue *object, const char *key, int64 otherwise)
{
	JsonbValue	v;
	int64		n;

	return wf_json_field(object, key, &v) && wf_json_int64(&v, &n) ? n : otherwise;
}

static pg_uuid_t
get_uuid(const JsonbValue *object, const char *key, const char *otherwise)
{
	char	   *text = wf_json_get_cstring(object, key);

	return *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text == NULL ? otherwise : text)));
}

static void
get_compose(WfCompose *c, JsonbValue *request, JsonbValue *secrets, JsonbValue *options)
{
	WfSecretValue *values = palloc0(sizeof(WfSecretValue) * (wf_json_count(secrets) + 1));
	WfJsonIter	it;
	JsonbValue	name;
	JsonbValue	value;

	memset(c, 0, sizeof(*c));
	c->request = request;
	c->tenant_id = get_uuid(options, "tenant", "00000000-0000-7000-8000-00000000000a");
	c->request_id = get_uuid(options, "id", "0190a5d0-0000-7000-8000-000000000001");
	c->trace = wf_json_get_cstring(options, "trace");
	if (c->trace == NULL)
		c->trace = "0190a5d0-0000-7000-8000-0000000000ff";
	c->attempt = (int) get_int(options, "attempt", 1);
	c->now_unix_ms = get_int(options, "now", INT64CONST(1674087231000));
	c->access_token = wf_json_get_cstring(options, "token");
	c->secrets = values;
	wf_json_iter_begin(&it, secrets);
	while (wf_json_iter_next(&it, &name, &value))
	{
		WfSecretValue *v = &values[c->n_secrets++];

		v->name = wf_json_cstring(&name);
		v->len = value.val.string.len;
		v->value = wf_secret_alloc(v->len + 1);
		memcpy(v->value, value.val.string.val, v->len);
	}
}

/* -- writing -- */

/* Bytes as text, when they are one; what is none as base64, with "base64:" before it. */
static void
put_bytes(WfJsonWriter *w, const char *key, const char *data, size_t bytes, bool as_base64)
{
	bool		is_text = !as_base64 && pg_encoding_verifymbstr(PG_UTF8, data, bytes) == bytes;
	text	   *encoded;

	if (is_text)
	{
		wf_json_key(w, key, strlen(key));
		wf_json_put_string(w, data, (int) bytes);
		return;
	}
	encoded = DatumGetTextPP(DirectFunctionCall2(binary_encode, PointerGetDatum(cstring_to_text_with_len(data, (int) bytes)),
												 CStringGetTextDatum("base64")));
	wf_json_put_field_cstring(w, key, psprintf("%s%s", as_base64 ? "" : "base64:", text_to_cstring(encoded)));
}

static void
put_some(WfJsonWriter *w, const char *key, const char *text)
{
	if (text != NULL)
		wf_json_put_field_cstring(w, key, text);
}

static void
put_number(WfJsonWriter *w, const char *key, int64 number)
{
	if (number != 0)
		wf_json_put_field_int64(w, key, number);
}

static void
put_headers(WfJsonWriter *w, const WfNetRequest *r)
{
	wf_json_key(w, "headers", 7);
	wf_json_begin_array(w);
	for (int i = 0; i < r->n_headers; i++)
		wf_json_put_cstring(w, psprintf("%s%s: %s", r->headers[i].secret ? "(secret) " : "", r->headers[i].name,
										r->headers[i].value));
	wf_json_end_array(w);
}

static void
put_parts(WfJsonWriter *w, const WfNetRequest *r)
{
	if (r->n_parts == 0)
		return;
	wf_json_key(w, "parts", 5);
	wf_json_begin_array(w);
	for (int i = 0; i < r->n_parts; i++)
	{
		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "name", r->parts[i].name);
		put_some(w, "filename", r->parts[i].filename);
		put_some(w, "contentType", r->parts[i].content_type);
		put_bytes(w, "data", r->parts[i].data, r->parts[i].data_bytes, false);
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
}

static void
put_auth(WfJsonWriter *w, const WfNetRequest *r)
{
	static const char *const types[] = {"none", "basic", "bearer", "digest", "aws"};

	if (r->auth.type == WF_NET_AUTH_NONE)
		return;
	wf_json_key(w, "auth", 4);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "type", types[r->auth.type]);
	put_some(w, "user", r->auth.user);
	put_some(w, "password", r->auth.password);
	put_some(w, "token", r->auth.token);
	put_some(w, "region", r->auth.region);
	put_some(w, "service", r->auth.service);
	wf_json_end_object(w);
}

static void
put_mail(WfJsonWriter *w, const WfNetRequest *r)
{
	if (r->kind != WF_NET_MAIL)
		return;
	wf_json_put_field_cstring(w, "mailFrom", r->mail_from);
	wf_json_key(w, "mailTo", 6);
	wf_json_begin_array(w);
	for (int i = 0; i < r->n_mail_to; i++)
		wf_json_put_cstring(w, r->mail_to[i]);
	wf_json_end_array(w);
}

static Jsonb *
request_json(const WfNetRequest *r, bool as_base64)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_some(w, "method", r->method);
	put_some(w, "url", r->url);
	put_some(w, "partition", r->partition);
	if (r->n_headers > 0)
		put_headers(w, r);
	if (r->body != NULL)
		put_bytes(w, "body", r->body, r->body_bytes, as_base64);
	put_parts(w, r);
	if (r->body_is_secret)
		wf_json_put_field_bool(w, "bodyIsSecret", true);
	put_auth(w, r);
	put_some(w, "cert", r->client_cert_pem);
	put_some(w, "key", r->client_key_pem);
	put_some(w, "caFile", r->ca_file);
	put_number(w, "connectTimeoutMs", r->connect_timeout_ms);
	put_number(w, "timeoutMs", r->total_timeout_ms);
	put_number(w, "lowSpeedBytes", r->low_speed_bytes);
	put_number(w, "lowSpeedMs", r->low_speed_ms);
	put_number(w, "maxRedirects", r->max_redirects);
	put_number(w, "maxResponseBytes", r->max_response_bytes);
	put_mail(w, r);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static Jsonb *
error_json(const WfError *error)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "error", psprintf("%s %s", error->code, error->message));
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- functions -- */

Datum
wf_sql_test_compose(PG_FUNCTION_ARGS)
{
	JsonbValue	request;
	JsonbValue	secrets;
	JsonbValue	options;
	JsonbValue	v;
	WfCompose	c;
	WfNetRequest r;
	WfError    *error;
	Jsonb	   *made;

	wf_json_root(PG_GETARG_JSONB_P(0), &request);
	wf_json_root(PG_GETARG_JSONB_P(1), &secrets);
	wf_json_root(PG_GETARG_JSONB_P(2), &options);
	get_compose(&c, &request, &secrets, &options);
	error = wf_compose(&c, &r);
	if (error != NULL)
		PG_RETURN_JSONB_P(error_json(error));
	made = request_json(&r, wf_json_field(&options, "bytes", &v));
	wf_compose_wipe(&r);
	PG_RETURN_JSONB_P(made);
}

Datum
wf_sql_test_compose_face(PG_FUNCTION_ARGS)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfRequestFace face;
	JsonbValue	request;

	wf_json_root(PG_GETARG_JSONB_P(0), &request);
	wf_compose_face(&request, &face);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "method", face.method);
	wf_json_put_field_cstring(w, "host", face.host);
	wf_json_put_field_cstring(w, "path", face.path);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

static WfNetOutcome
get_outcome(const JsonbValue *object)
{
	char	   *name = wf_json_get_cstring(object, "outcome");

	for (int i = 0; name != NULL && i <= WF_NET_OVERLOADED; i++)
		if (strcmp(wf_net_outcome_name((WfNetOutcome) i), name) == 0)
			return (WfNetOutcome) i;
	return WF_NET_ANSWERED;
}

/* Names and values of headers may have escapes of bytea: \xff is no text. */
static char *
get_raw(const JsonbValue *pair, uint32 index)
{
	JsonbValue	v;
	char	   *text = wf_json_element(pair, index, &v) ? wf_json_cstring(&v) : pstrdup("");

	if (strncmp(text, "\\x", 2) == 0)
	{
		bytea	   *bytes = DatumGetByteaPP(DirectFunctionCall1(byteain, CStringGetDatum(text)));

		return pnstrdup(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	}
	return text;
}

static void
get_result(const JsonbValue *object, bytea *body, WfNetResult *r)
{
	JsonbValue	v;
	JsonbValue	pair;

	memset(r, 0, sizeof(*r));
	r->outcome = get_outcome(object);
	r->message = wf_json_get_cstring(object, "message");
	r->rule = wf_json_get_cstring(object, "rule");
	r->status = (int) get_int(object, "status", r->outcome == WF_NET_ANSWERED ? 200 : 0);
	r->url = wf_json_get_cstring(object, "url");
	if (r->url == NULL)
		r->url = "https://api.example.com/v1";
	r->redirects = (int) get_int(object, "redirects", 0);
	if (wf_json_field(object, "headers", &v))
	{
		r->headers = palloc0(sizeof(WfNetHeader) * (wf_json_count(&v) + 1));
		for (uint32 i = 0; wf_json_element(&v, i, &pair); i++)
		{
			r->headers[i].name = get_raw(&pair, 0);
			r->headers[i].value = get_raw(&pair, 1);
			r->n_headers++;
		}
	}
	r->body_bytes = VARSIZE_ANY_EXHDR(body);
	r->body = palloc(r->body_bytes + 1);
	memcpy(r->body, VARDATA_ANY(body), r->body_bytes);
	r->body[r->body_bytes] = '\0';
}

Datum
wf_sql_test_answer(PG_FUNCTION_ARGS)
{
	WfJsonWriter *w;
	JsonbValue	request;
	JsonbValue	result;
	WfNetResult r;
	WfAnswer	answer;

	wf_json_root(PG_GETARG_JSONB_P(0), &request);
	wf_json_root(PG_GETARG_JSONB_P(1), &result);
	get_result(&result, PG_GETARG_BYTEA_PP(2), &r);
	wf_answer_read(&request, &r, (int) get_int(&result, "attempts", 1), 12.5, NULL, &answer);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	if (!answer.failed)
	{
		wf_json_key(w, "output", 6);
		wf_json_put_jsonb(w, answer.output);
	}
	else
	{
		wf_json_put_field_cstring(w, "error", psprintf("%s %s", answer.error->code, answer.error->message));
		if (answer.error->details != NULL)
			wf_json_put_field(w, "details", answer.error->details);
	}
	wf_json_put_field_bool(w, "retryable", answer.is_retryable);
	wf_json_put_field_bool(w, "againstHost", answer.counts_against_host);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

/* -- tokens -- */

static void
take_answer(const WfCompose *c, const JsonbValue *options, const char *key, WfJsonWriter *w)
{
	char	   *body = wf_json_get_cstring(options, "body");
	JsonbValue	result;
	WfNetResult r;
	WfError    *error;
	bool		is_retryable;
	char	   *refresh;

	if (!wf_json_field(options, "answer", &result))
		return;
	get_result(&result, cstring_to_text(body == NULL ? "" : body), &r);
	error = wf_token_take(key, c->secrets_age, &r, c->now_unix_ms, &is_retryable, &refresh);
	for (size_t i = 0; error == NULL && i < r.body_bytes; i++)
		if (r.body[i] != '\0')
			elog(ERROR, "something of the answer was left");
	wf_json_put_field_cstring(w, "problem", error == NULL ? NULL : psprintf("%s %s", error->code, error->message));
	wf_json_put_field_bool(w, "retryable", is_retryable);
	put_some(w, "refresh", refresh);
}

Datum
wf_sql_test_token(PG_FUNCTION_ARGS)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	request;
	JsonbValue	secrets;
	JsonbValue	options;
	JsonbValue	v;
	WfCompose	c;
	WfNetRequest r;
	WfError    *error;
	const char *token;
	char	   *key;

	wf_json_root(PG_GETARG_JSONB_P(0), &request);
	wf_json_root(PG_GETARG_JSONB_P(1), &secrets);
	wf_json_root(PG_GETARG_JSONB_P(2), &options);
	get_compose(&c, &request, &secrets, &options);
	if (wf_json_field(&options, "all", &v))
		wf_token_forget_all();
	token = wf_token_find(&c, &key, &error);
	if (error != NULL)
		PG_RETURN_JSONB_P(error_json(error));
	wf_json_begin_object(w);
	if (key != NULL && wf_json_field(&options, "forget", &v))
		wf_json_put_field_bool(w, "forgotten", wf_token_forget(key, c.now_unix_ms));
	if (wf_json_field(&options, "ask", &v))
	{
		error = wf_token_compose(&c, &r);
		wf_json_key(w, "asked", 5);
		wf_json_put_jsonb(w, error != NULL ? error_json(error) : request_json(&r, false));
		wf_compose_wipe(&r);
	}
	if (key != NULL)
		take_answer(&c, &options, key, w);
	token = wf_token_find(&c, &key, &error);
	put_some(w, "key", key);
	put_some(w, "token", token);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

#endif
