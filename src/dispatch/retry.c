/*
 * retry.c: whether a request that failed is sent again, and when.
 *
 * The sender asks here each time that an attempt has ended badly, with all that counts: how many failed so far, what came, how
 * long ago the request was made, and a random number. No clock and no dice here, so that tests can say what comes out.
 *
 * 1. maxAttempts attempts that failed are the end. What a crash of ours cut short is no attempt that failed.
 * 2. stopOn wins over everything else: what it names is not tried again.
 * 3. retryOn, when it is given, is all that is tried again: what it names is, whatever its kind, and nothing else is. An
 *    empty list thus means never.
 * 4. Without retryOn, what is retryable by its kind is tried again; but never what the next attempt would only repeat: a request
 *    that is blocked, that names a secret that is missing, that cannot be composed, or whose answer is too large.
 * 5. The delay is that of graph/retry.c: one formula for nodes and for requests. What the answer asks for with Retry-After is
 *    the least delay, but no more than maxDelay; it gets the same jitter, for all who were told to come back in a minute
 *    would come back at once.
 * 6. No attempt begins later than maxElapsed after the request was made; 0 is no bound, as for nodes.
 *
 * The lists hold statuses (503, "503"), classes of them ("5xx") and codes ("WF010"); a text that ends in * is the beginning of a
 * status or code ("50*", "WF*"). A policy has been checked when the request was made (block/http_policy.c); a member that is
 * not what it should be, in a row of another version perhaps, counts as missing.
 *
 * Nothing is thrown.
 */
#include "postgres.h"

#include "dispatch/policy.h"
#include "graph/graph.h"

#define DEFAULT_DELAY_MS 1000
#define DEFAULT_MOST_DELAY_MS INT64CONST(300000)
#define DEFAULT_JITTER 0.2
#define UNCOUNTED_MS INT64CONST(500)
#define MOST_UNCOUNTED_MS INT64CONST(60000)
#define MOST_UNCOUNTED 20		/* together about twenty minutes */

/* -- reading a policy -- */

/* Member `key` in ms or as a count, when it is from `least` on; else `otherwise`. */
static int64
read_int(const JsonbValue *retry, const char *key, int64 least, int64 otherwise)
{
	JsonbValue	value;
	int64		number;

	return wf_json_field(retry, key, &value) && wf_json_int64(&value, &number) && number >= least ? number : otherwise;
}

static double
read_number(const JsonbValue *retry, const char *key, double least, double most, double otherwise)
{
	JsonbValue	value;
	double		number;

	return wf_json_field(retry, key, &value) && wf_json_double(&value, &number) && number >= least && number <= most
		? number : otherwise;
}

static bool
is_text(const JsonbValue *value, const char *text)
{
	return value->type == jbvString && value->val.string.len == strlen(text) &&
		memcmp(value->val.string.val, text, value->val.string.len) == 0;
}

static WfBackoff
read_backoff(const JsonbValue *retry)
{
	JsonbValue	value;

	if (!wf_json_field(retry, "backoff", &value))
		return WF_BACKOFF_EXPONENTIAL;
	return is_text(&value, "fixed") ? WF_BACKOFF_FIXED : is_text(&value, "linear") ? WF_BACKOFF_LINEAR : WF_BACKOFF_EXPONENTIAL;
}

/* The numbers of a policy, defaults filled in. Of the lists nothing: those are looked at where they are. */
static void
read_policy(const JsonbValue *retry, WfRetry *out)
{
	const JsonbValue none = {.type = jbvNull};

	if (retry == NULL)
		retry = &none;
	memset(out, 0, sizeof(*out));
	out->max_attempts = (int) Min(read_int(retry, "maxAttempts", 1, 3), PG_INT32_MAX);
	out->backoff = read_backoff(retry);
	out->initial_delay_ms = read_int(retry, "initialDelayMs", 0, DEFAULT_DELAY_MS);
	out->multiplier = read_number(retry, "multiplier", 1, 1000, 2);
	out->max_delay_ms = read_int(retry, "maxDelayMs", 0, DEFAULT_MOST_DELAY_MS);
	out->max_elapsed_ms = read_int(retry, "maxElapsedMs", 0, 0);
	out->jitter = read_number(retry, "jitter", 0, 1, DEFAULT_JITTER);
}

/* -- what the lists name -- */

/* `5xx`, in any case. */
static bool
names_class(const char *text, int len, int status)
{
	return len == 3 && status > 0 && text[0] == '0' + status / 100 && pg_strncasecmp(text + 1, "xx", 2) == 0;
}

/* Is it `what`, or with a * at its end, how `what` begins? */
static bool
names_text(const char *text, int len, const char *what)
{
	if (len > 0 && text[len - 1] == '*')
		return strncmp(text, what, len - 1) == 0;
	return strlen(what) == len && memcmp(text, what, len) == 0;
}

static bool
names(const JsonbValue *item, const WfAttempt *attempt)
{
	char		status[12];
	int64		number;

	if (item->type == jbvNumeric)
		return attempt->status > 0 && wf_json_int64(item, &number) && number == attempt->status;
	if (item->type != jbvString)
		return false;
	snprintf(status, sizeof(status), "%d", attempt->status);
	return names_class(item->val.string.val, item->val.string.len, attempt->status) ||
		(attempt->status > 0 && names_text(item->val.string.val, item->val.string.len, status)) ||
		(attempt->code != NULL && names_text(item->val.string.val, item->val.string.len, attempt->code));
}

/* *given: there is such a list. */
static bool
list_names(const JsonbValue *retry, const char *key, const WfAttempt *attempt, bool *given)
{
	JsonbValue	list;
	JsonbValue	item;
	WfJsonIter	it;

	*given = retry != NULL && wf_json_field(retry, key, &list) && wf_json_is_array(&list);
	if (!*given)
		return false;
	wf_json_iter_begin(&it, &list);
	while (wf_json_iter_next(&it, NULL, &item))
	{
		if (names(&item, attempt))
			return true;
	}
	return false;
}

/* Would the next attempt only repeat what this one met? */
static bool
is_hopeless(const char *code)
{
	static const char *const codes[] = {"WF006", "WF011", "WF013", "22023"};

	for (int i = 0; i < lengthof(codes) && code != NULL; i++)
	{
		if (strcmp(codes[i], code) == 0)
			return true;
	}
	return false;
}

static bool
applies(const JsonbValue *retry, const WfAttempt *attempt)
{
	bool		given;

	if (list_names(retry, "stopOn", attempt, &given))
		return false;
	if (list_names(retry, "retryOn", attempt, &given))
		return true;
	return !given && attempt->is_retryable && !is_hopeless(attempt->code);
}

/* -- when -- */

static bool
has_time(const WfRetry *policy, int64 elapsed_ms, int64 delay_ms)
{
	return policy->max_elapsed_ms == 0 || delay_ms <= policy->max_elapsed_ms - elapsed_ms;
}

/*
 * In how many ms to try again; -1: no more. `retry` is borrowed, and NULL or null is the default policy. `failures` is at
 * least 1.
 */
int64
wf_retry_delay_ms(const JsonbValue *retry, const WfAttempt *attempt)
{
	WfRetry		policy;
	int64		delay_ms;

	Assert(attempt->failures >= 1);
	read_policy(retry, &policy);
	if (attempt->failures >= policy.max_attempts || !applies(retry, attempt))
		return -1;
	delay_ms = wf_graph_retry_delay_ms(&policy, attempt->failures, attempt->random);
	if (attempt->retry_after_ms > 0)
	{
		WfRetry		asked = policy;

		asked.backoff = WF_BACKOFF_FIXED;
		asked.initial_delay_ms = attempt->retry_after_ms;
		delay_ms = Max(delay_ms, wf_graph_retry_delay_ms(&asked, attempt->failures, attempt->random));
	}
	return has_time(&policy, attempt->elapsed_ms, delay_ms) ? delay_ms : -1;
}

int64
wf_retry_uncounted_delay_ms(const JsonbValue *retry, int times, int64 elapsed_ms, double random)
{
	WfRetry		policy;
	int64		delay_ms;

	if (times >= MOST_UNCOUNTED)
		return -1;
	read_policy(retry, &policy);
	delay_ms = Min(UNCOUNTED_MS << Min(times, 16), MOST_UNCOUNTED_MS);
	delay_ms += (int64) (random * delay_ms);
	return has_time(&policy, elapsed_ms, delay_ms) ? delay_ms : -1;
}
