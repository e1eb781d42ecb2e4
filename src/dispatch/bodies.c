/*
 * bodies.c: what was sent and what came, for wf_requests, where workflow.http_log_bodies asks for it.
 *
 * Nobody shall read a secret there. In what was sent, secrets are markers, which become ***. An answer may repeat what it was
 * given: where a value of the request's own secrets is found in it, that becomes ***, too. Both within strings and keys; a number, true,
 * false or null whose text has a secret becomes the string "***".
 *
 * What becomes of a request does not depend on this: what cannot be masked, or is too large for it, is not kept.
 */
#include "postgres.h"

#include "base/settings.h"
#include "dispatch/flight.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#define LEAST_SECRET_BYTES 4	/* shorter ones are found everywhere */
#define MOST_NUMBER_BYTES (64 * 1024 * 1024)	/* texts of numbers that are looked at: a short one may stand for 100 kB */

typedef struct Mask
{
	const char *nonce;			/* of markers; NULL: there are none */
	const WfSecretValue *secrets;
	int			n_secrets;
	MemoryContext memory;		/* of a text that is looked at */
	Size		number_bytes;	/* of those that were */
} Mask;

/* -- texts -- */

/* With *** for markers. */
static const char *
without_markers(const char *nonce, const char *text, int *len)
{
	List	   *names = wf_marker_names(NIL, text, *len, nonce);
	WfSecretValue *values = palloc0(sizeof(WfSecretValue) * Max(list_length(names), 1));
	ListCell   *cell;
	int			n = 0;

	foreach(cell, names)
	{
		values[n].name = lfirst(cell);
		values[n].value = pstrdup("***");
		values[n++].len = 3;
	}
	return wf_marker_fill(text, *len, nonce, values, n, WF_MARKER_PLAIN, len);
}

static bool
has_value(const WfSecretValue *secret, const char *text, int len)
{
	return secret->len >= LEAST_SECRET_BYTES && memmem(text, len, secret->value, secret->len) != NULL;
}

/* With *** for each occurrence of the value. */
static const char *
without_value(const WfSecretValue *secret, const char *text, int *len)
{
	const char *end = text + *len;
	const char *found;
	StringInfoData masked;

	if (!has_value(secret, text, *len))
		return text;
	initStringInfo(&masked);
	while ((found = memmem(text, end - text, secret->value, secret->len)) != NULL)
	{
		appendBinaryStringInfo(&masked, text, found - text);
		appendStringInfoString(&masked, "***");
		text = found + secret->len;
	}
	appendBinaryStringInfo(&masked, text, end - text);
	*len = masked.len;
	return masked.data;
}

static const char *
masked_text(const Mask *mask, const char *text, int *len)
{
	if (mask->nonce != NULL)
		text = without_markers(mask->nonce, text, len);
	for (int i = 0; i < mask->n_secrets; i++)
		text = without_value(&mask->secrets[i], text, len);
	return text;
}

/* -- values -- */

/* Does the text of a number, a boolean or null have a secret in it? */
static bool
tells(Mask *mask, const JsonbValue *scalar)
{
	const char *text = scalar->type == jbvNull ? "null" : scalar->type != jbvBool ? NULL : scalar->val.boolean ? "true" : "false";

	if (mask->n_secrets == 0)
		return false;
	if (text == NULL)
	{
		text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(scalar->val.numeric)));
		mask->number_bytes += strlen(text);
	}
	if (mask->number_bytes > MOST_NUMBER_BYTES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("numbers are too long to be searched for secrets")));
	for (int i = 0; i < mask->n_secrets; i++)
		if (has_value(&mask->secrets[i], text, strlen(text)))
			return true;
	return false;
}

static void
put_scalar(WfJsonWriter *w, Mask *mask, const JsonbValue *scalar)
{
	MemoryContext old = MemoryContextSwitchTo(mask->memory);
	bool		is_string = scalar->type == jbvString;
	int			len = is_string ? scalar->val.string.len : 3;
	const char *text = is_string ? masked_text(mask, scalar->val.string.val, &len) : tells(mask, scalar) ? "***" : NULL;

	MemoryContextSwitchTo(old);
	if (text != NULL)
		wf_json_put_string(w, text, len);
	else
		wf_json_put(w, scalar);
	MemoryContextReset(mask->memory);
}

static void
put_key(WfJsonWriter *w, Mask *mask, const JsonbValue *key)
{
	MemoryContext old = MemoryContextSwitchTo(mask->memory);
	int			len = key->val.string.len;
	const char *text = masked_text(mask, key->val.string.val, &len);

	MemoryContextSwitchTo(old);
	wf_json_key(w, text, len);
	MemoryContextReset(mask->memory);
}

static void
put_masked(WfJsonWriter *w, Mask *mask, const JsonbValue *value)
{
	bool		is_object = wf_json_is_object(value);
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	check_stack_depth();
	if (!is_object && !wf_json_is_array(value))
	{
		put_scalar(w, mask, value);
		return;
	}
	if (is_object)
		wf_json_begin_object(w);
	else
		wf_json_begin_array(w);
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &member))
	{
		if (is_object)
			put_key(w, mask, &key);
		put_masked(w, mask, &member);
	}
	if (is_object)
		wf_json_end_object(w);
	else
		wf_json_end_array(w);
}

/* -- bodies -- */

static void
put(WfJsonWriter *w, const char *key, const JsonbValue *value, Mask *mask)
{
	wf_json_key(w, key, strlen(key));
	if (mask->nonce == NULL && mask->n_secrets == 0)
		wf_json_put(w, value);
	else
		put_masked(w, mask, value);
}

static Jsonb *
make_bodies(const JsonbValue *request, const WfAnswer *answer, const WfSecretValue *secrets, int n_secrets)
{
	WfJsonWriter *w = wf_json_writer_begin();
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow text of a body", ALLOCSET_DEFAULT_SIZES);
	Mask		sent = {.nonce = wf_json_get_cstring(request, "nonce"), .memory = memory};
	Mask		came = {.secrets = secrets, .n_secrets = n_secrets, .memory = memory};
	JsonbValue	from;
	JsonbValue	value;

	wf_json_begin_object(w);
	if (wf_json_field(request, "body", &value) || wf_json_field(request, "mail", &value))
		put(w, "request", &value, &sent);
	if (answer->output != NULL)
		wf_json_root(answer->output, &from);
	else if (answer->error != NULL && answer->error->details != NULL)
		from = *answer->error->details;
	else
		wf_json_set_null(&from);
	if (wf_json_field(&from, "body", &value))
		put(w, "response", &value, &came);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Under a PG_TRY without a subtransaction: memory is all that is used. */
Jsonb *
wf_bodies_of(const JsonbValue *request, const WfAnswer *answer, const WfSecretValue *secrets, int n_secrets)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory;
	Jsonb	   *volatile bodies = NULL;
	JsonbValue	personal;

	if (!wf_setting_http_log_bodies || wf_json_field(request, "personal", &personal))
		return NULL;
	memory = AllocSetContextCreate(caller, "workflow bodies", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		Jsonb	   *made;

		MemoryContextSwitchTo(memory);
		made = make_bodies(request, answer, secrets, n_secrets);
		bodies = MemoryContextAlloc(caller, VARSIZE(made));
		memcpy(bodies, made, VARSIZE(made));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
			ReThrowError(error);
		ereport(LOG, (errcode(error->sqlerrcode), errmsg("bodies of a request could not be kept: %s", error->message)));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(memory);
	return bodies;
}
