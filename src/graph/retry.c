/*
 * retry.c: retry policies: reading them, and what follows from them.
 *
 * A policy is data; when to try again is decided by the engine, with the two functions at the end,
 * which are pure so that they can be tested without a clock or a dice: the caller brings the random
 * number.
 *
 * Defaults: 3 attempts, exponential, no initial delay (so that a retry stays within the segment unless
 * a delay is asked for), multiplier 2, at most one hour between attempts, no jitter, any code.
 */
#include "postgres.h"

#include <math.h>

#include "base/text.h"
#include "graph/build.h"
#include "miscadmin.h"

#define MAX_ATTEMPTS 1000000
#define MAX_CODES 100
#define MAX_CODE_BYTES 100

enum
{
	RETRY_MAX_ATTEMPTS,
	RETRY_BACKOFF,
	RETRY_INITIAL_DELAY,
	RETRY_MULTIPLIER,
	RETRY_MAX_DELAY,
	RETRY_MAX_ELAPSED,
	RETRY_JITTER,
	RETRY_ON,
	RETRY_STOP_ON,
	RETRY_KEYS
};

static const WfKey retry_keys[RETRY_KEYS] = {
	[RETRY_MAX_ATTEMPTS] = {"maxAttempts", WF_IS_NUMBER},
	[RETRY_BACKOFF] = {"backoff", WF_IS_STRING},
	[RETRY_INITIAL_DELAY] = {"initialDelay", WF_IS_STRING | WF_IS_NUMBER},
	[RETRY_MULTIPLIER] = {"multiplier", WF_IS_NUMBER},
	[RETRY_MAX_DELAY] = {"maxDelay", WF_IS_STRING | WF_IS_NUMBER},
	[RETRY_MAX_ELAPSED] = {"maxElapsed", WF_IS_STRING | WF_IS_NUMBER},
	[RETRY_JITTER] = {"jitter", WF_IS_NUMBER},
	[RETRY_ON] = {"retryOn", WF_IS_ARRAY},
	[RETRY_STOP_ON] = {"stopOn", WF_IS_ARRAY},
};

/* No retry at all. */
void
wf_graph_retry_none(WfRetry *out)
{
	wf_graph_retry_defaults(out);
	out->max_attempts = 1;
}

/* What a policy is where it says nothing. */
void
wf_graph_retry_defaults(WfRetry *out)
{
	memset(out, 0, sizeof(*out));
	out->max_attempts = 3;
	out->backoff = WF_BACKOFF_EXPONENTIAL;
	out->multiplier = 2;
	out->max_delay_ms = INT64CONST(3600000);
}

/* A code or the beginning of one: letters, digits, `_`, `.`, `-`, and a `*` at the end. */
static bool
is_code(const char *code)
{
	int			len = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

	return len > 0 && len <= MAX_CODE_BYTES && (code[len] == '\0' || (code[len] == '*' && code[len + 1] == '\0'));
}

static void
read_codes(WfBuild *b, const WfField *field, const WfPlace *place, const char *key, int *n, const char ***codes)
{
	WfJsonIter	it;
	JsonbValue	item;

	if (!field->present)
		return;
	if (wf_json_count(&field->value) > MAX_CODES)
	{
		wf_graph_wrong(b, place, key, NULL, "\"%s\" of %s has more than %d codes", key, wf_graph_what(place), MAX_CODES);
		return;
	}
	*codes = wf_graph_keep_array(b, wf_json_count(&field->value), sizeof(char *));
	wf_json_iter_begin(&it, &field->value);
	while (wf_json_iter_next(&it, NULL, &item))
	{
		const char *code = item.type == jbvString ? wf_json_cstring(&item) : NULL;

		if (code != NULL && is_code(code))
			(*codes)[(*n)++] = wf_graph_keep_text(b, &item);
		else
			wf_graph_wrong(b, place, key, "A code is a SQLSTATE such as \"40001\", a class such as \"40*\", or one of our own such as \"WF010\".",
						   "\"%s\" of %s has an element that is not a code: %s", key, wf_graph_what(place),
						   wf_text_clip(wf_json_text(&item)));
	}
}

/*
 * Reads a policy, defaults filled in, strings in the graph's memory. `value` is an object; `place` has
 * `within` set. False when something was wrong with it.
 */
bool
wf_graph_read_retry(WfBuild *b, const JsonbValue *value, const WfPlace *place, WfRetry *out)
{
	static const char *const backoffs[] = {"fixed", "linear", "exponential"};
	int			before = b->found->n_errors;
	WfField		f[RETRY_KEYS];

	wf_graph_retry_defaults(out);
	wf_graph_read(b, value, place, retry_keys, RETRY_KEYS, f);
	wf_graph_read_int(b, &f[RETRY_MAX_ATTEMPTS], place, "maxAttempts", 1, MAX_ATTEMPTS, &out->max_attempts);

	int			backoff = wf_graph_read_choice(b, &f[RETRY_BACKOFF], place, "backoff", backoffs, lengthof(backoffs));

	if (backoff >= 0)
		out->backoff = (WfBackoff) backoff;
	wf_graph_read_duration(b, &f[RETRY_INITIAL_DELAY], place, "initialDelay", &out->initial_delay_ms);
	wf_graph_read_number(b, &f[RETRY_MULTIPLIER], place, "multiplier", 1, 1000, &out->multiplier);
	wf_graph_read_duration(b, &f[RETRY_MAX_DELAY], place, "maxDelay", &out->max_delay_ms);
	wf_graph_read_duration(b, &f[RETRY_MAX_ELAPSED], place, "maxElapsed", &out->max_elapsed_ms);
	wf_graph_read_number(b, &f[RETRY_JITTER], place, "jitter", 0, 1, &out->jitter);
	read_codes(b, &f[RETRY_ON], place, "retryOn", &out->n_retry_on, &out->retry_on);
	read_codes(b, &f[RETRY_STOP_ON], place, "stopOn", &out->n_stop_on, &out->stop_on);
	return b->found->n_errors == before;
}

static bool
matches(const char *pattern, const char *code)
{
	int			len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, code, len - 1) == 0;
	return strcmp(pattern, code) == 0;
}

/*
 * May the attempt after `attempt` (from 1) be made for an error of this code (`error.code`) or this
 * SQLSTATE? stopOn wins over retryOn. maxElapsed is the caller's to watch: it has the clock.
 */
bool
wf_graph_retry_applies(const WfRetry *retry, int attempt, const char *code, const char *sqlstate)
{
	if (attempt >= retry->max_attempts)
		return false;
	for (int i = 0; i < retry->n_stop_on; i++)
		if (matches(retry->stop_on[i], code) || matches(retry->stop_on[i], sqlstate))
			return false;
	for (int i = 0; i < retry->n_retry_on; i++)
		if (matches(retry->retry_on[i], code) || matches(retry->retry_on[i], sqlstate))
			return true;
	return retry->n_retry_on == 0;
}

/*
 * How long to wait after attempt `attempt` (from 1) failed; `random` is from 0 to 1. Jitter comes on
 * top of the delay. Never overflows.
 */
int64
wf_graph_retry_delay_ms(const WfRetry *retry, int attempt, double random)
{
	double		delay = (double) retry->initial_delay_ms;

	if (retry->backoff == WF_BACKOFF_LINEAR)
		delay *= attempt;
	else if (retry->backoff == WF_BACKOFF_EXPONENTIAL && delay > 0)
		delay *= pow(retry->multiplier, attempt - 1);
	delay = Min(delay, (double) retry->max_delay_ms);
	delay += delay * retry->jitter * random;
	return delay < 1e15 ? (int64) delay : INT64CONST(1000000000000000);
}
