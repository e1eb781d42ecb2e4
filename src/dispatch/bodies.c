/*
 * bodies.c: what was sent and what came, for wf_requests, where workflow.http_log_bodies asks for it.
 *
 * Nobody shall read a secret there. In what was sent, secrets are markers, which become ***, within strings and keys. What came was
 * masked when it was read (mask.c).
 *
 * What becomes of a request does not depend on this: what cannot be masked, or is too large for it, is not kept.
 */
#include "postgres.h"

#include "base/settings.h"
#include "dispatch/flight.h"
#include "utils/memutils.h"

typedef struct Mask
{
	const char *nonce;			/* of markers; NULL: there are none */
	MemoryContext memory;		/* of a text that is looked at */
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

/* -- values -- */

/* A string or key, masked, in the mask's memory. */
static const char *
masked_string(Mask *mask, const JsonbValue *string, int *len)
{
	MemoryContext old = MemoryContextSwitchTo(mask->memory);
	const char *text;

	*len = string->val.string.len;
	text = without_markers(mask->nonce, string->val.string.val, len);
	MemoryContextSwitchTo(old);
	return text;
}

static void
put_masked_key(WfJsonWriter *w, const JsonbValue *key, void *arg)
{
	Mask	   *mask = arg;
	int			len;
	const char *text = masked_string(mask, key, &len);

	wf_json_key(w, text, len);
	MemoryContextReset(mask->memory);
}

static void
put_masked_scalar(WfJsonWriter *w, const JsonbValue *scalar, void *arg)
{
	Mask	   *mask = arg;
	int			len;

	if (scalar->type != jbvString)
		wf_json_put(w, scalar);
	else
	{
		const char *text = masked_string(mask, scalar, &len);

		wf_json_put_string(w, text, len);
		MemoryContextReset(mask->memory);
	}
}

/* -- bodies -- */

static void
put(WfJsonWriter *w, const char *key, const JsonbValue *value, Mask *mask)
{
	wf_json_key(w, key, strlen(key));
	if (mask == NULL || mask->nonce == NULL)
		wf_json_put(w, value);
	else
		wf_json_put_mapped(w, value, put_masked_key, put_masked_scalar, mask);
}

static Jsonb *
make_bodies(const JsonbValue *request, const WfAnswer *answer)
{
	WfJsonWriter *w = wf_json_writer_begin();
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow text of a body", ALLOCSET_DEFAULT_SIZES);
	Mask		sent = {.nonce = wf_json_get_cstring(request, "nonce"), .memory = memory};
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
		put(w, "response", &value, NULL);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Under a PG_TRY without a subtransaction: memory is all that is used. */
Jsonb *
wf_bodies_of(const JsonbValue *request, const WfAnswer *answer)
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
		made = make_bodies(request, answer);
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
