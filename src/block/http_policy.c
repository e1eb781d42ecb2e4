/*
 * http_policy.c: how a request is sent: time-outs, retries, rates, and which answers will do.
 *
 * All of this is the sender's to keep; here it is read and brought to numbers of ms and bytes. Of a definition, the schema says
 * what is wrong with a number; a duration, a code and a size are checked here in both moments.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/http.h"

#define SIZE_HINT "Give a number of bytes or a size such as \"16MB\" (B, kB, MB, GB, TB)."
#define CODES_HINT "A code is 200, \"2xx\", \"200-204\" or [200, 204]."
#define RETRY_HINT "A code is a status such as 503 or \"5xx\", or one of ours such as \"WF010\"."
#define MOST_TIMEOUT_MS INT64CONST(86400000)
#define MOST_DURATION_MS INT64CONST(31536000000)
#define MOST_ATTEMPTS 1000
#define MOST_CODES 100

/* -- numbers -- */

static void
put_int(WfReading *r, const char *key, int64 value)
{
	if (r->w != NULL)
		wf_json_put_field_int64(r->w, key, value);
}

static void
begin_object(WfReading *r, const char *key)
{
	if (r->w == NULL)
		return;
	wf_json_key(r->w, key, strlen(key));
	wf_json_begin_object(r->w);
}

static void
end_object(WfReading *r)
{
	if (r->w != NULL)
		wf_json_end_object(r->w);
}

/* An object of the config; false when there is none. */
static bool
object_field(WfReading *r, const char *key, JsonbValue *out)
{
	if (!wf_block_request_field(r, key, out))
		return false;
	if (wf_json_is_object(out))
		return true;
	wf_block_request_wrong_type(r, key, "an object", out);
	return false;
}

/* Of a definition, the schema says what is wrong with a number. */
static void
read_int(WfReading *r, const JsonbValue *value, const char *where, const char *key, int64 least, int64 most)
{
	int64		number;

	if (r->step == NULL)
		return;
	if (!wf_json_int64(value, &number))
		wf_block_request_wrong(r, where, NULL, "\"%s\" must be an integer, not %s", where,
							   value->type == jbvNumeric ? wf_json_text(value) : wf_json_type_name(value));
	if (number < least || number > most)
		wf_block_request_wrong(r, where, NULL,
							   "\"%s\" must be between " INT64_FORMAT " and " INT64_FORMAT ", not " INT64_FORMAT,
							   where, least, most, number);
	put_int(r, key, number);
}

static void
read_number(WfReading *r, const JsonbValue *value, const char *where, const char *key, double least, double most)
{
	double		number;

	if (r->step == NULL)
		return;
	if (!wf_json_double(value, &number) || number < least || number > most)
		wf_block_request_wrong(r, where, NULL, "\"%s\" must be a number between %g and %g", where, least, most);
	wf_json_put_field(r->w, key, value);
}

/* A duration, `least` ms at the least. */
static void
read_duration(WfReading *r, const JsonbValue *value, const char *where, const char *key, int64 least, int64 most)
{
	int			before = r->step == NULL ? r->found->n_errors : 0;
	int64		ms;

	if (r->step == NULL)
	{
		wf_block_check_duration_at(r->node, value, where, r->found);
		if (r->found->n_errors > before || (value->type != jbvString && value->type != jbvNumeric))
			return;
	}
	ms = wf_block_duration(value, where);
	if (ms < least || ms > most)
		wf_block_request_wrong(r, where, NULL, "\"%s\" must be between " INT64_FORMAT " ms and " INT64_FORMAT " s", where,
							   least, most / 1000);
	else
		put_int(r, key, ms);
}

static void
read_choice(WfReading *r, const JsonbValue *value, const char *where, const char *key, const char *const *choices, int n)
{
	char	   *word = wf_json_cstring(value);

	if (r->step == NULL)
		return;
	for (int i = 0; i < n && word != NULL; i++)
	{
		if (strcmp(word, choices[i]) == 0)
		{
			wf_block_request_put(r, key, word);
			return;
		}
	}
	wf_block_request_wrong(r, where, word == NULL ? NULL : wf_text_did_you_mean(word, choices, n),
						   "\"%s\" cannot be %s", where, wf_text_clip(wf_json_text(value)));
}

static void
read_size(WfReading *r, const char *key, const char *out)
{
	JsonbValue	value;
	int64		bytes;

	if (!wf_block_request_field(r, key, &value))
		return;
	if (value.type == jbvNumeric && wf_json_int64(&value, &bytes) && bytes > 0)
		put_int(r, out, bytes);
	else if (wf_json_is_string(&value) && wf_text_size_bytes(wf_json_cstring(&value), &bytes))
		put_int(r, out, bytes);
	else if (r->step != NULL || wf_json_is_string(&value))
		wf_block_request_wrong(r, key, SIZE_HINT, "\"%s\" is not a size: %s", key, wf_text_clip(wf_json_text(&value)));
}

/* -- successCodes -- */

static bool
is_status(int64 code)
{
	return code >= 100 && code <= 599;
}

/* `2xx` */
static bool
is_class(const char *text)
{
	return strlen(text) == 3 && text[0] >= '1' && text[0] <= '5' && pg_strcasecmp(text + 1, "xx") == 0;
}

/* `200` or `200-204`. */
static bool
parse_range(const char *text, int64 *from, int64 *to)
{
	static const char digits[] = "0123456789";

	if (strspn(text, digits) != 3)
		return false;
	*from = *to = atoi(text);
	if (text[3] == '\0')
		return true;
	if (text[3] != '-' || strspn(text + 4, digits) != 3 || text[7] != '\0')
		return false;
	*to = atoi(text + 4);
	return true;
}

/* The two ends; false when it is neither a code nor a range. */
static bool
read_range(const JsonbValue *value, int64 *from, int64 *to)
{
	JsonbValue	first;
	JsonbValue	last;

	if (wf_json_is_string(value))
		return parse_range(wf_json_cstring(value), from, to);
	if (wf_json_is_array(value))
		return wf_json_count(value) == 2 && wf_json_element(value, 0, &first) && wf_json_element(value, 1, &last) &&
			wf_json_int64(&first, from) && wf_json_int64(&last, to);
	*to = 0;
	if (!wf_json_int64(value, from))
		return false;
	*to = *from;
	return true;
}

static void
read_code(WfReading *r, const JsonbValue *value, const char *where)
{
	int64		from;
	int64		to;

	if (wf_block_request_is_open(r, value) || (r->step == NULL && wf_json_is_object(value)))
		return;
	if (wf_json_is_string(value) && is_class(wf_json_cstring(value)))
	{
		if (r->w != NULL)
			wf_json_put_cstring(r->w, psprintf("%cxx", value->val.string.val[0]));
		return;
	}
	if (!read_range(value, &from, &to) || !is_status(from) || !is_status(to) || from > to)
	{
		wf_block_request_wrong(r, where, CODES_HINT, "\"%s\" is no status of HTTP: %s", where,
							   wf_text_clip(wf_json_text(value)));
		return;
	}
	if (r->w == NULL)
		return;
	if (from == to)
	{
		wf_json_put_int64(r->w, from);
		return;
	}
	wf_json_begin_array(r->w);
	wf_json_put_int64(r->w, from);
	wf_json_put_int64(r->w, to);
	wf_json_end_array(r->w);
}

static void
read_success_codes(WfReading *r)
{
	JsonbValue	value;
	WfItems		items;

	if (!wf_block_request_field(r, "successCodes", &value))
		return;
	if (!wf_json_is_array(&value))
	{
		wf_block_request_wrong_type(r, "successCodes", "an array", &value);
		return;
	}
	wf_block_items_of(&value, &items);
	if (r->step != NULL && (items.n == 0 || items.n > MOST_CODES))
		wf_block_request_wrong(r, "successCodes", NULL, "\"successCodes\" must hold 1 to %d codes, not %d", MOST_CODES, items.n);
	if (r->w != NULL)
	{
		wf_json_key(r->w, "successCodes", 12);
		wf_json_begin_array(r->w);
	}
	for (int i = 0; i < Min(items.n, MOST_CODES); i++)
		read_code(r, &items.values[i], psprintf("successCodes[%d]", i));
	if (r->w != NULL)
		wf_json_end_array(r->w);
}

/* -- retry -- */

/* A status, a class of them, or a code of ours. */
static bool
is_retry_code(const JsonbValue *value)
{
	int64		status;
	char	   *text;

	if (value->type == jbvNumeric)
		return wf_json_int64(value, &status) && is_status(status);
	text = wf_json_cstring(value);
	if (text == NULL || text[0] == '\0' || strlen(text) > 30)
		return false;
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_*") == strlen(text);
}

static void
read_retry_codes(WfReading *r, const JsonbValue *retry, const char *key)
{
	JsonbValue	value;
	WfItems		items;

	if (!wf_block_request_member(r, retry, key, &value))
		return;
	if (!wf_json_is_array(&value))
	{
		wf_block_request_wrong_type(r, psprintf("retry.%s", key), "an array", &value);
		return;
	}
	wf_block_items_of(&value, &items);
	if (r->step != NULL && items.n > MOST_CODES)
		wf_block_request_wrong(r, psprintf("retry.%s", key), NULL, "\"retry.%s\" must hold at most %d codes, not %d", key,
							   MOST_CODES, items.n);
	for (int i = 0; i < Min(items.n, MOST_CODES); i++)
	{
		const char *where = psprintf("retry.%s[%d]", key, i);

		if (!wf_block_request_is_open(r, &items.values[i]) && !is_retry_code(&items.values[i]))
			wf_block_request_wrong(r, where, RETRY_HINT, "\"%s\" is no code: %s", where,
								   wf_text_clip(wf_json_text(&items.values[i])));
	}
	if (r->w != NULL)
		wf_json_put_field(r->w, key, &value);
}

static void
read_retry(WfReading *r)
{
	static const char *const backoffs[] = {"fixed", "linear", "exponential"};
	static const struct
	{
		const char *key;
		const char *out;
	}			durations[] = {{"initialDelay", "initialDelayMs"}, {"maxDelay", "maxDelayMs"}, {"maxElapsed", "maxElapsedMs"}};
	JsonbValue	retry;
	JsonbValue	value;

	if (!object_field(r, "retry", &retry))
		return;
	begin_object(r, "retry");
	if (wf_block_request_member(r, &retry, "maxAttempts", &value))
		read_int(r, &value, "retry.maxAttempts", "maxAttempts", 1, MOST_ATTEMPTS);
	if (wf_block_request_member(r, &retry, "backoff", &value))
		read_choice(r, &value, "retry.backoff", "backoff", backoffs, lengthof(backoffs));
	for (int i = 0; i < lengthof(durations); i++)
	{
		if (wf_block_request_member(r, &retry, durations[i].key, &value))
			read_duration(r, &value, psprintf("retry.%s", durations[i].key), durations[i].out, 0, MOST_DURATION_MS);
	}
	if (wf_block_request_member(r, &retry, "multiplier", &value))
		read_number(r, &value, "retry.multiplier", "multiplier", 1, 1000);
	if (wf_block_request_member(r, &retry, "jitter", &value))
		read_number(r, &value, "retry.jitter", "jitter", 0, 1);
	read_retry_codes(r, &retry, "retryOn");
	read_retry_codes(r, &retry, "stopOn");
	end_object(r);
}

/* -- the other policies -- */

/* A member that must be there. */
static bool
need(WfReading *r, const JsonbValue *object, const char *name, const char *key, JsonbValue *out)
{
	if (wf_block_request_member(r, object, key, out))
		return true;
	if (r->step != NULL)
		wf_block_request_wrong(r, name, NULL, "\"%s\" needs \"%s\"", name, key);
	return false;
}

static void
read_rate_limit(WfReading *r)
{
	JsonbValue	limit;
	JsonbValue	value;

	if (!object_field(r, "rateLimit", &limit))
		return;
	begin_object(r, "rateLimit");
	if (need(r, &limit, "rateLimit", "requests", &value))
		read_int(r, &value, "rateLimit.requests", "requests", 1, PG_INT32_MAX);
	if (need(r, &limit, "rateLimit", "per", &value))
		read_duration(r, &value, "rateLimit.per", "perMs", 1, MOST_DURATION_MS);
	if (wf_block_request_member(r, &limit, "burst", &value))
		read_int(r, &value, "rateLimit.burst", "burst", 1, PG_INT32_MAX);
	end_object(r);
}

static void
read_low_speed(WfReading *r)
{
	JsonbValue	low;
	JsonbValue	value;

	if (!object_field(r, "lowSpeed", &low))
		return;
	begin_object(r, "lowSpeed");
	if (need(r, &low, "lowSpeed", "bytes", &value))
		read_int(r, &value, "lowSpeed.bytes", "bytes", 1, PG_INT32_MAX);
	if (need(r, &low, "lowSpeed", "time", &value))
		read_duration(r, &value, "lowSpeed.time", "ms", 1, MOST_TIMEOUT_MS);
	end_object(r);
}

void
wf_block_request_policy(WfReading *r)
{
	JsonbValue	value;

	if (wf_block_request_field(r, "timeout", &value))
		read_duration(r, &value, "timeout", "timeoutMs", 1, MOST_TIMEOUT_MS);
	if (wf_block_request_field(r, "connectTimeout", &value))
		read_duration(r, &value, "connectTimeout", "connectTimeoutMs", 1, MOST_TIMEOUT_MS);
	read_low_speed(r);
	read_retry(r);
	read_rate_limit(r);
	if (wf_block_request_field(r, "hostConcurrency", &value))
		read_int(r, &value, "hostConcurrency", "hostConcurrency", 1, 10000);
	if (!wf_block_request_field(r, "circuit", &value))
		return;
	if (value.type != jbvBool)
		wf_block_request_wrong_type(r, "circuit", "a boolean", &value);
	else if (r->w != NULL && !value.val.boolean)
		wf_json_put_field_bool(r->w, "circuit", false);
}

void
wf_block_request_http(WfReading *r)
{
	static const char *const types[] = {"auto", "json", "text", "binary", "none"};
	JsonbValue	value;

	wf_block_request_url(r);
	wf_block_request_auth(r);
	read_success_codes(r);
	if (wf_block_request_field(r, "responseType", &value))
		read_choice(r, &value, "responseType", "responseType", types, lengthof(types));
	read_size(r, "maxResponseSize", "maxResponseBytes");
	if (wf_block_request_field(r, "maxRedirects", &value))
		read_int(r, &value, "maxRedirects", "maxRedirects", 0, 50);
	wf_block_request_policy(r);
}
